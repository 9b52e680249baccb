"""Closed loop: each client waits for its answer. Open loop: photos come when they come."""
