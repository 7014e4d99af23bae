"""Home: what needs my approval, what is broken, what is getting old, which provider is unhealthy."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, Response

from core import clock
from core.permissions import Permission
from dashboard import home_panels, render, words
from dashboard.shapes import View
from domain import desk_queries
from domain.actors import Actor
from domain.database import reading
from web import access

routes = Blueprint("desk_home", __name__)


def _greeting(actor: Actor, now: datetime) -> str:
    part = "morning" if 4 <= now.hour < 12 else "afternoon" if 12 <= now.hour < 18 else "evening"
    return f"Good {part}, {actor.name.split(maxsplit=1)[0]}"


def panels_view(actor: Actor, midnight: datetime, zone: str) -> View:
    """Prepare everything under the greeting, from real rows only."""
    with reading() as session:
        today = desk_queries.today(session, midnight, actor=actor)
        view: View = {
            "today": home_panels.today_view(today, zone, actor=actor),
            "links": {"panels": "/home/panels"},
        }
        if actor.is_staff:
            view |= home_panels.staff_view(session, actor)
        else:
            view |= home_panels.own_view(session, actor, today)
    return view


def _midnight() -> tuple[datetime, str]:
    zone = render.settings().business_zone
    return clock.now().astimezone(ZoneInfo(zone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    ), zone


@routes.get("/")
@access.page(Permission.DESK_OPEN, note="staff everything, others their own")
def index() -> Response:
    actor = render.actor()
    midnight, zone = _midnight()
    view = panels_view(actor, midnight, zone)
    now = clock.now().astimezone(ZoneInfo(zone))
    view["greeting"] = _greeting(actor, now)
    view["lead"] = f"{now:%A} {words.day(now)}. {view.pop('needs')}"
    return render.page("home/index.html", view)


@routes.get("/home/panels")
@access.page(Permission.DESK_OPEN, note="staff everything, others their own")
def panels() -> Response:
    if not render.wants_fragment():
        return render.to("/")
    midnight, zone = _midnight()
    return render.part("home/_panels.html", panels_view(render.actor(), midnight, zone))
