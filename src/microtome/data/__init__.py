"""What a model is shown and what people have names for."""
