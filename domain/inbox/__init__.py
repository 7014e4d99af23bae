"""The inbox: what providers deliver, kept first and applied once."""
