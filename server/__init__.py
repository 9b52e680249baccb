"""Starts a real Triton on a machine without GPU or container, with CPU stand-ins for the production backends."""
