"""The switches as panels: how each stands, who set it, and what can be done about it; no routes."""

from __future__ import annotations

from core.permissions import Permission
from dashboard import words
from dashboard.shapes import Act, State, View
from domain import desk, desk_queries, naming
from domain.actors import Actor
from domain.control import controls
from domain.control.controls import Setting
from domain.desk import Session

_RUNS = State("Running", "done", "good")
_PAUSED = State("Paused", "hold", "warn")
_SHOWN = State("Shown", "dot", "info")
_SILENT = State("Not shown", "dotted", "quiet")


def panels(session: Session, actor: Actor) -> View:
    """Prepare both switches.

    Transaction: caller's, reads only.
    """
    found = {setting.name: setting for setting in controls.list_all(session)}
    setters = [setting.by for setting in found.values() if setting.by]
    names = naming.actor_names(session, setters, for_staff=True)
    pause, notice = found[controls.SETTLEMENT_PAUSE], found[controls.BANNER]
    return {
        "settlement": _settlement(session, pause, names, actor),
        "notice": _notice(notice, names, actor),
        "controls_url": "/freezes/controls",
    }


def _settlement(session: Session, setting: Setting, names: dict[str, str], actor: Actor) -> View:
    waiting = sum(desk_queries.inbound_counts(session)[state] for state in ("received", "failed"))
    events = words.counted(waiting, "event waits", "events wait")
    if waiting >= desk.MOST_COUNTED:
        events = f"{desk.capped(waiting)} events wait"
    text = f"Events are applied as they come. {events} now."
    if setting.is_on:
        text = f"Events are stored and acknowledged; none is applied. {events}."
    may = actor.may(Permission.CONTROLS_SET)
    label = "Resume settlement" if setting.is_on else "Pause settlement"
    reason = None if may else "Finance, admins and engineers pause it."
    icon = "play" if setting.is_on else "clock"
    href = "/freezes/settlement"
    return {
        "state": _PAUSED if setting.is_on else _RUNS,
        "text": text,
        "said": _said(setting, names),
        "acts": [Act("settlement", label, href, may, reason, icon=icon)],
    }


def _notice(setting: Setting, names: dict[str, str], actor: Actor) -> View:
    may = actor.may(Permission.CONTROLS_SET_ALL)
    label = "Change the notice" if setting.is_on else "Write a notice"
    reason = None if may else "Admins and engineers write it."
    text = setting.text if setting.is_on else "A sentence above every page, for everybody."
    return {
        "state": _SHOWN if setting.is_on else _SILENT,
        "text": text,
        "said": _said(setting, names),
        "acts": [Act("notice", label, "/freezes/notice", may, reason, icon="info")],
    }


def _said(setting: Setting, names: dict[str, str]) -> View | None:
    """Say who set it last, why, and when it ends; None while nobody has."""
    if setting.by is None or setting.at is None:
        return None
    return {
        "by": words.person(setting.by, names),
        "at": words.moment(setting.at),
        "reason": setting.reason,
        "until": words.moment(setting.until) if setting.until and setting.is_on else None,
    }
