"""One question to all systems each."""
