"""The public status page: what works, in words, without numbers; and the way to the API reference."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response

from core import clock
from core.errors import Unavailable
from dashboard import provider_words, render, states, words
from dashboard.shapes import Alert, View
from domain import health, presence
from domain.control import controls, settling
from domain.control.controls import Setting
from domain.database import assert_answers, reading
from domain.delays import notice_queries
from models.delays import DelayNotice
from web import access

routes = Blueprint("desk_status", __name__)
_TITLES = {
    "ok": ("Everything works", "Payments are taken and confirmed as usual."),
    "degraded": ("Payments may take longer than usual", "No payment is lost; they confirm late."),
    "outage": (
        "Some payments do not work now",
        "What was paid is safe. New payments may have to wait.",
    ),
}


def _parts() -> tuple[list[View], str, list[Alert]]:
    """Say how each part is, with the worst of them, and what everybody shall read."""
    try:
        assert_answers()
    except Unavailable:
        text = "The database does not answer. Nothing is lost; what arrives is sent again."
        return [_part("Desk and API", "outage", text)], "outage", []
    with reading() as session:
        rails = health.rail_states(session)
        has_worker = bool(presence.list_alive(session, "worker"))
        is_paused = settling.is_paused(session)
        notice = controls.get(session, controls.BANNER)
        late = notice_queries.live(session)
    found = [_part("Desk and API", "ok", "All requests are answered.")]
    worker = "ok" if has_worker and not is_paused else "degraded"
    said = "Events are applied as they come." if has_worker else "Events are stored and wait."
    if is_paused:
        said = "Events are stored and confirmed later; confirming is paused."
    found.append(_part("Confirmations", worker, said))
    names = words.rail_names()
    for rail in rails:
        name = names.get(str(rail["rail"]), str(rail["rail"]))
        part = _part(f"{name} payments", str(rail["state"]), words.sentence(str(rail["text"])))
        ahead = notice_queries.eta_at(notice_queries.of_rail(late, str(rail["rail"])))
        found.append(part | {"eta": words.moment(ahead) if ahead else None})
    state = health.worst([worker, *(str(rail["state"]) for rail in rails)])
    return found, state, [*_notices(notice), *_further(late, [str(rail["text"]) for rail in rails])]


def _part(name: str, state: str, text: str) -> View:
    return {"name": name, "state": states.HEALTH[state], "text": text, "eta": None}


def _notices(notice: Setting) -> list[Alert]:
    """Repeat what stands above every page of the desk."""
    return [Alert("info", notice.text)] if notice.is_on and notice.text else []


def _further(late: Sequence[DelayNotice], said: Sequence[str]) -> list[Alert]:
    """Tell what no line of a rail says already."""
    return [provider_words.alert(row, for_staff=False) for row in late if row.text not in said]


@routes.get("/status")
@access.public("the public status, without numbers")
def show() -> Response:
    parts, state, notices = _parts()
    title, text = _TITLES[state]
    view: View = {
        "status": {
            "state": states.HEALTH[state],
            "title": title,
            "text": text,
            "rails": parts,
            "notices": notices,
            "updated": words.moment(clock.now()),
        }
    }
    return render.plain("status/index.html", view)


@routes.get("/docs")
@access.session_only("leads to the API reference")
def docs() -> Response:
    return render.to("/api/docs")
