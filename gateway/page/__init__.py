"""The public page: what it consists of, and how browsers are told to treat it."""
