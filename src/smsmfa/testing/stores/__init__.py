"""The suite for stores, one module for each kind of check."""
