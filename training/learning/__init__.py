"""Networks, losses, schedules, fitting."""
