"""What a freeze holds: the acts that wait to move money out, and those that are on their way already.

One registry by kind. A kind of money out that does not exist yet has no sources, and counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from core import clock
from core.money import Money, asset
from core.money_out import RULES, Act
from core.states import Approval as ApprovalState
from core.states import Refund as RefundState
from models.control import Approval
from models.operations import Operation
from models.refunds import Refund

MOST_LISTED = 200


@dataclass(frozen=True)
class Place:
    """What is held. scope_id: a rail's name, a merchant's or an order's id; empty for `all`."""

    scope: str
    scope_id: str


@dataclass(frozen=True)
class Item:
    """One act. kind: its object's; transaction_hash: on its chain, once it is on one."""

    kind: str
    id: str
    status: str
    amount: Money | None
    approval_id: str | None
    at: datetime
    transaction_hash: str | None = None


Rows = Select[str, str, str, int | None, str | None, str | None, datetime]


@dataclass(frozen=True)
class Source:
    """Where the acts of a kind are found. waiting: held by a freeze; on_its_way: past holding."""

    waiting: Callable[[Place], Rows]
    on_its_way: Callable[[Place], Rows] | None = None


@dataclass(frozen=True)
class Forecast:
    """What a freeze of a place holds: how many acts of each kind, their sums, how many it is too late for."""

    counts: Mapping[str, int]
    amounts: Sequence[Money]
    in_flight: int

    @property
    def held(self) -> int:
        """How many acts it holds."""
        return sum(self.counts.values())


def _within(model: type[Approval | Refund], place: Place) -> list[ColumnElement[bool]]:
    if place.scope == "rail":
        return [model.rail == place.scope_id]
    if place.scope == "merchant":
        return [model.merchant_id == place.scope_id]
    if place.scope == "order":
        return [model.order_id == place.scope_id]
    return []


def _approvals(*acts: Act) -> Source:
    """Find the requests of these acts that wait for somebody, unless a row of their own counts already."""

    def waiting(place: Place) -> Rows:
        own_row = or_(Refund.approval_id == Approval.id, Refund.id == Approval.object_id)
        return select(
            literal("approval"),
            Approval.id,
            Approval.state,
            Approval.amount_minor,
            Approval.asset,
            Approval.id,
            Approval.requested_at,
        ).where(
            Approval.state == ApprovalState.PENDING.value,
            Approval.expires_at > clock.now(),
            Approval.kind.in_([act.value for act in acts]),
            ~exists(select(Refund.id).where(own_row)),
            *_within(Approval, place),
        )

    return Source(waiting)


def _refunds() -> Source:
    """Find the refunds that wait for somebody or to be sent, and those that the provider was asked for."""
    asked_for = exists(
        select(Operation.id).where(
            Operation.id == Refund.operation_id, Operation.sent_at.is_not(None)
        )
    )
    written_down = Refund.state == RefundState.PENDING.value
    waiting = or_(
        Refund.state == RefundState.PENDING_APPROVAL.value, and_(written_down, ~asked_for)
    )
    going = or_(Refund.state == RefundState.UNKNOWN.value, and_(written_down, asked_for))
    return Source(
        lambda place: _refund_rows(waiting, place), lambda place: _refund_rows(going, place)
    )


def _refund_rows(condition: ColumnElement[bool], place: Place) -> Rows:
    return select(
        literal("refund"),
        Refund.id,
        Refund.state,
        Refund.amount_minor,
        Refund.asset,
        Refund.approval_id,
        Refund.created_at,
    ).where(condition, *_within(Refund, place))


KINDS: Mapping[str, Sequence[Source]] = {
    "releases": (),
    "payouts": (),
    "refunds": (_refunds(), _approvals(Act.REFUND)),
    "withdrawals": (),
}
# Each act that a freeze holds is counted under one kind; a test asks that none is left out.
KIND_OF: Mapping[Act, str] = {Act.REFUND: "refunds"}
NOTHING = Forecast(dict.fromkeys(KINDS, 0), (), 0)
HELD_ACTS = frozenset(act for act, rule in RULES.items() if rule.is_held_by_freeze)


def forecast(session: Session, place: Place) -> Forecast:
    """Count and sum what a freeze of a place holds, or would hold, as of now.

    Transaction: caller's, reads only.
    """
    counts, sums = dict.fromkeys(KINDS, 0), dict[str, int]()
    for kind, sources in KINDS.items():
        for source in sources:
            rows = source.waiting(place).subquery()
            name, minor = rows.c[4], func.coalesce(func.sum(rows.c[3]), 0)
            for asset_name, total, number in session.execute(
                select(name, minor, func.count()).group_by(name)
            ):
                counts[kind] += number
                if asset_name is not None:
                    sums[asset_name] = sums.get(asset_name, 0) + int(total)
    amounts = [Money(total, asset(name)) for name, total in sorted(sums.items())]
    return Forecast(counts, amounts, _count_on_their_way(session, place))


def _sources() -> list[Source]:
    return [source for sources in KINDS.values() for source in sources]


def _count_on_their_way(session: Session, place: Place) -> int:
    found = [source.on_its_way(place) for source in _sources() if source.on_its_way]
    return sum(
        session.scalar(select(func.count()).select_from(rows.subquery())) or 0 for rows in found
    )


def list_waiting(session: Session, place: Place, *, limit: int = MOST_LISTED) -> list[Item]:
    """List what a freeze of a place holds, oldest first; `forecast` counts all of it.

    Transaction: caller's, reads only.
    """
    return _items(session, [source.waiting(place) for source in _sources()], limit)


def list_on_their_way(session: Session, place: Place, *, limit: int = MOST_LISTED) -> list[Item]:
    """List what it is too late to hold, oldest first.

    Transaction: caller's, reads only.
    """
    found = [source.on_its_way(place) for source in _sources() if source.on_its_way]
    return _items(session, found, limit)


def _items(session: Session, parts: Sequence[Rows], limit: int) -> list[Item]:
    if not parts:
        return []
    rows = union_all(*parts).subquery()
    statement = select(rows).order_by(rows.c[6], rows.c[1]).limit(limit)
    return [
        Item(
            kind=kind,
            id=row_id,
            status=status,
            amount=Money(int(minor), asset(name)) if minor is not None and name else None,
            approval_id=approval_id,
            at=at,
        )
        for kind, row_id, status, minor, name, approval_id, at in session.execute(statement)
    ]
