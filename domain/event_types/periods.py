"""Types of the months of the books: closed by two people, and opened again with a mark."""

from __future__ import annotations

from domain.event_types.fields import EventType, about_staff, text

_PERIOD = {
    "periodId": text("2026-11", "The month."),
    "chainHead": text(
        "9f2c4b1e7a6d5c3b8e0f1a2d4c6b8e0f9f2c4b1e7a6d5c3b8e0f1a2d4c6b8e0f",
        "How the journal's chain ended when the month was closed.",
    ),
}
TYPES: tuple[EventType, ...] = (
    about_staff("period.closed", "Two people closed a month of the books.", "closed", _PERIOD),
    about_staff("period.reopened", "Two people opened a month again.", "reopened", _PERIOD),
)
