"""Deposit deadlines that were moved in bulk: every such act, what it did to each order, and undoing one."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.errors import Conflict
from core.permissions import Permission
from dashboard import confirming, listing, provider_words, render, words
from dashboard.confirming import Question
from dashboard.payment_acts import source
from dashboard.provider_words import DEADLINES, HERE
from dashboard.shapes import Act, Alert, Empty, Fact, Link, State, View
from domain import desk, naming
from domain.actors import Actor
from domain.database import reading, transaction
from domain.delays import extensions
from domain.delays.deadlines import SENTENCES
from domain.delays.extensions import Done
from domain.transitions import Why
from models.delays import DeadlineExtension, ExtendedOrder
from models.orders import Order
from web import access

routes = Blueprint("desk_deadlines", __name__)
TRAIL = [Link("Providers", HERE), Link("Moved deadlines", DEADLINES)]
_DONE, _UNDONE = State("Moved", "done", "good"), State("Undone", "refunded", "quiet")
_MOVED, _LEFT = State("Later", "done", "good"), State("Left alone", "skip", "quiet")
_BACK, _KEPT = State("Put back", "refunded", "quiet"), State("Not put back", "warn", "warn")


def _title(row: DeadlineExtension, count: int) -> str:
    orders = words.counted(count, "order")
    return f"{orders} later by {words.counted(row.hours, 'hour')}"


def _row(row: DeadlineExtension, count: int, names: Mapping[str, str]) -> View:
    return {
        "id": row.id,
        "version": listing.version(row.undone_at or row.at),
        "href": f"{DEADLINES}/{row.id}",
        "title": _title(row, count),
        "state": _UNDONE if row.undone_at else _DONE,
        "reason": row.reason,
        "by": names.get(row.by, row.by),
        "at": words.moment(row.at),
    }


def _rows_view() -> View:
    asked = listing.read(DEADLINES, ())
    page = listing.page_of(asked)
    with reading() as session:
        rows, more = extensions.list_extensions(session, page=page)
        counts = extensions.counts_of(session, [row.id for row in rows])
        names = naming.actor_names(session, [row.by for row in rows], for_staff=True)
    text = "When a rail is late, the deadlines of orders that wait for it can be moved together."
    return {
        "rows": [_row(row, counts.get(row.id, 0), names) for row in rows],
        "rows_url": asked.href(f"{DEADLINES}/rows"),
        "page": listing.pages(asked, len(rows), more),
        "empty_note": Empty("No deadline was moved yet", text, "calendar"),
    }


@routes.get(DEADLINES)
@access.page(Permission.NOTICES_READ)
def index() -> Response:
    view = _rows_view() | {
        "trail": TRAIL[:1],
        "acts": [provider_words.extend_act(render.actor())],
    }
    return render.page("providers/deadlines.html", view)


@routes.get(f"{DEADLINES}/rows")
@access.page(Permission.NOTICES_READ)
def rows() -> Response:
    return render.fragment("providers/_deadline_rows.html", _rows_view(), page_href=DEADLINES)


def order_view(each: ExtendedOrder, order: Order | None) -> View:
    """Prepare what became of one order."""
    state = _MOVED if each.to_at is not None else _LEFT
    if each.undone_at is not None:
        state = _BACK
    elif each.to_at is not None and each.why_not:
        state = _KEPT
    return {
        "href": f"/orders/{each.order_id}",
        "label": (order.reference if order else None) or words.short(each.order_id),
        "what": order.description if order else "",
        "from": words.moment(each.from_at) if each.from_at else None,
        "to": words.moment(each.to_at) if each.to_at else None,
        "state": state,
        "why": SENTENCES[each.why_not] if each.why_not else None,
    }


def _undo_act(done: Done, actor: Actor) -> Act:
    reason = extensions.why_not_undone(done.row)
    if reason is None and not actor.may(Permission.DEADLINES_EXTEND):
        reason = provider_words.WHO_EXTENDS
    href = f"{DEADLINES}/{done.row.id}/undo"
    return Act("undo", "Undo", href, reason is None, reason, icon="undo")


def _body_view(extension_id: str) -> View:
    actor = render.actor()
    with reading() as session:
        done = extensions.get_extension(session, extension_id)
        orders = desk.orders_by_id(session, [each.order_id for each in done.orders])
        people = [each for each in (done.row.by, done.row.undone_by) if each]
        names = naming.actor_names(session, people, for_staff=True)
    row = done.row
    return {
        "extension": _row(row, len(done.moved), names)
        | {
            "short": words.short(row.id),
            "ref": words.ref("extension id", row.id),
            "acts": [_undo_act(done, actor)],
            "facts": _facts(row, names),
        },
        "orders": [order_view(each, orders.get(each.order_id)) for each in done.orders],
        "links": {"body": f"{DEADLINES}/{row.id}/body"},
    }


def _facts(row: DeadlineExtension, names: Mapping[str, str]) -> list[Fact]:
    found = [
        Fact("Why", row.reason),
        Fact("By", names.get(row.by, row.by)),
        Fact("At", at=words.moment(row.at)),
        Fact("Later by", words.counted(row.hours, "hour")),
        Fact("Reference", row.reference),
    ]
    if row.undone_at is None:
        found.append(Fact("Can be undone until", at=words.moment(row.undoable_until)))
        return found
    found.append(Fact("Undone", at=words.moment(row.undone_at)))
    found.append(Fact("Undone by", names.get(row.undone_by or "", row.undone_by or "")))
    found.append(Fact("Because", row.undone_reason or ""))
    return found


@routes.get(f"{DEADLINES}/<extension_id>")
@access.page(Permission.NOTICES_READ)
def show(extension_id: str) -> Response:
    return render.page("providers/extension.html", _body_view(extension_id))


@routes.get(f"{DEADLINES}/<extension_id>/body")
@access.page(Permission.NOTICES_READ)
def body(extension_id: str) -> Response:
    href = f"{DEADLINES}/{extension_id}"
    return render.fragment("providers/_extension.html", _body_view(extension_id), page_href=href)


def _find(extension_id: str) -> Done:
    with reading() as session:
        return extensions.get_extension(session, extension_id)


def _question(done: Done) -> Question:
    row = done.row
    return Question(
        title="Put the deadlines back",
        lead=f"{_title(row, len(done.moved))}, moved {words.absolute(row.at)}.",
        effects=[
            "Each order gets the deadline it had, and its open payment the end it had",
            "Orders that were paid, cancelled or moved again since stay as they are",
            "So do those whose old deadline has passed by now",
            "It can be done once",
        ],
        facts=[Fact("Why they were moved", row.reason)],
        action=f"{DEADLINES}/{row.id}/undo",
        label="Put them back",
        back=f"{DEADLINES}/{row.id}",
        trail=[*TRAIL, Link(words.short(row.id), f"{DEADLINES}/{row.id}")],
    )


@routes.get(f"{DEADLINES}/<extension_id>/undo")
@access.page(Permission.DEADLINES_EXTEND)
def ask_undo(extension_id: str) -> Response:
    done = _find(extension_id)
    if (why_not := extensions.why_not_undone(done.row)) is not None:
        render.tell(Alert("warn", "It cannot be undone", why_not))
        return render.to(f"{DEADLINES}/{done.row.id}")
    return confirming.show(_question(done))


@routes.post(f"{DEADLINES}/<extension_id>/undo")
@access.page(Permission.DEADLINES_EXTEND)
def undo(extension_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    done = _find(extension_id)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(done), reason=reason, error=error)
    try:
        with transaction() as session:
            undone = extensions.undo(session, done.row.id, why=Why(actor, source(actor), reason))
    except Conflict as refused:
        problem = Alert("bad", "It was not undone", refused.message)
        return confirming.show(_question(done), reason=reason, problem=problem)
    back = sum(each.undone_at is not None for each in undone.moved)
    left = len(undone.moved) - back
    text = f"{words.counted(left, 'order')} left alone; the list says why." if left else None
    render.tell(Alert("good", f"{words.counted(back, 'deadline')} put back", text))
    return render.to(f"{DEADLINES}/{done.row.id}")
