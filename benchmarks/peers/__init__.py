"""What people reach for first, each set up to do well."""
