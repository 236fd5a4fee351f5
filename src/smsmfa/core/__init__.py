"""The engine: what one call does, and the rules that decide it. Applications never import from here."""
