"""Stripe: cards, through payment intents and checkout sessions."""
