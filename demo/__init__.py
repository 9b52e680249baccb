"""The first minute: a small release, one photo, one answer."""
