"""Providers on the desk: how each rail is and what is late on it; the notices, open and past; live."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import listing, provider_words, render, words
from dashboard.listing import Asked
from dashboard.provider_words import DEADLINES, HERE
from dashboard.shapes import Act, Empty, Fact, View
from domain import health, naming
from domain.actors import Actor
from domain.database import reading
from domain.delays import notice_queries
from domain.delays.notice_queries import CLOSED, OPEN, NoticeFilter
from domain.desk import Session
from models.delays import DelayNotice
from providers import registry
from web import access

routes = Blueprint("desk_providers", __name__)
NAMES = ("state", "rail")
_TABS: Mapping[str, str] = {"": "Open now", CLOSED: "Over", "all": "All"}
_STATES = {"": OPEN, CLOSED: CLOSED, "all": ""}
LEAD = (
    "How each way to pay is, and what we say of it in public. A notice is read on pay pages, on the status"
    " page and by programs, and can have us try for longer before we give up."
)


def _rails(session: Session) -> list[View]:
    """Prepare every rail; those that are configured with how they are."""
    found = iter(health.rail_states(session))
    return [
        provider_words.rail_view(session, rail, next(found) if rail.is_configured else None)
        for rail in registry.every()
    ]


def _rows_view(session: Session, asked: Asked) -> View:
    tab = asked.one_of("state", list(_TABS))
    rail = asked.one_of("rail", list(words.rail_names()))
    wanted = NoticeFilter((rail,) if rail else (), _STATES[tab])
    page = listing.page_of(asked)
    rows, more = notice_queries.list_notices(session, wanted, page=page)
    names = naming.actor_names(session, [row.opened_by for row in rows], for_staff=True)
    return {
        "rows": [provider_words.notice_view(row, names) for row in rows],
        "rails": _rails(session),
        "rows_url": asked.href(f"{HERE}/rows"),
        "page": listing.pages(asked, len(rows), more),
        "empty_note": _empty(asked),
    }


def _empty(asked: Asked) -> Empty:
    if asked.get("rail") or asked.get("cursor"):
        text = "Clear the filter to see the others."
        return Empty("Nothing matches this filter", text, "search", href=HERE, label="Clear")
    if asked.get("state"):
        return Empty("No notice here yet", "What was said of a rail is kept here.", "clock")
    return Empty("Nothing is late", "Nobody has said that a rail is late or down.", "check")


def _acts(actor: Actor) -> list[Act]:
    listed = Act("deadlines", "Moved deadlines", DEADLINES, icon="calendar")
    return [provider_words.open_act(actor), provider_words.extend_act(actor), listed]


@routes.get(HERE)
@access.page(Permission.NOTICES_READ)
def index() -> Response:
    asked = listing.read(HERE, NAMES)
    rails = {"": "Any"} | words.rail_names()
    with reading() as session:
        view = _rows_view(session, asked)
    view |= {
        "lead": LEAD,
        "acts": _acts(render.actor()),
        "tabs_items": listing.tabs(asked, _TABS, {}),
        "rail": listing.select(asked, "rail", "Rail", rails),
        "kept": {"state": asked.get("state")} if asked.get("state") else {},
    }
    return render.page("providers/index.html", view)


@routes.get(f"{HERE}/rows")
@access.page(Permission.NOTICES_READ)
def rows() -> Response:
    asked = listing.read(HERE, NAMES)
    with reading() as session:
        view = _rows_view(session, asked)
    return render.fragment("providers/_rows.html", view, page_href=asked.href())


def _body_view(notice_id: str) -> View:
    actor = render.actor()
    with reading() as session:
        row = notice_queries.get_notice(session, notice_id)
        people = [each for each in (row.opened_by, row.closed_by) if each]
        names = naming.actor_names(session, people, for_staff=True)
    shown = provider_words.notice_view(row, names)
    acts = [provider_words.close_act(row, actor)]
    if row.closed_at is None:
        acts.append(provider_words.extend_act(actor, rail=row.rail))
        acts.append(provider_words.entry_act(row, actor))
    return {
        "notice": shown
        | {
            "short": words.short(row.id),
            "ref": words.ref("notice id", row.id),
            "facts": _facts(row, names),
            "acts": acts,
        },
        "links": {"body": f"{HERE}/notices/{row.id}/body"},
    }


def _facts(row: DelayNotice, names: Mapping[str, str]) -> list[Fact]:
    found = [
        Fact("About", provider_words.place(row.rail, row.provider)),
        Fact("Why", row.reason),
        Fact("Said by", names.get(row.opened_by, row.opened_by)),
        Fact("Since", at=words.moment(row.opened_at)),
    ]
    if row.eta_at is not None:
        found.append(Fact("Expected by", at=words.moment(row.eta_at)))
    hours = row.retry_window_hours
    window = words.counted(hours, "hour") if hours else "As usual"
    found.append(Fact("We wait for", window, note="before we give up" if hours else None))
    if row.closed_at is not None:
        found.append(Fact("Over since", at=words.moment(row.closed_at)))
        found.append(Fact("Closed by", names.get(row.closed_by or "", row.closed_by or "")))
        found.append(Fact("Because", row.closed_reason or ""))
    return found


@routes.get(f"{HERE}/notices/<notice_id>")
@access.page(Permission.NOTICES_READ)
def show(notice_id: str) -> Response:
    return render.page("providers/show.html", _body_view(notice_id))


@routes.get(f"{HERE}/notices/<notice_id>/body")
@access.page(Permission.NOTICES_READ)
def body(notice_id: str) -> Response:
    href = f"{HERE}/notices/{notice_id}"
    return render.fragment("providers/_body.html", _body_view(notice_id), page_href=href)
