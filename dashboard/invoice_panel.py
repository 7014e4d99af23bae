"""The panel of home that tells which invoices should have been paid by now. No routes."""

from __future__ import annotations

from core.permissions import Permission
from dashboard import invoice_words, words
from dashboard.journal_words import on
from dashboard.shapes import View
from domain import calendar, desk
from domain.actors import Actor
from domain.desk import Session
from domain.invoices import figures, invoice_desk

ROWS = 5


def views(session: Session, actor: Actor) -> list[View]:
    """Prepare the overdue invoices, longest overdue first, for who reads invoices; none: no panel."""
    if not actor.may(Permission.INVOICES_READ):
        return []
    today = calendar.today()
    total = invoice_desk.count_overdue(session, today, actor=actor)
    if not total:
        return []
    rows = invoice_desk.list_overdue(session, today, actor=actor, limit=ROWS)
    return [
        {
            "id": "overdue-invoices",
            "title": "Overdue invoices",
            "count": desk.capped(total),
            "total": total,
            "tone": "warn",
            "note": "longest first",
            "href": "/invoices?due=overdue",
            "link": "All overdue",
            "rows": [
                {
                    "id": row.id,
                    "state": invoice_words.state_of(row),
                    "title": f"{invoice_words.title(row)} {row.number}",
                    "text": f"Due on {on(row.due_on)}" if row.due_on else "",
                    "at": words.moment(calendar.begin_of(row.due_on or today)),
                    "amount": words.shown(figures.due(row)),
                    "href": f"/invoices/{row.id}",
                    "demo": row.demo,
                }
                for row in rows
            ],
            "empty": "No invoice is overdue.",
        }
    ]
