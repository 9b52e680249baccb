"""Accepts the stack on a machine with Docker and a GPU: what the tests cannot show without either. Standard library only."""
