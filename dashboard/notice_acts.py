"""Saying in public that a rail is late, and that it is over: the forms and what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, Response

from core.errors import AppError, InvalidInput
from core.permissions import Permission
from dashboard import confirming, provider_words, render, words
from dashboard.confirming import Question
from dashboard.payment_acts import source
from dashboard.provider_words import HERE
from dashboard.shapes import Alert, Fact, Input, Link, Option, View
from domain.database import reading, transaction
from domain.delays import notice_queries, notices
from domain.delays.notices import Wanted
from domain.transitions import Why
from models.delays import DelayNotice
from providers import registry
from web import access

routes = Blueprint("desk_notice_acts", __name__)
TRAIL = [Link("Providers", HERE)]
_WINDOWS = {"": "As usual", "24": "A day", "48": "Two days", "72": "Three days", "168": "A week"}
_WAITING = (
    "While it is open we wait longer before an open payment expires, before an event without a payment or a"
    " call without an answer becomes a case, and before we believe that nothing was made"
)
_FIELDS = {"etaAt": "eta", "retryWindowHours": "window", "provider": "about", "rail": "about"}


@dataclass(frozen=True)
class Typed:
    """What stands in the form. about: a rail, or `rail:provider`."""

    about: str = ""
    kind: str = "delay"
    text: str = ""
    eta: str = ""
    window: str = "48"
    reason: str = ""


def instant(text: str, errors: dict[str, str], name: str) -> datetime | None:
    """Read a moment of a form, which is meant in UTC; what is wrong with it is put beside its field."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        errors[name] = "Use a moment such as 2026-11-22T09:30."
        return None


def rail_choices() -> dict[str, str]:
    """List the rails, and their providers where there are several."""
    found = {name: provider_words.place(name, "") for name in words.rail_names()}
    for rail in registry.every():
        if sum(each.rail == rail.rail for each in registry.every()) > 1:
            found[f"{rail.rail}:{rail.name}"] = provider_words.place(rail.rail, rail.name)
    return found


def fields_of(error: InvalidInput, names: Mapping[str, str]) -> dict[str, str]:
    """Put each thing that the rules found wrong beside its field of the form."""
    rows = error.details.get("fields")
    found = rows if isinstance(rows, list) else []
    return {names.get(str(row["field"]), str(row["field"])): str(row["message"]) for row in found}


def _inputs(typed: Typed, errors: Mapping[str, str]) -> list[Input]:
    def choice(name: str, label: str, known: Mapping[str, str], **more: str | None) -> Input:
        chosen = getattr(typed, name)
        options = [Option(value, said, value == chosen) for value, said in known.items()]
        return Input(name, label, "select", error=errors.get(name), options=options, **more)  # type: ignore[arg-type]

    kinds = {"delay": "Late: money comes, but later", "outage": "Down: payments do not work"}
    waits = (
        "How long we try by ourselves before we give up or call somebody, counted from each start."
    )
    return [
        choice("about", "What is late", rail_choices()),
        choice("kind", "How", kinds),
        Input(
            *("text", "What everybody reads", "text-area"),
            value=typed.text,
            error=errors.get("text"),
            hint="On pay pages, the status page and in the API. No names, nothing internal.",
            required=True,
            maxlength=notices.LONGEST_TEXT,
        ),
        Input(
            *("eta", "Expected to be over by", "datetime-local"),
            value=typed.eta,
            error=errors.get("eta"),
            hint="In UTC. Buyers see it as the moment by which their payment is there.",
            optional=True,
        ),
        choice("window", "We wait for", _WINDOWS, hint=waits),
        confirming.reason_input(typed.reason, errors.get("reason")),
    ]


def _ask(
    typed: Typed, errors: Mapping[str, str] | None = None, problem: Alert | None = None
) -> Response:
    act: View = {
        "title": "Say that a rail is late",
        "lead": "Everybody reads it from this moment on, until somebody closes it.",
        "effects": [
            "Pay pages of this rail show the words and the moment, and so do the status page and the API",
            _WAITING,
            "No deadline of an order moves by itself",
        ],
        "action": f"{HERE}/notices/new",
        "inputs": _inputs(typed, errors or {}),
        "label": "Say so",
        "back": HERE,
    }
    view: View = {"trail": TRAIL, "problem": problem, "act": act}
    is_again = bool(errors) or problem is not None
    if is_again and render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422 if is_again else 200, live=False)


@routes.get(f"{HERE}/notices/new")
@access.page(Permission.NOTICES_MANAGE)
def ask() -> Response:
    return _ask(Typed())


def _read() -> Typed:
    return Typed(
        about=render.typed("about")[:80],
        kind=render.typed("kind")[:20],
        text=render.typed("text")[: 2 * notices.LONGEST_TEXT],
        eta=render.typed("eta")[:40],
        window=render.typed("window")[:10],
        reason=confirming.reason(),
    )


def _wanted(typed: Typed, errors: dict[str, str]) -> Wanted:
    rail, _, provider = typed.about.partition(":")
    window = typed.window if typed.window in _WINDOWS else ""
    if (error := confirming.reason_error(typed.reason)) is not None:
        errors["reason"] = error
    return Wanted(
        rail,
        typed.kind,
        typed.text,
        typed.reason,
        provider,
        instant(typed.eta, errors, "eta"),
        int(window) if window else None,
    )


@routes.post(f"{HERE}/notices/new")
@access.page(Permission.NOTICES_MANAGE)
def open_one() -> Response:
    typed, errors, actor = _read(), dict[str, str](), render.actor()
    wanted = _wanted(typed, errors)
    if errors:
        return _ask(typed, errors)
    try:
        with transaction() as session:
            why = Why(actor, source(actor), typed.reason)
            row = notices.open_notice(session, wanted, why=why)
    except InvalidInput as refused:
        return _ask(typed, fields_of(refused, _FIELDS))
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        known = refused.details.get("noticeId")
        href = f"{HERE}/notices/{known}" if known else None
        problem = Alert(
            "bad", "It was not said", refused.message, href, "Open it" if href else None
        )
        return _ask(typed, problem=problem)
    render.tell(Alert("warn", provider_words.title(row), "Everybody reads it now."))
    return render.to(f"{HERE}/notices/{row.id}")


def _question(row: DelayNotice) -> Question:
    return Question(
        title="Say that it is over",
        lead=f"{provider_words.title(row)}, since {words.absolute(row.opened_at)}.",
        effects=[
            "Pay pages, the status page and the API say nothing of it any more",
            "We wait as long as usual again; events that waited are tried at once",
            "Deadlines that were moved stay moved",
        ],
        facts=[Fact("What everybody reads", row.text), Fact("Why it was said", row.reason)],
        action=f"{HERE}/notices/{row.id}/close",
        label="It is over",
        back=f"{HERE}/notices/{row.id}",
        trail=[*TRAIL, Link(words.short(row.id), f"{HERE}/notices/{row.id}")],
    )


def _find(notice_id: str) -> DelayNotice:
    with reading() as session:
        return notice_queries.get_notice(session, notice_id)


@routes.get(f"{HERE}/notices/<notice_id>/close")
@access.page(Permission.NOTICES_MANAGE)
def ask_close(notice_id: str) -> Response:
    row = _find(notice_id)
    if row.closed_at is not None:
        render.tell(Alert("info", "It is over already"))
        return render.to(f"{HERE}/notices/{row.id}")
    return confirming.show(_question(row))


@routes.post(f"{HERE}/notices/<notice_id>/close")
@access.page(Permission.NOTICES_MANAGE)
def close(notice_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    row = _find(notice_id)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(row), reason=reason, error=error)
    with transaction() as session:
        notices.close_notice(session, row.id, why=Why(actor, source(actor), reason))
    render.tell(Alert("good", "It is over", f"{provider_words.place(row.rail, row.provider)}."))
    return render.to(f"{HERE}/notices/{row.id}")
