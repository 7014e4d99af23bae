"""TrueLayer Payments v3: payments that a payer agrees to at their own bank, into our merchant account."""
