"""The books: entries, accounts, chains, and the proofs that they stand."""
