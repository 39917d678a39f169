"""A run on disk: Parquet tables, safetensors arrays, a manifest; atomic writes."""
