"""The result of a run, as a table, as JSON and as one page."""
