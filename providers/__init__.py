"""The only room that talks to payment networks. No tables, no Flask; one folder per provider."""
