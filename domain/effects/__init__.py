"""Effects: what follows from a payment's money, each carried out once, in the transaction that settles it."""
