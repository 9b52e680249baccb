"""What Telegram brings: stored before Telegram is told so, worked off in order, never lost and never taken twice."""
