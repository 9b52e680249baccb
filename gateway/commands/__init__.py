"""Commands of `python -m gateway`, one module a subject."""
