"""What stands above every page while it lasts, and nobody can put away: freezes, a pause, notices, no worker."""

from __future__ import annotations

from collections.abc import Sequence

from core.permissions import Permission
from dashboard import provider_words, words
from dashboard.shapes import Alert
from domain.actors import Actor
from domain.control import controls, freeze_queries
from domain.control.controls import Setting
from domain.delays import notice_queries
from domain.desk import Session
from models.control import Freeze

# More than these are told together, so that what a person came for stays in sight.
MOST_FREEZES = 3


def banners(session: Session, actor: Actor, *, has_worker: bool) -> list[Alert]:
    """Say what a person must not overlook: staff everything, others what holds their own money.

    Transaction: caller's, reads only.
    """
    found = _freezes(session, actor)
    on = {setting.name: setting for setting in controls.list_on(session)}
    if notice := on.get(controls.BANNER):
        found.append(Alert("info", notice.text or ""))
    found += [
        provider_words.alert(row, for_staff=actor.may(Permission.NOTICES_READ))
        for row in notice_queries.live(session)
    ]
    if actor.is_staff and (pause := on.get(controls.SETTLEMENT_PAUSE)):
        found.append(_pause(pause))
    if actor.is_staff and not has_worker:
        text = (
            "What arrives is stored and nothing is lost, but no payment moves until one is started."
        )
        found.append(Alert("warn", "No worker is running", text, "/status", "System status"))
    return found


def _freezes(session: Session, actor: Actor) -> list[Alert]:
    if not actor.may(Permission.FREEZES_READ):
        return []
    rows = freeze_queries.list_holding(session, actor=actor)
    if len(rows) > MOST_FREEZES:
        return [_together(rows, actor)]
    places = freeze_queries.place_names(session, rows)
    return [_freeze(row, places[row.id], actor) for row in rows]


def _freeze(row: Freeze, place: str, actor: Actor) -> Alert:
    until = f"until {words.absolute(row.until)}" if row.until else "until it is lifted"
    tone = "bad" if row.scope == "all" else "warn"
    if not actor.is_staff:
        own = {"all": "", "rail": f" of {place}", "merchant": "", "order": f" of {place}"}
        text = f"Refunds and other money out{own[row.scope]} wait {until}. Payments go on as usual."
        return Alert(tone, "Money out is held", text)
    where = f"order {words.short(row.scope_id)}" if row.scope == "order" else place
    title = f"Money out is frozen: {where}"
    said = words.sentence(row.reason)
    return Alert(tone, title, f"{said} It holds {until}.", f"/freezes/{row.id}", "What it holds")


def _together(rows: Sequence[Freeze], actor: Actor) -> Alert:
    number = words.counted(len(rows), "freeze holds", "freezes hold")
    if any(row.scope == "all" for row in rows):
        text = "One of them holds everything."
    else:
        text = "Some rails, merchants or orders are held."
    title = f"{number} money out"
    if not actor.is_staff:
        return Alert("warn", title, "Refunds and other money out of yours wait.")
    tone = "bad" if rows[0].scope == "all" else "warn"
    return Alert(tone, title, text, "/freezes", "All freezes")


def _pause(setting: Setting) -> Alert:
    until = (
        f"until {words.absolute(setting.until)}" if setting.until else "until somebody resumes it"
    )
    text = (
        f"{words.sentence(setting.reason or '')} Events are stored and wait {until}; none is lost."
    )
    return Alert(
        "warn", "Automatic settlement is paused", text.strip(), "/freezes", "See the pause"
    )
