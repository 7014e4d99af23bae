"""A stateful stand-in for a bank behind TrueLayer and GoCardless; run as `python -m sandbox.bank`."""
