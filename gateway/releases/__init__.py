"""Which release answers whom, and how that changes: routes, switching, shadow, comparison, pruning, guard."""
