"""The wire protocol of TrueLayer Payments v3 over the bank's own truth."""
