"""The page of one bank line: what the bank said, what it shows or may show and why, and what was done with it."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import bank_words, render, words
from dashboard.bank_words import LINES
from dashboard.shapes import Act, View
from domain.actors import Actor
from domain.bank import matching, suggesting
from domain.database import reading
from domain.naming import actor_names
from models.statements import BankLine
from web import access

routes = Blueprint("desk_bank_line", __name__)


def _view(line_id: str) -> View:
    actor = render.actor()
    with reading() as session:
        line = matching.get_line(session, line_id)
        is_open = line.state != "matched"
        found = suggesting.of_line(session, line) if is_open else []
        names = actor_names(session, [line.matched_by] if line.matched_by else [], for_staff=True)
        facts = bank_words.line_facts(line, names, actor)
        suggested = [bank_words.suggestion_view(line, each, actor) for each in found]
    return {
        "line": {
            "id": line.id,
            "short": words.short(line.id),
            "title": line.reference or line.bank_reference or "No reference",
            "money": words.money(line.amount_minor, line.asset),
            "state": bank_words.STATES[bank_words.state_of(line, found)],
            "demo": line.demo,
            "is_open": is_open,
        },
        "facts": facts,
        "suggested": suggested,
        "acts": [_act(line, actor)],
        "body_url": f"{LINES}/{line_id}/body",
    }


def _act(line: BankLine, actor: Actor) -> Act:
    may = actor.may(Permission.BANK_MATCH)
    name, label = (
        ("unmatch", "Take the match back")
        if line.state == "matched"
        else (
            "match",
            "Match by hand",
        )
    )
    return Act(name, label, f"{LINES}/{line.id}/{name}", may, None if may else bank_words.WHO)


@routes.get(f"{LINES}/<line_id>")
@access.page(Permission.BANK_LINES)
def show(line_id: str) -> Response:
    return render.page("bank/line.html", _view(line_id))


@routes.get(f"{LINES}/<line_id>/body")
@access.page(Permission.BANK_LINES)
def body(line_id: str) -> Response:
    return render.fragment("bank/_line.html", _view(line_id), page_href=f"{LINES}/{line_id}")
