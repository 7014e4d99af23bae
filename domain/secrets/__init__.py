"""Secrets: which may verify, how they change, who used them, and how all is sealed."""
