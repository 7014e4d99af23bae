"""The page of one case, its live part and its notes."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from core.redaction import holds_card_number
from dashboard import case_page, render
from domain.cases import case_acts
from domain.database import reading, transaction
from web import access

routes = Blueprint("desk_exception", __name__)
_OWN = "staff all, merchants those of their own payments"


@routes.get("/exceptions/<case_id>")
@access.page(Permission.EXCEPTIONS_READ, note=_OWN)
def show(case_id: str) -> Response:
    with reading() as session:
        shown = case_page.find(session, case_id, actor=render.actor())
        view = case_page.page(session, shown)
    return render.page("exceptions/show.html", view)


@routes.get("/exceptions/<case_id>/body")
@access.page(Permission.EXCEPTIONS_READ, note=_OWN)
def body(case_id: str) -> Response:
    with reading() as session:
        shown = case_page.find(session, case_id, actor=render.actor())
        view = case_page.body(session, shown)
    return render.fragment("exceptions/_body.html", view, page_href=shown.href)


@routes.post("/exceptions/<case_id>/notes")
@access.page(Permission.EXCEPTIONS_NOTE)
def note(case_id: str) -> Response:
    text, actor = render.typed("note"), render.actor()
    if (error := _error(text)) is None:
        with transaction() as session:
            source = f"user:{actor.id}"
            case_acts.add_note(session, case_id, text, actor=actor, source=source)
        if not render.wants_fragment():
            return render.to(f"/exceptions/{case_id}#notes")
    kept, status = (text, 422) if error else ("", 200)
    with reading() as session:
        shown = case_page.find(session, case_id, actor=actor)
        if not render.wants_fragment():
            view = case_page.page(session, shown, value=kept, error=error)
        else:
            view = case_page.notes(session, shown, value=kept, error=error)
    if render.wants_fragment():
        return render.part("exceptions/_notes.html", view, status=status)
    return render.page("exceptions/show.html", view, status=status)


def _error(text: str) -> str | None:
    if not text:
        return "Write something first."
    if len(text) > case_acts.LONGEST_NOTE:
        return f"A note has at most {case_acts.LONGEST_NOTE:,} characters."
    if holds_card_number(text):
        return "This looks like a card number. Card numbers are never kept here."
    return None
