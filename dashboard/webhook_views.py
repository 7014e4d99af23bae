"""The page of one inbound event, its parts that change by themselves, and setting it aside."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, render, webhook_page, words
from dashboard.confirming import Question
from dashboard.shapes import Alert, Fact, Link, View
from dashboard.webhook_page import Shown
from domain.database import reading, transaction
from domain.desk import Session
from domain.inbox import inbox_acts
from web import access

routes = Blueprint("desk_webhook", __name__)


@routes.get("/webhooks/<inbound_id>")
@access.page(Permission.INBOUND_READ)
def show(inbound_id: str) -> Response:
    with reading() as session:
        shown = webhook_page.find(session, inbound_id, actor=render.actor())
        view: View = {
            "event": webhook_page.head(shown),
            "links": webhook_page.links(shown),
            "payload": webhook_page.payload(shown),
            "headers": webhook_page.headers(shown),
        }
        view |= webhook_page.story(session, shown) | webhook_page.facts(session, shown)
    return render.page("webhooks/show.html", view)


def _part(inbound_id: str, template: str, more: Callable[[Session, Shown], View]) -> Response:
    if not render.wants_fragment():
        return render.to(f"/webhooks/{inbound_id}")
    with reading() as session:
        shown = webhook_page.find(session, inbound_id, actor=render.actor())
        view: View = {"event": webhook_page.head(shown), "links": webhook_page.links(shown)}
        view |= more(session, shown)
    return render.part(template, view)


@routes.get("/webhooks/<inbound_id>/header")
@access.page(Permission.INBOUND_READ)
def header(inbound_id: str) -> Response:
    return _part(inbound_id, "webhooks/_header.html", lambda *_: {})


@routes.get("/webhooks/<inbound_id>/story")
@access.page(Permission.INBOUND_READ)
def story(inbound_id: str) -> Response:
    return _part(inbound_id, "webhooks/_story.html", webhook_page.story)


@routes.get("/webhooks/<inbound_id>/facts")
@access.page(Permission.INBOUND_READ)
def facts(inbound_id: str) -> Response:
    return _part(inbound_id, "webhooks/_facts.html", webhook_page.facts)


def _question(shown: Shown) -> Question:
    row = shown.row
    return Question(
        title="Ignore this event",
        lead=f"{row.type} is set aside for good.",
        effects=[
            "The worker tries it no more",
            "It counts as waiting or broken no longer",
            "It stays here with your reason, and can still be replayed",
        ],
        facts=[
            Fact("Event", ref=words.ref("event id", row.provider_event_id or row.id)),
            Fact("Says", words.verdict(row.verdict or "") or "nothing yet"),
        ],
        action=f"{shown.href}/ignore",
        label="Ignore event",
        back=shown.href,
        trail=[Link("Webhooks", "/webhooks"), Link(words.short(row.id), shown.href)],
    )


@routes.get("/webhooks/<inbound_id>/ignore")
@access.page(Permission.INBOUND_IGNORE)
def ask_ignore(inbound_id: str) -> Response:
    with reading() as session:
        shown = webhook_page.find(session, inbound_id, actor=render.actor())
    if not (act := webhook_page.ignore_act(shown)).enabled:
        render.tell(Alert("warn", "This event cannot be set aside", act.reason))
        return render.to(shown.href)
    return confirming.show(_question(shown))


@routes.post("/webhooks/<inbound_id>/ignore")
@access.page(Permission.INBOUND_IGNORE)
def ignore(inbound_id: str) -> Response:
    actor, reason = render.actor(), confirming.reason()
    with reading() as session:
        shown = webhook_page.find(session, inbound_id, actor=actor)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(shown), reason=reason, error=error)
    try:
        with transaction() as session:
            inbox_acts.ignore(session, inbound_id, actor=actor, reason=reason)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "The event was not set aside", refused.message)
        return confirming.show(_question(shown), reason=reason, problem=problem)
    render.tell(Alert("good", "The event is set aside"))
    return render.to(shown.href)
