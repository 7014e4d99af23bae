"""Payments: begun, carried out at providers, settled, reconciled, shown."""
