"""Small exact mathematics that several methods share."""
