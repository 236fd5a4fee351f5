"""The suite that a sender has to pass."""
