"""The trail of a sample order: state changes, events and audit rows, as the rules would have written them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.money import Money
from core.states import MAPPING_VERSION, ORDER_ON_API, Escrow, PaymentSub, Role, lifecycle
from core.states import Order as OrderStatus
from core.states import Payment as Status
from core.strictjson import Json
from domain import audit
from domain.events import ALIASES
from domain.samples.bulk import Row, Sheaf
from domain.samples.dice import Namer
from domain.samples.rows import ANSWERED, Names
from domain.samples.story import Attempt, Story
from models.audit import AuditRow
from models.events import EventLog
from models.payments import StateChange

WORKER, JANITOR = "system:worker", "system:janitor"
_TICK = timedelta(milliseconds=1)
# What the sample events of a status are called.
_EVENTS = {
    "held": "payment.processing",
    "debiting": "payment.processing",
    "stuck": "payment.processing",
    "completed": "payment.succeeded",
    "expired": "payment.expired",
    "declined": "payment.failed",
    "cancelled": "payment.cancelled",
    "challenged": "payment.requires_action",
}


@dataclass(frozen=True)
class Scene:
    """Whose trail is written: the order, and the attempt with its ids where it is about one."""

    story: Story
    order_id: str
    attempt: Attempt | None = None
    names: Names | None = None


class Trail:
    """Adds the trail; gives what the audit chain must link."""

    def __init__(self, sheaf: Sheaf, namer: Namer) -> None:
        self._sheaf, self._namer = sheaf, namer
        self.linked: list[tuple[datetime, str, str]] = []

    def order_made(self, story: Story, order_id: str) -> None:
        """Tell of an order's making."""
        total = Money(story.total_minor, story.asset)
        deposit = story.deposit_minor
        body: dict[str, Json] = {
            "total": total.major(),
            "deposit": None if deposit is None else Money(deposit, story.asset).major(),
            "currency": story.asset.code,
            "buyerId": story.buyer_id,
            "sellerId": story.seller_id,
        }
        scene = Scene(story, order_id)
        status = ORDER_ON_API[OrderStatus.AWAITING_DEPOSIT]
        self._event(
            scene,
            "order.created",
            story.made_at,
            source="api",
            sequence=1,
            status=status,
            body=body,
        )
        after: dict[str, Json] = {"totalMinor": story.total_minor, "asset": str(story.asset)}
        self._audit(scene, "order.create", story.made_at, source="api", after=after)

    def attempt_made(self, story: Story, attempt: Attempt, names: Names) -> None:
        """Tell of a payment's making and of what became of it."""
        scene = Scene(story, names.order, attempt, names)
        self._begun(scene, attempt)
        if attempt.end != "open":
            self._turned(scene, attempt, names)
        if attempt.received_minor:
            self._order_paid(scene, attempt, names)
        for kind, old, new, at, source in _moves(scene):
            self._change(scene, kind, old=old, new=new, at=at, source=source)

    def _begun(self, scene: Scene, attempt: Attempt) -> None:
        of = scene.story.asset
        body: dict[str, Json] = {
            "rail": "card",
            "provider": "stripe",
            "amount": Money(attempt.amount_minor, of).major(),
            "currency": of.code,
            "purpose": attempt.purpose,
            "direction": "in",
        }
        at = attempt.begun_at
        self._event(
            scene, "payment.created", at, source="api", sequence=1, status="pending", body=body
        )
        after: dict[str, Json] = {
            "amountMinor": attempt.amount_minor,
            "asset": str(of),
            "purpose": attempt.purpose,
        }
        self._audit(scene, "payment.create", at, source="api", after=after)

    def _turned(self, scene: Scene, attempt: Attempt, names: Names) -> None:
        arrived = bool(attempt.received_minor)
        status = attempt.status
        reason = "expired" if attempt.end == "expired" else None
        of = scene.story.asset
        body: dict[str, Json] = {"lifecycle": lifecycle(status, reason).value}
        body["previousLifecycle"] = lifecycle(Status.PENDING, None).value
        if arrived:
            amount = Money(attempt.amount_minor, of).major()
            body |= {"amount": amount, "amountReceived": amount, "currency": of.code}
        at = attempt.told_at if names.inbound else attempt.ended_at
        kind = _EVENTS[attempt.end]
        self._event(
            scene, kind, at, source=names.source, sequence=2, status=status.value, body=body
        )
        sub = attempt.sub_state
        before = _stands(Status.PENDING, PaymentSub.REQUIRES_PAYMENT_METHOD, Escrow.UNFUNDED, 0)
        escrow = Escrow.FUNDED if arrived else Escrow.UNFUNDED
        after = _stands(status, sub, escrow, attempt.received_minor)
        self._audit(scene, "payment.settle", at, source=names.source, before=before, after=after)

    def _order_paid(self, scene: Scene, attempt: Attempt, names: Names) -> None:
        story = scene.story
        last = attempt.purpose == "balance"
        paid = sum(each.received_minor for each in story.attempts[: 2 if last else 1])
        left = max(0, story.total_minor - paid)
        body: dict[str, Json] = {
            "paid": Money(paid, story.asset).major(),
            "outstanding": Money(left, story.asset).major(),
            "currency": story.asset.code,
            "requestStatus": "processing",
        }
        kind = "order.paid" if last else "order.deposit_paid"
        status = ORDER_ON_API[OrderStatus.PAID if last else OrderStatus.DEPOSIT_PAID]
        at = attempt.told_at + _TICK
        number = 3 if last else 2
        about = Scene(story, scene.order_id)
        self._event(about, kind, at, source=names.source, sequence=number, status=status, body=body)

    def _event(
        self,
        scene: Scene,
        kind: str,
        at: datetime,
        *,
        source: str,
        sequence: int,
        status: str,
        body: dict[str, Json],
    ) -> None:
        payment_id = scene.names.payment if scene.names else None
        alias, alias_type = ALIASES.get(kind, (None, None))
        row: Row = {
            "id": self._namer.at("evt", at),
            "seq": None,
            "type": kind,
            "at": at,
            "audience": "parties",
            "sequence": sequence,
            "object_id": payment_id or scene.order_id,
            "payment_id": payment_id,
            "order_id": scene.order_id,
            "merchant_id": scene.story.merchant_id,
            "buyer_id": scene.story.buyer_id,
            "seller_id": scene.story.seller_id,
            "status": status,
            "alias": alias,
            "alias_type": alias_type,
            "is_replay": False,
            "demo": True,
            "livemode": False,
            "source": source,
            "body": body,
        }
        self._sheaf.add(EventLog, row)

    def _audit(
        self,
        scene: Scene,
        action: str,
        at: datetime,
        *,
        source: str,
        after: dict[str, Json],
        before: dict[str, Json] | None = None,
    ) -> None:
        by_person = source == "api"
        about = scene.names.payment if scene.names else scene.order_id
        row: Row = {
            "id": self._namer.at("aud", at),
            "at": at.replace(microsecond=at.microsecond // 1000 * 1000),
            "actor": scene.story.buyer_id if by_person else _who(source),
            "role": Role.BUYER.value if by_person else "system",
            "action": action,
            "object_kind": "payment" if scene.names else "order",
            "object_id": about,
            "reason": None,
            "before": before or {},
            "after": after,
            "source": source,
            "session_id": None,
            "address": None,
            "refused": False,
        }
        row["content_hash"] = audit.content_hash(row)
        self._sheaf.add(AuditRow, row)
        self.linked.append((at, str(row["id"]), str(row["content_hash"])))

    def _change(
        self, scene: Scene, kind: str, *, old: str, new: str, at: datetime, source: str
    ) -> None:
        names = scene.names
        assert names is not None  # only attempts move here
        about = {"operation": names.operation, "order": names.order}.get(kind, names.payment)
        row: Row = {
            "id": self._namer.at("chg", at),
            "object_kind": kind,
            "object_id": about,
            "payment_id": None if kind == "order" else names.payment,
            "order_id": names.order,
            "old": old,
            "new": new,
            "actor": scene.story.buyer_id if kind == "operation" else _who(source),
            "reason": None,
            "source": source,
            "mapping_version": MAPPING_VERSION,
            "at": at,
        }
        self._sheaf.add(StateChange, row)


def _who(source: str) -> str:
    return WORKER if source.startswith("inbound:") else JANITOR


def _stands(status: Status, sub: PaymentSub, escrow: Escrow, received: int) -> dict[str, Json]:
    return {
        "status": status.value,
        "subState": sub.value,
        "escrowState": escrow.value,
        "receivedMinor": received,
        "capturableMinor": 0,
    }


Move = tuple[str, str, str, datetime, str]


def _moves(scene: Scene) -> Iterator[Move]:
    """List every move of an attempt: kind, old, new, when, source."""
    attempt, names, story = scene.attempt, scene.names, scene.story
    assert attempt is not None and names is not None  # only attempts move here
    made = f"operation:{names.operation}"
    answered = attempt.begun_at + ANSWERED
    refused = attempt.end == "declined"
    yield "operation", "prepared", "sent", answered, made
    yield "operation", "sent", "failed" if refused else "succeeded", answered, made
    sub, status = "none", "pending"
    if not refused:
        sub = "requires_payment_method"
        yield "payment_sub", "none", sub, answered, made
    at = attempt.told_at if names.inbound else attempt.ended_at
    if attempt.status != status:
        yield "payment", status, attempt.status.value, at, names.source
    if sub != attempt.sub_state:
        yield "payment_sub", sub, attempt.sub_state.value, at, names.source
    if attempt.received_minor:
        yield "escrow", "unfunded", "funded", at, names.source
        reached = "paid" if attempt.purpose == "balance" else "deposit_paid"
        before = "deposit_paid" if attempt.purpose == "balance" else "awaiting_deposit"
        yield "order", before, reached, at, names.source
    elif story.status in (OrderStatus.EXPIRED, OrderStatus.CANCELLED):
        yield "order", "awaiting_deposit", story.status.value, at, names.source
