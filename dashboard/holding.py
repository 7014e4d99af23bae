"""For how long a freeze, a pause or a notice lasts: the choices of a form, and reading one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core import clock
from dashboard import render
from dashboard.shapes import Input, Option

_CHOICES: Mapping[str, tuple[str, int | None]] = {
    "": ("", None),
    "30m": ("30 minutes", 30 * 60),
    "1h": ("1 hour", 3600),
    "2h": ("2 hours", 2 * 3600),
    "4h": ("4 hours", 4 * 3600),
    "12h": ("12 hours", 12 * 3600),
    "24h": ("24 hours", 24 * 3600),
    "7d": ("7 days", 7 * 24 * 3600),
}


def span_input(chosen: str, *, endless: str, error: str | None = None) -> Input:
    """Prepare the choice. endless: what the first choice, no end, is called."""
    return Input(
        "until",
        "For how long",
        "select",
        error=error,
        hint="With a time chosen, it ends by itself.",
        options=[
            Option(value, label or endless, value == chosen)
            for value, (label, _) in _CHOICES.items()
        ],
    )


def chosen() -> str:
    """Read the choice that the form sent; what is none of them counts as the first."""
    found = render.typed("until")
    return found if found in _CHOICES else ""


def ends_at(choice: str) -> datetime | None:
    """Give when a choice ends, counted from now; None when it does not end by itself."""
    seconds = _CHOICES[choice][1]
    return clock.after(seconds) if seconds is not None else None
