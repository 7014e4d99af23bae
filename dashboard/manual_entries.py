"""Journal entries by hand: the form with its balance, asking a second person, and reversing what was posted so."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request

from core.errors import AppError, InvalidInput
from core.permissions import Permission
from dashboard import (
    confirming,
    entry_form,
    guarded,
    journal_entry,
    journal_words,
    listing,
    render,
    words,
)
from dashboard.entry_form import Read, Typed
from dashboard.shapes import Alert, Link, View
from domain.books import book_queries, manual, manual_offers, manual_reversals
from domain.books.manual_offers import Offers
from domain.database import reading, transaction
from web import access

routes = Blueprint("desk_manual_entries", __name__)
_NEW = "/journal/new"


def _prepared(typed: Typed) -> tuple[Typed, list[Read], Offers]:
    """Read what was typed in the light of its order."""
    with reading() as session:
        order_id = manual_offers.order_named(session, typed.order)
        offered = manual_offers.offers(session, order_id or "")
    typed = entry_form.chosen(typed, order_id, offered)
    lines, typed = entry_form.as_money(typed, offered.asset)
    return typed, lines, offered


def _ask(
    typed: Typed,
    lines: list[Read],
    offered: Offers,
    *,
    status: int = 200,
    problem: Alert | None = None,
) -> Response:
    view: View = {
        "form": entry_form.view(typed, lines, offered),
        "problem": problem,
        "trail": [Link("Journal", "/journal")],
    }
    return render.page("journal/new.html", view, status=status, live=False)


@routes.get("/journal/new")
@access.page(Permission.JOURNAL_POST)
def ask_new() -> Response:
    if (elsewhere := guarded.detour()) is not None:
        return elsewhere
    typed, lines, offered = _prepared(entry_form.read(listing.asked_text))
    rows = [replace(row, error=None) for row in typed.rows]
    return _ask(replace(typed, rows=rows), lines, offered)


@routes.get("/journal/new/offers")
@access.page(Permission.JOURNAL_POST)
def offers() -> Response:
    """Give what may be chosen for the order that was typed."""
    typed = Typed((), order=listing.asked_text("order"))
    _, _, offered = _prepared(typed)
    view: View = {"form": entry_form.view(typed, [], offered)}
    return render.fragment("journal/_offers.html", view, page_href=_NEW)


@routes.post("/journal/new/balance")
@access.page(Permission.JOURNAL_POST)
def balance() -> Response:
    """Add up the lines as they are typed; nothing is kept."""
    typed, lines, offered = _prepared(entry_form.read(render.typed))
    if not render.wants_fragment():
        return _ask(typed, lines, offered)
    unread = sum(bool(row.error) for row in typed.rows)
    view: View = {"balance": entry_form.balance(lines), "unread": unread}
    return render.part("journal/_balance.html", view)


@routes.post("/journal/new")
@access.page(Permission.JOURNAL_POST)
def new() -> Response:
    act = request.form.get("act", "ask")
    more = entry_form.MORE_ROWS if act == "more" else 0
    typed, lines, offered = _prepared(entry_form.read(render.typed, more=more))
    if act == "more" and render.wants_fragment():
        view: View = {"form": entry_form.view(typed, lines, offered)}
        return render.part("journal/_line_rows.html", view)
    if act != "ask":
        return _ask(typed, lines, offered)
    wanted, typed = entry_form.wanted(typed, lines, offered)
    if wanted is None:
        return _ask(typed, lines, offered, status=422)
    actor = render.actor()
    try:
        with transaction() as session:
            asked = manual.ask(session, wanted, actor=actor, source=f"user:{actor.id}")
    except InvalidInput as error:
        typed = entry_form.refused(typed, lines, error)
        return _ask(typed, lines, offered, status=422)
    except AppError as refused:
        if refused.code == "STEP_UP_REQUIRED" and (elsewhere := guarded.detour(_NEW)) is not None:
            return elsewhere
        if refused.http_status in (403, 404):
            raise
        guarded.note(refused)
        return _ask(typed, lines, offered, status=422, problem=_problem(refused))
    render.tell(guarded.waits(asked))
    return render.to("/journal")


def _problem(refused: AppError) -> Alert:
    link = refused.details.get("link")
    href = link if isinstance(link, str) else None
    return Alert("bad", "It was not asked for", refused.message, href, "Open it" if href else None)


def _reversal(
    entry_id: str, *, reason: str = "", error: str | None = None, problem: Alert | None = None
) -> Response:
    actor = render.actor()
    with reading() as session:
        row = book_queries.get_entry(session, entry_id)
        near = journal_words.near(session, [row], actor)
        why_not = manual_reversals.why_not(session, row)
    href = f"/journal/{row.id}"
    if why_not is not None and problem is None:
        render.tell(Alert("warn", "This entry cannot be reversed", why_not))
        return render.to(href)
    mirror = [(credit, debit, amount) for debit, credit, amount in near.movements[row.id]]
    view: View = {
        "trail": [Link("Journal", "/journal"), Link(words.short(row.id), href)],
        "problem": problem,
        "note": row.note,
        "lines": journal_entry.lines(mirror, near),
        "totals": journal_words.totals(mirror),
        "effects": [
            "Nothing happens until a second person agrees, within a day",
            "The mirror of the entry is posted in the open month; the entry itself stays as it is",
            "It can be done once",
        ],
        "action": f"{href}/reverse",
        "back": href,
        "reason": confirming.reason_input(reason, error),
    }
    is_again = error is not None or problem is not None
    return render.page("journal/reverse.html", view, status=422 if is_again else 200, live=False)


@routes.get("/journal/<entry_id>/reverse")
@access.page(Permission.JOURNAL_POST)
def ask_reverse(entry_id: str) -> Response:
    with reading() as session:
        row = book_queries.get_entry(session, entry_id)
        why_not = manual_reversals.why_not(session, row)
    if why_not is None and (elsewhere := guarded.detour()) is not None:
        return elsewhere
    return _reversal(entry_id)


@routes.post("/journal/<entry_id>/reverse")
@access.page(Permission.JOURNAL_POST)
def reverse(entry_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    if (error := confirming.reason_error(reason)) is not None:
        return _reversal(entry_id, reason=reason, error=error)
    try:
        with transaction() as session:
            asked = manual_reversals.ask(
                session, entry_id, note=reason, actor=actor, source=f"user:{actor.id}"
            )
    except AppError as refused:
        elsewhere = guarded.detour(f"/journal/{entry_id}/reverse")
        if refused.code == "STEP_UP_REQUIRED" and elsewhere is not None:
            return elsewhere
        if refused.http_status in (403, 404):
            raise
        guarded.note(refused)
        return _reversal(entry_id, reason=reason, problem=_problem(refused))
    render.tell(guarded.waits(asked))
    return render.to(f"/journal/{entry_id}")
