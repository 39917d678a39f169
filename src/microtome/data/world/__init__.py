"""The planted world: rendered scenes whose every pixel is known."""
