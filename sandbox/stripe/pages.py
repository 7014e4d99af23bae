"""Stripe's pages. Challenge and card pages are shown inside the merchant's, so framing is allowed."""

from __future__ import annotations

from pathlib import Path

from sandbox.common import pages

OWN = pages.Pages(Path(__file__).parent)
page, static, redirect = OWN.page, OWN.static, pages.redirect
