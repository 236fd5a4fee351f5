"""Where records can be kept; each store in a module of its own."""
