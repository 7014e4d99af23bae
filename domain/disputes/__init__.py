"""Disputes: what a payer's bank asks back, its answer, what it does to the books and to a release."""
