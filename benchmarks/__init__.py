"""Measures the product against what a user would pick instead, and against the engines alone."""
