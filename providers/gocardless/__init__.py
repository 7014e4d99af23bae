"""GoCardless Instant Bank Pay: payments that a payer agrees to at their own bank, paid out to us by GoCardless."""
