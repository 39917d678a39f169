"""Scripts that train the small models we ship."""
