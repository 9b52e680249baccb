"""Whether an upload is an image that can be diagnosed."""
