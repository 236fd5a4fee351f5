"""The suite for senders."""
