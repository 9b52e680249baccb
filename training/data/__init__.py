"""Photos and labels: read, checked, split, fed."""
