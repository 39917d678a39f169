"""`microtome decompose ...`: one command a file."""
