"""The desk's switches: who set each, why and until when. Only switches that do something can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.errors import Forbidden, NotFound, invalid
from core.permissions import Permission
from core.redaction import holds_card_number
from core.strictjson import Json
from domain import audit, database, events
from domain.actors import Actor, system
from domain.control.gates import Gate, close
from domain.transitions import Why
from models.control import Control

SETTLEMENT_PAUSE = "settlement_pause"
BANNER = "banner"
# Who may set each.
SETTERS: Mapping[str, Permission] = {
    SETTLEMENT_PAUSE: Permission.CONTROLS_SET,
    BANNER: Permission.CONTROLS_SET_ALL,
}
LONGEST_TEXT = 300


@dataclass(frozen=True)
class Setting:
    """How a switch stands now. by, at: None while nobody has ever set it. text: a banner's words."""

    name: str
    is_on: bool
    text: str | None = None
    reason: str | None = None
    until: datetime | None = None
    by: str | None = None
    at: datetime | None = None

    @property
    def value(self) -> dict[str, Json]:
        """Write the setting as it is stored and told."""
        said: dict[str, Json] = {"on": self.is_on}
        return said | ({"text": self.text} if self.name == BANNER else {})


def _setting(row: Control) -> Setting:
    """Read a row: a switch whose time has passed is off, even before it is put away."""
    is_past = row.until is not None and row.until <= clock.now()
    text = row.value.get("text")
    return Setting(
        row.name,
        is_on=row.value.get("on") is True and not is_past,
        text=text if isinstance(text, str) else None,
        reason=row.reason,
        until=row.until,
        by=row.set_by,
        at=row.set_at,
    )


def get(session: Session, name: str) -> Setting:
    """Say how a switch stands; off until somebody sets it.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    if name not in SETTERS:
        raise NotFound
    row = session.get(Control, name, populate_existing=True)
    return _setting(row) if row is not None else Setting(name, is_on=False)


def list_all(session: Session) -> list[Setting]:
    """Say how every switch stands.

    Transaction: caller's, reads only.
    """
    known = {row.name: row for row in session.scalars(select(Control))}
    return [_setting(known[name]) if name in known else Setting(name, False) for name in SETTERS]


def list_on(session: Session) -> list[Setting]:
    """Say which switches are on now.

    Transaction: caller's, reads only.
    """
    return [setting for setting in list_all(session) if setting.is_on]


def assert_may_set(name: str, *, actor: Actor) -> None:
    """Check that somebody may set a switch.

    Raises: NotFound, Forbidden
    """
    if name not in SETTERS:
        raise NotFound
    if not actor.may(SETTERS[name]):
        raise Forbidden


def put(
    session: Session,
    name: str,
    value: Mapping[str, Json],
    *,
    until: datetime | None,
    why: Why,
) -> Setting:
    """Set a switch, from this commit on in every process.

    value: `on`, and for a banner `text`. Whoever settles by themselves finishes first, and nobody does
    so after this has committed.
    Writes: controls, event_log, audit_log. Emits: control.changed. Raises: NotFound, Forbidden,
    InvalidInput. Transaction: caller's.
    """
    assert_may_set(name, actor=why.actor)
    wanted = _checked(name, value)
    if until is not None and not wanted["on"]:
        raise invalid("until", "What is off has no end.")
    if until is not None and until <= clock.now():
        raise invalid("until", "This time has passed.")
    return _write(session, name, wanted, until=until, why=why)


def _checked(name: str, value: Mapping[str, Json]) -> dict[str, Json]:
    is_on, text = value.get("on"), value.get("text")
    known = {"on", "text"} if name == BANNER else {"on"}
    if unknown := sorted(set(value) - known):
        raise invalid(f"value.{unknown[0][:40]}", "This switch has no such field.", code="unknown")
    if not isinstance(is_on, bool):
        raise invalid("value.on", "Say true or false.", code="unknown_value")
    if name != BANNER:
        return {"on": is_on}
    if text is not None and not isinstance(text, str):
        raise invalid("value.text", "The notice must be text.")
    words = " ".join((text or "").split())
    if is_on and not words:
        raise invalid("value.text", "Write what everybody shall read.")
    if len(words) > LONGEST_TEXT:
        raise invalid("value.text", f"At most {LONGEST_TEXT} characters.", code="too_long")
    if holds_card_number(words):
        raise invalid("value.text", "Card numbers are never kept here.", code="card_number")
    return {"on": is_on, "text": words if is_on else None}


def _write(
    session: Session, name: str, value: dict[str, Json], *, until: datetime | None, why: Why
) -> Setting:
    if name == SETTLEMENT_PAUSE:
        close(session, Gate.SETTLING)
    before = get(session, name)
    values: dict[str, object] = {
        "value": value,
        "reason": why.reason,
        "until": until,
        "set_by": why.actor.id,
        "set_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(Control).values(name=name, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[Control.name], set_=values))
    _tell(session, name, value, before=before, until=until, why=why)
    if name == SETTLEMENT_PAUSE:
        # What has waited is due now.
        database.mark(session, "work")
    return get(session, name)


def expire_due(session: Session) -> int:
    """Put switches off whose time has passed; they have no effect any more already. Gives how many.

    Writes, emits: as `put`. Transaction: caller's.
    """
    due = select(Control).where(Control.until <= clock.now())
    names = [row.name for row in session.scalars(due) if row.value.get("on") is True]
    for name in names:
        why = Why(system("controls"), f"control:{name}", "its time has passed")
        _write(session, name, {**get(session, name).value, "on": False}, until=None, why=why)
    return len(names)


def _tell(
    session: Session,
    name: str,
    value: dict[str, Json],
    *,
    before: Setting,
    until: datetime | None,
    why: Why,
) -> None:
    body: dict[str, Json] = {"control": name, "value": value}
    told = events.row("control.changed", events.about_staff(name), source=why.source, body=body)
    events.append(session, [told])
    audit.write(
        session,
        "control.set",
        actor=why.actor,
        object_kind="control",
        object_id=name,
        source=why.source,
        reason=why.reason,
        before={"on": before.is_on, "until": clock.rfc3339(before.until)},
        after={"on": value["on"], "until": clock.rfc3339(until)},
    )


def wire(setting: Setting) -> dict[str, Json]:
    """Write a switch as the API answers it."""
    return {
        "control": setting.name,
        "value": setting.value,
        "until": clock.rfc3339(setting.until),
        "by": setting.by,
        "at": clock.rfc3339(setting.at),
    }
