"""From a request body to the files in it."""
