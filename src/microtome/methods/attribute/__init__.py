"""Which patches of an image mattered? Heatmaps by attention and by gradients, of vision transformers laid open."""
