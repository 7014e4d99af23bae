"""Comparing with providers: what they book themselves, what they pay out, and what differs from us."""
