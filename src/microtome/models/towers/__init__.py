"""Vision transformers laid open for decomposition: one description for all, one family a file."""
