"""How the running gateway is seen: metrics, logs, traces."""
