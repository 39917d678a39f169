"""Parts of the report: small functions from a run (and a unit) to what a template needs."""
