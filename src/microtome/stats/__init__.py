"""Streaming reductions, each with add, merge, state, load."""
