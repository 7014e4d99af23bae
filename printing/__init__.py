"""The printer: plain content in, the bytes of a document out. Knows no table, no rule and no network."""
