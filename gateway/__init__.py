"""HTTP front of the leaf ensemble: checks an upload, calls Triton, decides, answers."""
