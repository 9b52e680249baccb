"""Commands beside running: `check` and `settings`."""
