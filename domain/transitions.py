"""The only code that changes a state: legal or refused, compare-and-set, with its history row."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, update
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.orm.attributes import set_committed_value

from core import clock, ids
from core.errors import LostRace
from core.states import MAPPING_VERSION, assert_legal
from domain.actors import Actor
from models.base import Base
from models.cases import ExceptionCase
from models.inbound import InboundEvent
from models.operations import Operation
from models.orders import Order
from models.payments import Payment, StateChange
from models.secrets import SecretVersion


@dataclass(frozen=True)
class Why:
    """Who moves a state, from which source (`inbound:…`, `operation:…`, `user:…`) and for what reason."""

    actor: Actor
    source: str
    reason: str | None = None
    is_replay: bool = False


_COLUMN: dict[str, tuple[type[Base], str]] = {
    "payment": (Payment, "status"),
    "payment_sub": (Payment, "sub_state"),
    "escrow": (Payment, "escrow_state"),
    "order": (Order, "status"),
    "operation": (Operation, "state"),
    "inbound": (InboundEvent, "state"),
    "case": (ExceptionCase, "state"),
    "secret_version": (SecretVersion, "state"),
}
# The inbox and operations keep their own attempt rows; a second history of each would say the same.
_WITHOUT_HISTORY = frozenset({"inbound"})


def _links(kind: str, row: Base) -> tuple[str | None, str | None]:
    if isinstance(row, Payment):
        return row.id, row.order_id
    if isinstance(row, Order):
        return None, row.id
    return getattr(row, "payment_id", None), getattr(row, "order_id", None)


def move(session: Session, kind: str, row: Base, *, to: str, why: Why) -> bool:
    """Move one state column of a loaded row. Gives False when it already stood there.

    1. the table of `kind` must have the move; 2. compare-and-set on the stored state;
    3. the history row, in the same transaction.
    Writes: the row's state column, state_changes. Raises: IllegalTransition, LostRace.
    Transaction: caller's.
    """
    model, name = _COLUMN[kind]
    old = str(getattr(row, name))
    if old == to:
        return False
    assert_legal(kind, old, to)
    column: InstrumentedAttribute[str] = getattr(model, name)
    row_id = str(getattr(row, "id"))  # noqa: B009  # every table here has an `id`, which Base lacks
    changed = session.execute(
        update(model)
        .where(getattr(model, "id") == row_id, column == old)  # noqa: B009
        .values({column: to})
        .returning(getattr(model, "id"))  # noqa: B009
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise LostRace
    set_committed_value(row, name, to)
    if kind not in _WITHOUT_HISTORY:
        payment_id, order_id = _links(kind, row)
        session.execute(
            insert(StateChange),
            [
                {
                    "id": ids.new("chg"),
                    "object_kind": kind,
                    "object_id": row_id,
                    "payment_id": payment_id,
                    "order_id": order_id,
                    "old": old,
                    "new": to,
                    "actor": why.actor.id,
                    "reason": why.reason,
                    "source": why.source,
                    "mapping_version": MAPPING_VERSION,
                    "at": clock.now(),
                }
            ],
        )
    return True

