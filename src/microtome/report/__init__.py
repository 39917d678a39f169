"""From a run folder to pages."""
