"""The machine door, tested as its callers see it."""
