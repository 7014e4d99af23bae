"""Types of the journal: what people post to it."""

from __future__ import annotations

from domain.event_types.fields import EventType, about_staff, text

_ENTRY = {
    "entryId": text("jrn_01jd7m5aaa0v5d3k8r6t9w1x2y3z", "The journal entry."),
    "periodId": text("2026-11", "The month that it is booked in."),
    "reverses": text("jrn_01jd7m5bbb0v5d3k8r6t9w1x2y3z", "The entry it undoes.", nullable=True),
}

TYPES: tuple[EventType, ...] = (
    about_staff("journal.posted", "Two people posted an entry, or reversed one.", None, _ENTRY),
)
