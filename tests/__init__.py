"""The suite. `tests/rig` holds what starts databases, processes and browsers; no rule lives here."""
