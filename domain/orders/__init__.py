"""Orders: what is to be paid for, and how far that is."""
