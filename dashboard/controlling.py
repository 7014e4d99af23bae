"""Setting the switches from the desk: pausing and resuming settlement, and the notice above every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response

from core.errors import InvalidInput
from core.permissions import Permission
from core.strictjson import Json
from dashboard import confirming, holding, render, words
from dashboard.payment_acts import source
from dashboard.shapes import Alert, Input, Link, View
from domain.control import controls
from domain.control.controls import Setting
from domain.database import reading, transaction
from domain.transitions import Why
from web import access

routes = Blueprint("desk_controlling", __name__)
_TRAIL = [Link("Freezes", "/freezes")]
_PAUSE = (
    "Workers apply no event, and nothing is asked of providers by itself, in every process",
    "Events are still verified, stored and acknowledged; none is lost",
    "People may still replay an event or ask a provider by hand",
    "Payments still begin, and buyers may still pay",
)
_RESUME = (
    "What has waited is applied, oldest first, each event once",
    "Providers are asked again about what is due",
)


def _setting(name: str) -> Setting:
    with reading() as session:
        return controls.get(session, name)


def _page(act: View, inputs: Sequence[Input], *, is_wrong: bool) -> Response:
    act |= {"inputs": inputs, "back": "/freezes", "facts": []}
    view: View = {"trail": _TRAIL, "problem": None, "act": act}
    return render.page("acts/confirm.html", view, status=422 if is_wrong else 200, live=False)


def _put(name: str, value: Mapping[str, Json], *, until: str, reason: str) -> Setting:
    actor = render.actor()
    ends_at = holding.ends_at(until) if value["on"] else None
    why = Why(actor, source(actor), reason)
    with transaction() as session:
        return controls.put(session, name, value, until=ends_at, why=why)


def _settlement(
    setting: Setting, *, reason: str = "", until: str = "", error: str = ""
) -> Response:
    inputs = [confirming.reason_input(reason, error or None)]
    if not setting.is_on:
        inputs.insert(0, holding.span_input(until, endless="Until somebody resumes it"))
    act: View = {
        "title": "Resume automatic settlement" if setting.is_on else "Pause automatic settlement",
        "lead": "What providers tell us is settled again."
        if setting.is_on
        else "What providers tell us is kept, and settled only when this ends.",
        "effects": _RESUME if setting.is_on else _PAUSE,
        "action": "/freezes/settlement",
        "fields": {"on": "no" if setting.is_on else "yes"},
        "label": "Resume settlement" if setting.is_on else "Pause settlement",
        "tone": "primary" if setting.is_on else "danger",
    }
    return _page(act, inputs, is_wrong=bool(error))


@routes.get("/freezes/settlement")
@access.page(Permission.CONTROLS_SET)
def ask_settlement() -> Response:
    return _settlement(_setting(controls.SETTLEMENT_PAUSE))


@routes.post("/freezes/settlement")
@access.page(Permission.CONTROLS_SET)
def set_settlement() -> Response:
    reason, until, is_on = confirming.reason(), holding.chosen(), render.typed("on") == "yes"
    if (error := confirming.reason_error(reason)) is not None:
        shown = Setting(controls.SETTLEMENT_PAUSE, is_on=not is_on)
        return _settlement(shown, reason=reason, until=until, error=error)
    setting = _put(controls.SETTLEMENT_PAUSE, {"on": is_on}, until=until, reason=reason)
    render.tell(_told(setting))
    return render.to("/freezes")


def _told(setting: Setting) -> Alert:
    if not setting.is_on:
        text = "What has waited is being applied."
        return Alert("good", "Automatic settlement goes on", text)
    until = (
        f"until {words.absolute(setting.until)}" if setting.until else "until somebody resumes it"
    )
    return Alert("warn", "Automatic settlement is paused", f"In every process, {until}.")


def _notice(
    setting: Setting, *, reason: str = "", until: str = "", errors: Mapping[str, str] | None = None
) -> Response:
    errors = errors or {}
    inputs = [
        Input(
            "text",
            "Notice",
            "text-area",
            value=setting.text or "",
            error=errors.get("text"),
            hint="One sentence above every page, for everybody. Leave it empty to take it away.",
            maxlength=controls.LONGEST_TEXT,
            rows=2,
        ),
        holding.span_input(
            until, endless="Until somebody takes it away", error=errors.get("until")
        ),
        confirming.reason_input(reason, errors.get("reason")),
    ]
    act: View = {
        "title": "Notice on every page",
        "lead": "Everybody who opens the desk reads it, merchants and buyers too.",
        "effects": [],
        "action": "/freezes/notice",
        "fields": {},
        "label": "Set the notice",
        "tone": "primary",
    }
    return _page(act, inputs, is_wrong=bool(errors))


@routes.get("/freezes/notice")
@access.page(Permission.CONTROLS_SET_ALL)
def ask_notice() -> Response:
    return _notice(_setting(controls.BANNER))


@routes.post("/freezes/notice")
@access.page(Permission.CONTROLS_SET_ALL)
def set_notice() -> Response:
    text, reason, until = render.typed("text"), confirming.reason(), holding.chosen()
    shown = Setting(controls.BANNER, is_on=bool(text), text=text)
    if (error := confirming.reason_error(reason)) is not None:
        return _notice(shown, reason=reason, until=until, errors={"reason": error})
    value: dict[str, Json] = {"on": True, "text": text} if text else {"on": False}
    try:
        setting = _put(controls.BANNER, value, until=until, reason=reason)
    except InvalidInput as refused:
        return _notice(shown, reason=reason, until=until, errors={"text": refused.message})
    title = "The notice is shown" if setting.is_on else "The notice is taken away"
    render.tell(Alert("good", title, setting.text if setting.is_on else None))
    return render.to("/freezes")
