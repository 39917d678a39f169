"""The nouns: no I/O."""
