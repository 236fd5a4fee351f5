"""The texts of the messages: their languages, how they are checked, and what they cost."""
