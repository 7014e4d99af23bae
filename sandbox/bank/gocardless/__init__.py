"""The wire protocol of GoCardless' Instant Bank Pay over the bank's own truth."""
