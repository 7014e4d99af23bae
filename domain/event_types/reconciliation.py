"""Types of comparisons with providers: begun, on their way, over."""

from __future__ import annotations

from domain.event_types.fields import EventType, Field, about_staff, text

_RUN = {
    "runId": text("rec_01jd7m6aaa0v5d3k8r6t9w1x2y3z", "The comparison."),
    "provider": text("stripe", "With whom."),
    "done": Field("integer", 4000, "How far it is."),
    "total": Field("integer", 10000, "How far it goes, as far as that is known.", nullable=True),
    "different": Field("integer", 3, "What differed so far."),
}
TYPES: tuple[EventType, ...] = (
    about_staff("reconciliation.started", "A comparison was begun.", "running", _RUN),
    about_staff("reconciliation.progress", "A comparison has come further.", "running", _RUN),
    about_staff(
        "reconciliation.finished",
        "A comparison is over: finished, cancelled or failed.",
        "finished",
        _RUN,
    ),
)
