"""Pages of the runs of `microtome decompose`."""
