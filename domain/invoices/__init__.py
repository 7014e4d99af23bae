"""Invoices and credit notes: numbered without gaps, opened with their order, folded from its payments."""
