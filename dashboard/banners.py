"""What stands above every page, as a part that is read again when it changes."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import banner_words, render
from domain import desk_queries
from domain.database import reading
from web import access

routes = Blueprint("desk_banners", __name__)


@routes.get("/desk/banners")
@access.page(Permission.DESK_OPEN, note="staff everything, others what holds their own money")
def show() -> Response:
    if not render.wants_fragment():
        return render.to("/")
    actor = render.actor()
    with reading() as session:
        has_worker = desk_queries.attention(session, actor=actor).is_worker_alive
        found = banner_words.banners(session, actor, has_worker=has_worker)
    return render.part("_banners.html", {"banners": found, "stream_url": True})
