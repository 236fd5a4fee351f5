"""The suite that a store has to pass, one file for each kind of check."""
