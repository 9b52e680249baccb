"""Everything that talks to Triton."""
