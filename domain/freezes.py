"""Freezes: holds on money going out, read under a lock at every step; engaged by one, lifted by two.

Listing, forecasting and lifting build on this; here is what holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Frozen, invalid
from core.states import Freeze as State
from core.strictjson import Json
from domain import audit, database, events
from domain.actors import Actor, system
from domain.transitions import Why, move_together
from domain.warrants import Content
from models.control import Freeze

SCOPES = ("all", "rail", "merchant", "order")
# Whoever moves money holds it shared until their commit; whoever freezes waits for them, and whoever
# comes later sees the freeze.
_GATE = 0x66727A


@dataclass(frozen=True)
class Wanted:
    """What to hold. scope_id: a rail's name, a merchant's or an order's id; empty for `all`."""

    scope: str
    scope_id: str
    reason: str
    until: datetime | None = None
    cause: str = "person"
    demo: bool = False


def _gate(session: Session, *, shared: bool) -> None:
    if not database.is_sqlite():
        lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        session.execute(text(f"select {lock}(:gate)"), {"gate": _GATE})


def holding(
    *, rail: str | None, merchant_id: str | None, order_id: str | None
) -> ColumnElement[bool]:
    """Give the condition of the freezes that hold an act of this rail, merchant and order now."""
    wide = [Freeze.scope == "all"]
    for scope, scope_id in (("rail", rail), ("merchant", merchant_id), ("order", order_id)):
        if scope_id is not None:
            wide.append(and_(Freeze.scope == scope, Freeze.scope_id == scope_id))
    return and_(
        Freeze.state == State.ACTIVE.value,
        or_(Freeze.until.is_(None), Freeze.until > clock.now()),
        or_(*wide),
    )


def assert_open(session: Session, content: Content) -> None:
    """Check, under the lock that a freeze waits for, that nothing holds an act.

    Called at every step of an act up to the one that cannot be taken back.
    Raises: Frozen. Transaction: caller's, writing; the lock is held until it ends.
    """
    _gate(session, shared=True)
    condition = holding(
        rail=content.rail, merchant_id=content.merchant_id, order_id=content.order_id
    )
    row = session.scalars(select(Freeze).where(condition).order_by(Freeze.engaged_at)).first()
    if row is not None:
        raise frozen(row)


def frozen(row: Freeze) -> Frozen:
    """Make the error that says what holds an act, why and until when."""
    until = f" until {clock.rfc3339(row.until)}" if row.until else ""
    return Frozen(
        f"A freeze holds this{until}: {row.reason}",
        details={
            "freezeId": row.id,
            "scope": row.scope,
            "scopeId": row.scope_id or None,
            "reason": row.reason,
            "until": clock.rfc3339(row.until),
        },
    )


def engage(session: Session, wanted: Wanted, *, why: Why) -> tuple[Freeze, bool]:
    """Hold money going out from this commit on. Gives the freeze and whether it is new.

    One freeze holds a scope at a time; a second call finds it.
    Writes: freezes, event_log, audit_log. Emits: freeze.engaged. Raises: InvalidInput.
    Transaction: caller's.
    """
    _assert_sound(wanted)
    _gate(session, shared=False)
    expire_due(session)
    row_id = ids.new("frz")
    values: dict[str, object] = {
        "id": row_id,
        "scope": wanted.scope,
        "scope_id": wanted.scope_id,
        "state": State.ACTIVE.value,
        "open_key": f"{wanted.scope}:{wanted.scope_id}",
        "cause": wanted.cause,
        "reason": wanted.reason,
        "until": wanted.until,
        "engaged_by": why.actor.id,
        "engaged_at": clock.now(),
        "lifted_by": [],
        "demo": wanted.demo,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(Freeze).values(values).on_conflict_do_nothing()
    made = session.execute(statement.returning(Freeze.id)).scalar()
    known = Freeze.open_key == values["open_key"]
    row = session.scalars(select(Freeze).where(known)).one()
    if made is None:
        return row, False
    _tell(session, "freeze.engaged", row, why=why)
    return row, True


def _assert_sound(wanted: Wanted) -> None:
    if wanted.scope not in SCOPES:
        raise invalid("scope", f"A scope is one of {', '.join(SCOPES)}.", code="unknown_value")
    if (wanted.scope == "all") != (wanted.scope_id == ""):
        raise invalid("scopeId", "Name what to hold, except for everything.", code="scope_id")
    if wanted.until is not None and wanted.until <= clock.now():
        raise invalid("until", "This time has passed.")


def end(
    session: Session, row: Freeze, *, to: State, why: Why, lifted_by: Sequence[Json] = ()
) -> None:
    """End a freeze: lifted by two people, or expired by itself.

    Writes: freezes, state_changes, event_log, audit_log. Emits: freeze.lifted. Transaction: caller's.
    """
    values: dict[str, object] = {"open_key": None, "ended_at": clock.now()}
    values["lifted_by"] = list(lifted_by)
    if move_together(session, row, moves={"freeze": to.value}, values=values, why=why):
        _tell(session, "freeze.lifted", row, why=why)


def expire_due(session: Session) -> int:
    """End the freezes whose time has passed; they hold nothing any more already. Gives how many.

    Writes, emits: as `end`. Transaction: caller's.
    """
    due = select(Freeze).where(Freeze.state == State.ACTIVE.value, Freeze.until <= clock.now())
    rows = list(session.scalars(due.with_for_update(skip_locked=True)))
    for row in rows:
        why = Why(system("freezes"), f"freeze:{row.id}", "its time has passed")
        end(session, row, to=State.EXPIRED, why=why)
    return len(rows)


def _tell(session: Session, kind: str, row: Freeze, *, why: Why) -> None:
    about = events.About(
        object_id=row.id,
        merchant_id=row.scope_id if row.scope == "merchant" else None,
        order_id=row.scope_id if row.scope == "order" else None,
        audience="staff" if row.scope in ("all", "rail") else "parties",
        demo=row.demo,
    )
    body: dict[str, Json] = {
        "freezeId": row.id,
        "scope": row.scope,
        "scopeId": row.scope_id or None,
        "until": clock.rfc3339(row.until),
    }
    told = events.row(kind, about, source=why.source, status=row.state, body=body)
    events.append(session, [told])
    audit.write(
        session,
        kind.replace("engaged", "engage").replace("lifted", "end"),
        actor=why.actor,
        object_kind="freeze",
        object_id=row.id,
        source=why.source,
        reason=why.reason or row.reason,
        after={"scope": row.scope, "scopeId": row.scope_id, "state": row.state},
    )


def list_active(session: Session) -> list[Freeze]:
    """List what is held now, widest first.

    Transaction: caller's, reads only.
    """
    now = clock.now()
    statement = select(Freeze).where(
        Freeze.state == State.ACTIVE.value, or_(Freeze.until.is_(None), Freeze.until > now)
    )
    rows = list(session.scalars(statement.order_by(Freeze.engaged_at)))
    return sorted(rows, key=lambda row: SCOPES.index(row.scope))


def may_see(actor: Actor, row: Freeze) -> bool:
    """Tell whether a freeze concerns an actor: staff all, others what holds their own money."""
    return actor.is_staff or row.scope != "merchant" or row.scope_id == actor.merchant_id
