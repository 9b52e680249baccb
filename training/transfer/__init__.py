"""Folders and data sets to and from other places."""
