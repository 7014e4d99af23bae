"""Periods: months of the books, what keeps them from being closed, what was known when they were."""
