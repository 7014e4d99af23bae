"""Measurements on the real processes and databases; `make bench` runs them, docs/measurements.md keeps them."""
