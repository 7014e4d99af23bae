"""A stateful stand-in for Stripe that speaks its wire protocol; run as `python -m sandbox.stripe`."""
