"""From trained-model folders to numbered releases in a Triton model repository."""
