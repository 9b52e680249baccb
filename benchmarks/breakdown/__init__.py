"""Where the time of one photo goes."""
