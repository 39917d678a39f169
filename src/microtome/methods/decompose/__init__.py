"""Which part wrote this output? Terms, heads, patches, neurons and text spans of vision transformers."""
