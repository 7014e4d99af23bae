"""What `make` runs: checks, the lock, and fetching what the tests need. Nothing the product imports."""
