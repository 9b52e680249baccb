"""From a photo to its answer."""
