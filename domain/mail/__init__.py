"""Mail to people: what is told to whom."""
