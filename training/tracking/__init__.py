"""Runs, the model registry, the quality gate and the search."""
