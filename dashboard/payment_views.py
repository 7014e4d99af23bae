"""The page of one payment and its parts that change by themselves; acts are in `payment_acts.py`."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import attachments, dispute_words, payment_page, render
from dashboard.payment_shown import Shown
from dashboard.shapes import View
from domain.database import reading
from domain.desk import Session
from domain.disputes import dispute_queries
from web import access

routes = Blueprint("desk_payment", __name__)
_OWN = "staff all, others their own"


def find(session: Session, payment_id: str) -> Shown:
    """Fetch the payment that the request names."""
    url = render.settings().public_url
    return payment_page.find(session, payment_id, actor=render.actor(), public_url=url)


def view_of(
    session: Session, shown: Shown, *, note: str = "", note_error: str | None = None
) -> View:
    """Prepare the whole page."""
    notes, note_form = payment_page.notes(session, shown, value=note, error=note_error)
    return {
        "payment": payment_page.head(shown),
        "links": payment_page.links(shown),
        "cases": payment_page.cases(session, shown),
        "refunds": payment_page.refunds(session, shown),
        "disputes": dispute_words.lines(
            dispute_queries.of_payment(session, shown.payment.id), shown.actor
        ),
        "support": payment_page.support(session, shown),
        "timeline": payment_page.story(session, shown),
        "facts": payment_page.facts(session, shown),
        "notes": notes,
        "note_form": note_form,
        "shows_notes": shown.actor.is_staff,
        "files": attachments.view(session, "payment", shown.payment.id, shown.actor),
    }


@routes.get("/payments/<payment_id>")
@access.page(Permission.PAYMENTS_READ, note=_OWN)
def show(payment_id: str) -> Response:
    with reading() as session:
        view = view_of(session, find(session, payment_id))
    return render.page("payments/show.html", view)


def _part(payment_id: str, template: str, more: Callable[[Session, Shown], View]) -> Response:
    if not render.wants_fragment():
        return render.to(f"/payments/{payment_id}")
    with reading() as session:
        shown = find(session, payment_id)
        view: View = {"payment": payment_page.head(shown), "links": payment_page.links(shown)}
        view |= more(session, shown)
    return render.part(template, view)


@routes.get("/payments/<payment_id>/header")
@access.page(Permission.PAYMENTS_READ, note=_OWN)
def header(payment_id: str) -> Response:
    return _part(payment_id, "payments/_header.html", lambda *_: {})


@routes.get("/payments/<payment_id>/cases")
@access.page(Permission.PAYMENTS_READ, note=_OWN)
def cases(payment_id: str) -> Response:
    return _part(
        payment_id,
        "payments/_cases.html",
        lambda session, shown: {"cases": payment_page.cases(session, shown)},
    )


@routes.get("/payments/<payment_id>/refunds")
@access.page(Permission.PAYMENTS_READ, note=_OWN)
def refunds(payment_id: str) -> Response:
    return _part(
        payment_id,
        "payments/_refunds.html",
        lambda session, shown: {"refunds": payment_page.refunds(session, shown)},
    )


@routes.get("/payments/<payment_id>/support")
@access.page(Permission.PAYMENTS_SUPPORT)
def support(payment_id: str) -> Response:
    return _part(
        payment_id,
        "payments/_support.html",
        lambda session, shown: {"support": payment_page.support(session, shown)},
    )


@routes.get("/payments/<payment_id>/timeline")
@access.page(Permission.PAYMENTS_READ, note=_OWN)
def timeline(payment_id: str) -> Response:
    return _part(
        payment_id,
        "payments/_timeline.html",
        lambda session, shown: {"timeline": payment_page.story(session, shown)},
    )


@routes.get("/payments/<payment_id>/facts")
@access.page(Permission.PAYMENTS_READ, note=_OWN)
def facts(payment_id: str) -> Response:
    return _part(
        payment_id,
        "payments/_facts.html",
        lambda session, shown: {"facts": payment_page.facts(session, shown)},
    )
