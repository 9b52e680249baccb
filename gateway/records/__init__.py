"""What was answered, and whether it was right: SQL, and the photos that may be kept."""
