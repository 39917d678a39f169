"""The audit: what a model leans on and should not, proved by changing inputs and cutting parts, and repaired."""
