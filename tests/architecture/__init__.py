"""The house rules as tests: what belongs where, how long, and what must not be written."""
