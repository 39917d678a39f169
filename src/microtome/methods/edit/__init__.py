"""Lasting changes of a model: cuts folded into weights, another last layer."""
