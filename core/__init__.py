"""Pure Python that every room may use: money, states, errors, clock, ids, vault; no database, no Flask, no network."""
