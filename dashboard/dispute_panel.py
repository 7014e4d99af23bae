"""The panel of home that tells which disputes are to be answered soon. No routes."""

from __future__ import annotations

from datetime import timedelta

from core import clock
from dashboard import dispute_words, words
from dashboard.shapes import View
from domain import desk
from domain.actors import Actor
from domain.desk import Session
from domain.disputes import dispute_queries

ROWS = 5
SOON = timedelta(days=7)


def view(session: Session, actor: Actor) -> View:
    """Prepare the disputes that wait for an answer within a week, the soonest first."""
    before = clock.now() + SOON
    rows, total = dispute_queries.due_soon(session, actor=actor, before=before, limit=ROWS)
    return {
        "id": "disputes",
        "title": "Disputes to answer",
        "count": desk.capped(total) if total else 0,
        "total": total,
        "tone": "warn",
        "note": "due within a week",
        "href": "/disputes?state=answer",
        "link": "All to answer",
        "rows": [
            {
                "id": row.id,
                "state": dispute_words.state_of(row),
                "title": dispute_words.reason_of(row).says,
                "text": f"Answer due · {words.short(row.payment_id)}",
                "at": words.moment(dispute_queries.due_of(row)),
                "amount": words.money(row.amount_minor, row.asset),
                "href": f"/disputes/{row.id}",
                "demo": row.demo,
            }
            for row in rows
        ],
        "empty": "No dispute is due within a week.",
    }
