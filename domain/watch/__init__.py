"""Watching over the books: rules that always hold, signatures kept elsewhere, what is compared each night."""
