"""Pages of the runs of `microtome audit` and `microtome explain`."""
