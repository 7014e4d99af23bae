"""Refunds: asked for, reserved, sent, settled, proved."""
