"""Freezes: holds on money going out, read under a lock at every step; engaged by one, lifted by two.

Reading them is `domain/control/freeze_queries.py`, what they hold `domain/control/held.py`; here is what holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Frozen, NotFound, invalid
from core.redaction import holds_card_number
from core.states import Freeze as State
from core.strictjson import Json
from domain import audit, database, events
from domain.actors import system
from domain.control.gates import Gate, close, pass_through
from domain.control.warrants import Content
from domain.mail import notice_facts
from domain.transitions import Why, move_together
from models.control import Freeze
from models.orders import Order
from models.people import Merchant
from providers import registry

SCOPES = ("all", "rail", "merchant", "order")
# Whose freeze nobody lifts while the rule that broke is not whole.
INVARIANT = "invariant"
SHORTEST_REASON, LONGEST_REASON = 3, 500


@dataclass(frozen=True)
class Wanted:
    """What to hold. scope_id: a rail's name, a merchant's or an order's id; empty for `all`."""

    scope: str
    scope_id: str
    reason: str
    until: datetime | None = None
    cause: str = "person"
    demo: bool = False


def holding(
    *, rail: str | None, merchant_id: str | None, order_id: str | None
) -> ColumnElement[bool]:
    """Give the condition of the freezes that hold an act of this rail, merchant and order now."""
    wide = [Freeze.scope == "all"]
    for scope, scope_id in (("rail", rail), ("merchant", merchant_id), ("order", order_id)):
        if scope_id is not None:
            wide.append(and_(Freeze.scope == scope, Freeze.scope_id == scope_id))
    return and_(is_on(), or_(*wide))


def is_on() -> ColumnElement[bool]:
    """Give the condition of the freezes that hold something now."""
    in_time = or_(Freeze.until.is_(None), Freeze.until > clock.now())
    return and_(Freeze.state == State.ACTIVE.value, in_time)


def assert_open(session: Session, content: Content) -> None:
    """Check, under the lock that a freeze waits for, that nothing holds an act.

    Called at every step of an act up to the one that cannot be taken back.
    Raises: Frozen. Transaction: caller's, writing; the lock is held until it ends.
    """
    pass_through(session, Gate.MONEY_OUT)
    if (row := find_holding(session, content)) is not None:
        raise frozen(row)


def find_holding(session: Session, content: Content) -> Freeze | None:
    """Find the freeze that holds an act, as of this statement; only `assert_open` makes it stay so.

    Transaction: caller's, reads only.
    """
    condition = holding(
        rail=content.rail, merchant_id=content.merchant_id, order_id=content.order_id
    )
    return session.scalars(select(Freeze).where(condition).order_by(Freeze.engaged_at)).first()


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

    One freeze holds a scope at a time. A second call finds it, and makes it last longer when it asks
    for that; it never makes it shorter, since only two people end a freeze. A broken rule of the books
    makes a person's freeze its own.
    Writes: freezes, event_log, audit_log. Emits: freeze.engaged. Raises: InvalidInput, NotFound when
    there is no such merchant or order. Transaction: caller's.
    """
    assert_scope(session, wanted.scope, wanted.scope_id)
    if not SHORTEST_REASON <= len(wanted.reason) <= LONGEST_REASON:
        raise invalid("reason", f"Say why in {SHORTEST_REASON} to {LONGEST_REASON} characters.")
    if holds_card_number(wanted.reason):
        raise invalid("reason", "Card numbers are never kept here.", code="card_number")
    if wanted.until is not None and wanted.until <= clock.now():
        raise invalid("until", "This time has passed.")
    close(session, Gate.MONEY_OUT)
    expire_due(session)
    values = _values(wanted, why)
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(Freeze).values(values).on_conflict_do_nothing()
    made = session.execute(statement.returning(Freeze.id)).scalar()
    known = select(Freeze).where(Freeze.open_key == values["open_key"])
    row = session.scalars(known.execution_options(populate_existing=True)).one()
    if made is None:
        _raise_cause(session, row, wanted, why=why)
        _prolong(session, row, wanted.until, why=why)
        return row, False
    _tell(session, "freeze.engaged", row, why=why)
    notice_facts.freeze_engaged(session, row, by=why.actor.id)
    return row, True


def _values(wanted: Wanted, why: Why) -> dict[str, object]:
    return {
        "id": ids.new("frz"),
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


def assert_scope(session: Session, scope: str, scope_id: str) -> None:
    """Check that there is such a thing to hold.

    Raises: InvalidInput, NotFound. Transaction: caller's, reads only.
    """
    if scope not in SCOPES:
        raise invalid("scope", f"A scope is one of {', '.join(SCOPES)}.", code="unknown_value")
    if scope == "all" and scope_id:
        raise invalid("scopeId", "Everything has no name; leave this out.", code="scope_id")
    if scope != "all" and not scope_id:
        raise invalid("scopeId", f"Name the {scope} to hold.", code="scope_id")
    rails = sorted({rail.rail for rail in registry.every()})
    if scope == "rail" and scope_id not in rails:
        raise invalid("scopeId", f"A rail is one of {', '.join(rails)}.", code="unknown_value")
    if scope == "merchant" and session.get(Merchant, scope_id) is None:
        raise NotFound("There is no such merchant.")
    if scope == "order" and session.get(Order, scope_id) is None:
        raise NotFound("There is no such order.")


def _raise_cause(session: Session, row: Freeze, wanted: Wanted, *, why: Why) -> None:
    """Have a freeze of a person stay until a broken rule is whole again; what is agreed about it is void."""
    if wanted.cause != INVARIANT or row.cause == INVARIANT:
        return
    before = row.cause
    row.cause = INVARIANT
    row.reason = f"{wanted.reason} Frozen before: {row.reason}"
    session.flush()
    audit.write(
        session,
        "freeze.raise",
        actor=why.actor,
        object_kind="freeze",
        object_id=row.id,
        source=why.source,
        reason=wanted.reason,
        before={"cause": before},
        after={"cause": row.cause},
    )


def _prolong(session: Session, row: Freeze, until: datetime | None, *, why: Why) -> None:
    """Let a freeze that holds already last as long as whoever asked last wants it to."""
    if row.until is None or (until is not None and until <= row.until):
        return
    before = row.until
    row.until = until
    session.flush()
    _tell(session, "freeze.engaged", row, why=why, before=before)


def lock(session: Session, freeze_id: str) -> Freeze:
    """Fetch a freeze to end it; nothing is checked against it, engaged or ended meanwhile.

    Raises: NotFound. Transaction: caller's.
    """
    close(session, Gate.MONEY_OUT)
    statement = select(Freeze).where(Freeze.id == freeze_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound
    return row


def end(
    session: Session,
    row: Freeze,
    *,
    to: State,
    why: Why,
    lifted_by: Sequence[Json] = (),
    approval_id: str | None = None,
) -> None:
    """End a locked freeze: lifted by two people, or expired by itself.

    Writes: freezes, state_changes, event_log, audit_log. Emits: freeze.lifted. Transaction: caller's.
    """
    values: dict[str, object] = {"open_key": None, "ended_at": clock.now()}
    values |= {"lifted_by": list(lifted_by), "approval_id": approval_id}
    if move_together(session, row, moves={"freeze": to.value}, values=values, why=why):
        _tell(session, "freeze.lifted", row, why=why)


def expire_due(session: Session) -> int:
    """End the freezes whose time has passed; they hold nothing any more already. Gives how many.

    Writes, emits: as `end`. Transaction: caller's.
    """
    due = select(Freeze.id).where(Freeze.state == State.ACTIVE.value, Freeze.until <= clock.now())
    rows = [lock(session, freeze_id) for freeze_id in session.scalars(due).all()]
    over = [row for row in rows if row.state == State.ACTIVE and _is_past(row)]
    for row in over:
        why = Why(system("freezes"), f"freeze:{row.id}", "its time has passed")
        end(session, row, to=State.EXPIRED, why=why)
    return len(over)


def _is_past(row: Freeze) -> bool:
    """Ask again: it may have been prolonged or ended while its lock was waited for."""
    return row.until is not None and row.until <= clock.now()


def _about(session: Session, row: Freeze) -> events.About:
    """Point an event at whoever is held: a merchant, an order's parties, or everybody who sells."""
    if row.scope == "order":
        order = session.get_one(Order, row.scope_id)
        return replace(events.about_order(order), object_id=row.id, demo=row.demo)
    if row.scope == "merchant":
        return events.About(object_id=row.id, merchant_id=row.scope_id, demo=row.demo)
    return events.About(object_id=row.id, audience="held", demo=row.demo)


def _tell(
    session: Session, kind: str, row: Freeze, *, why: Why, before: datetime | None = None
) -> None:
    body: dict[str, Json] = {
        "freezeId": row.id,
        "scope": row.scope,
        "scopeId": row.scope_id or None,
        "until": clock.rfc3339(row.until),
    }
    about = _about(session, row)
    told = events.row(kind, about, source=why.source, status=row.state, body=body)
    events.append(session, [told])
    action = "freeze.prolong" if before else _AUDITED.get(row.state, "freeze.engage")
    audit.write(
        session,
        action,
        actor=why.actor,
        object_kind="freeze",
        object_id=row.id,
        source=why.source,
        reason=why.reason or row.reason,
        before={"until": clock.rfc3339(before)} if before else None,
        after={
            "scope": row.scope,
            "scopeId": row.scope_id or None,
            "state": row.state,
            "until": clock.rfc3339(row.until),
        },
    )


_AUDITED = {State.LIFTED.value: "freeze.lift", State.EXPIRED.value: "freeze.expire"}
