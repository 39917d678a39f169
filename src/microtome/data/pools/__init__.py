"""Text pools: short descriptions to name heads, neurons and directions with, each with the property it is about."""
