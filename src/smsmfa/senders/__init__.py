"""What hands a message to a carrier; each module imports its carrier's package on first use."""
