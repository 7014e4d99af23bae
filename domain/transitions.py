"""The only code that changes a state: legal or refused, compare-and-set, with its history row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from core import clock, ids
from core.errors import LostRace
from core.states import MAPPING_VERSION, assert_legal
from domain import pending
from domain.actors import Actor
from domain.inbox import workset
from models.base import Base
from models.orders import Order
from models.payments import Payment, StateChange


@dataclass(frozen=True)
class Why:
    """Who moves a state, from which source (`inbound:…`, `operation:…`, `user:…`) and for what reason.

    once_key: what makes a second press of the same button the same act, or None.
    """

    actor: Actor
    source: str
    reason: str | None = None
    is_replay: bool = False
    once_key: str | None = None


_COLUMN = {
    "payment": "status",
    "payment_sub": "sub_state",
    "escrow": "escrow_state",
    "order": "status",
    "operation": "state",
    "inbound": "state",
    "case": "state",
    "secret_version": "state",
    "approval": "state",
    "freeze": "state",
    "refund": "state",
    "dispute": "status",
    "card": "state",
    "case_rule": "state",
    "mail": "state",
    "user": "state",
    "invoice": "status",
    "document": "state",
    "period": "state",
    "reconciliation": "status",
    "difference": "state",
}
# The inbox keeps its own attempt rows, a mail and a document their attempts and error; a second history
# would say the same.
_WITHOUT_HISTORY = frozenset({"inbound", "mail", "document"})


def _links(row: Base) -> tuple[str | None, str | None]:
    if isinstance(row, Payment):
        return row.id, row.order_id
    if isinstance(row, Order):
        return None, row.id
    return getattr(row, "payment_id", None), getattr(row, "order_id", None)


def move_together(
    session: Session,
    row: Base,
    *,
    moves: Mapping[str, str],
    why: Why,
    values: Mapping[str, object] | None = None,
) -> bool:
    """Move several state columns of one loaded row, and set plain columns, in one statement.

    moves: kind → new state. Gives False when nothing was to be moved or set.
    1. the table of each kind must have the move; 2. compare-and-set on every stored state;
    3. a history row per move, in the same transaction.
    Writes: the row, state_changes. Raises: IllegalTransition, LostRace. Transaction: caller's.
    """
    model = type(row)
    row_id = str(row.id)  # type: ignore[attr-defined]  # every row with a state has one
    steps: list[tuple[str, str, str]] = []
    new: dict[str, object] = dict(values or {})
    held: dict[str, object] = {"id": row_id}
    for kind, to in moves.items():
        column = _COLUMN[kind]
        old = str(getattr(row, column))
        if old == to:
            continue
        assert_legal(kind, old, to)
        steps.append((kind, old, to))
        held[column] = old
        new[column] = to
    if not new:
        return False
    if workset.is_batch(session):
        pending.later_update(session, model, held=held, new=new)
    else:
        _set_now(session, model, held, new)
    for name, value in new.items():
        set_committed_value(row, name, value)
    for kind, old, to in steps:
        if kind not in _WITHOUT_HISTORY:
            pending.later(session, StateChange, _change(row, kind, old=old, new=to, why=why))
    return True


def _set_now(
    session: Session, model: type[Base], held: Mapping[str, object], new: Mapping[str, object]
) -> None:
    columns = model.__table__.c
    statement = (
        update(model)
        .where(*(columns[name] == value for name, value in held.items()))
        .values(dict(new))
        .returning(columns.id)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).first() is None:
        raise LostRace


def move(session: Session, kind: str, row: Base, *, to: str, why: Why) -> bool:
    """Move one state column of a loaded row. Gives False when it already stood there.

    Writes, Raises: as `move_together`. Transaction: caller's.
    """
    return move_together(session, row, moves={kind: to}, why=why)


def _change(row: Base, kind: str, *, old: str, new: str, why: Why) -> dict[str, object]:
    payment_id, order_id = _links(row)
    return {
        "id": ids.new("chg"),
        "object_kind": kind,
        "object_id": getattr(row, "id", None),
        "payment_id": payment_id,
        "order_id": order_id,
        "old": old,
        "new": new,
        "actor": why.actor.id,
        "reason": why.reason,
        "source": why.source,
        "mapping_version": MAPPING_VERSION,
        "at": clock.now(),
    }
