"""A sample story as rows: order, milestones, payment, its operation, names and facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core import hashing
from core.states import MAPPING_VERSION, Escrow, Kyc, PurchaseRequest
from core.states import Order as OrderStatus
from core.states import Payment as Status
from core.strictjson import Json
from domain.samples.bulk import Sheaf
from domain.samples.dice import Namer
from domain.samples.story import Attempt, Story
from models.operations import Operation
from models.orders import Milestone, Order
from models.payments import Payment, PaymentFact, ProviderReference

LABEL: dict[str, Json] = {"sample": True}
APPROVED = Kyc.APPROVED.value
OPEN_FOR = timedelta(hours=24)
ANSWERED = timedelta(milliseconds=340)
# Which fact the provider stated last, by how an attempt ended.
_SAID = {
    "challenged": "requires_action",
    "held": "authorized",
    "debiting": "processing",
    "stuck": "processing",
    "completed": "succeeded",
    "expired": "expired",
    "declined": "failed",
    "cancelled": "cancelled",
}
_WITH_AMOUNT = ("authorized", "succeeded")
_TOLD_BY_EVENT = ("challenged", "held", "debiting", "stuck", "completed")


@dataclass(frozen=True)
class Names:
    """Every id that the rows of one attempt share. reference: the provider's, None: never made there."""

    order: str
    invoice: str
    payment: str
    operation: str
    inbound: str | None
    intent: str
    reference: str | None
    charge: str | None

    @property
    def source(self) -> str:
        """What told of the attempt's last turn."""
        return f"inbound:{self.inbound}" if self.inbound else f"operation:{self.operation}"


def name_attempt(namer: Namer, order_id: str, attempt: Attempt, *, invoice_id: str) -> Names:
    """Give an attempt its ids."""
    at = attempt.begun_at
    intent = f"pi_3S{namer.chance(22)}"
    session = f"cs_test_a1{namer.chance(24)}"
    was_made = attempt.end != "declined"
    told = attempt.end in _TOLD_BY_EVENT
    return Names(
        order=order_id,
        invoice=invoice_id,
        payment=namer.at("pay", at),
        operation=namer.at("op", at),
        inbound=namer.at("inb", attempt.told_at) if told else None,
        intent=intent,
        reference=(session if attempt.method == "checkout" else intent) if was_made else None,
        charge=f"ch_3S{namer.chance(22)}" if attempt.received_minor else None,
    )


def fact_key(names: Names, kind: str, amount_minor: int) -> str:
    """Give the permanent key of a fact, as the provider's adapter makes it."""
    if kind == "expired":
        return f"paydesk:{names.payment}:expired"
    if kind == "failed":
        return f"paydesk:{names.payment}:refused:{names.operation}"
    suffix = f":{amount_minor}" if kind in _WITH_AMOUNT else ""
    return f"stripe:{names.intent}:{kind}{suffix}"


def add_order(
    sheaf: Sheaf, story: Story, order_id: str, *, namer: Namer, invoice_id: str | None
) -> None:
    """Add an order with its milestones. invoice_id: the invoice that stands now.

    Writes: orders, milestones, through the sheaf.
    """
    last = story.attempts[-1]
    row: dict[str, object] = {
        "id": order_id,
        "status": story.status.value,
        "request_status": _request_status(story),
        "description": story.description,
        "asset": str(story.asset),
        "total_minor": story.total_minor,
        "deposit_minor": story.deposit_minor,
        "paid_minor": story.paid_minor,
        "buyer_id": story.buyer_id,
        "seller_id": story.seller_id,
        "merchant_id": story.merchant_id,
        "invoice_id": invoice_id,
        "metadata": LABEL,
        "event_sequence": 1 + sum(bool(attempt.received_minor) for attempt in story.attempts),
        "livemode": False,
        "demo": True,
        "created_at": story.made_at,
        "updated_at": last.ended_at,
    }
    sheaf.add(Order, row)
    for position, (title, minor) in enumerate(story.milestones, start=1):
        milestone: dict[str, object] = {
            "id": namer.at("mil", story.made_at),
            "order_id": order_id,
            "position": position,
            "title": title,
            "amount_minor": minor,
            "released_minor": 0,
            "refunded_minor": 0,
            "status": "open",
        }
        sheaf.add(Milestone, milestone)


def _request_status(story: Story) -> str:
    last = story.attempts[-1]
    if story.status in (OrderStatus.DEPOSIT_PAID, OrderStatus.PAID):
        return PurchaseRequest.PROCESSING.value
    if story.status == OrderStatus.CANCELLED:
        return PurchaseRequest.CANCELLED.value
    seen = last.status == Status.PROCESSING
    return (PurchaseRequest.PAYMENT if seen else PurchaseRequest.OPEN).value


def add_payment(
    sheaf: Sheaf, story: Story, attempt: Attempt, names: Names, *, namer: Namer
) -> None:
    """Add a payment, as the settle path leaves one. The janitor shall not ask about it.

    Writes: payments, operations, provider_references, payment_facts, through the sheaf.
    """
    is_open = attempt.status in (Status.PENDING, Status.PROCESSING)
    code, message = attempt.decline or (None, None)
    reason = {"expired": "expired", "declined": "declined", "cancelled": "requested_by_customer"}
    ended = {"expired": "expired", "cancelled": "requested_by_customer"}.get(attempt.end)
    row: dict[str, object] = {
        "id": names.payment,
        "order_id": names.order,
        "invoice_id": names.invoice,
        "purpose": attempt.purpose,
        "status": attempt.status.value,
        "sub_state": attempt.sub_state.value,
        "escrow_state": (Escrow.FUNDED if attempt.received_minor else Escrow.UNFUNDED).value,
        "mapping_version": MAPPING_VERSION,
        "asset": str(story.asset),
        "amount_minor": attempt.amount_minor,
        "received_minor": attempt.received_minor,
        "capturable_minor": attempt.amount_minor if attempt.end == "held" else 0,
        "refunded_minor": 0,
        "rail": "card",
        "provider": "stripe",
        "provider_reference": names.reference,
        "method": attempt.method,
        "direction": "in",
        "failure_reason": reason.get(attempt.end),
        "provider_code": code or ended,
        "provider_message": message,
        "card_brand": attempt.brand if attempt.received_minor else None,
        "card_last4": attempt.last4 if attempt.received_minor else None,
        "public_id": namer.at("pp", attempt.begun_at),
        "open_key": f"{names.order}:{attempt.purpose}" if is_open else None,
        "expires_at": attempt.begun_at + OPEN_FOR,
        "buyer_id": story.buyer_id,
        "seller_id": story.seller_id,
        "merchant_id": story.merchant_id,
        "metadata": LABEL,
        "event_sequence": 1 if attempt.end in ("open", "cancelled") else 2,
        "check_count": 0,
        "fence": 0,
        "livemode": False,
        "demo": True,
        "created_at": attempt.begun_at,
        "updated_at": attempt.ended_at,
    }
    sheaf.add(Payment, row)
    _add_operation(sheaf, story, attempt, names)
    _add_names(sheaf, attempt, names)
    _add_facts(sheaf, attempt, names, namer)


def _add_operation(sheaf: Sheaf, story: Story, attempt: Attempt, names: Names) -> None:
    request: dict[str, Json] = {
        "description": story.description,
        "amountMinor": attempt.amount_minor,
        "asset": str(story.asset),
        "captureMethod": "manual" if attempt.end == "held" else "automatic",
    }
    refused = attempt.end == "declined"
    code, message = attempt.decline or (None, None)
    row: dict[str, object] = {
        "id": names.operation,
        "kind": "create_checkout" if attempt.method == "checkout" else "create_intent",
        "business_key": f"create:{names.payment}",
        "provider": "stripe",
        "provider_key": f"{names.operation}-1",
        "epoch": 1,
        "provider_reference": names.reference,
        "request": request,
        "request_hash": hashing.sha256(repr(request).encode()),
        "state": "failed" if refused else "succeeded",
        "attempts": 1,
        "fence": 1,
        "error_code": code,
        "error_message": message,
        "payment_id": names.payment,
        "order_id": names.order,
        "actor": story.buyer_id,
        "sent_at": attempt.begun_at,
        "created_at": attempt.begun_at,
        "updated_at": attempt.begun_at + ANSWERED,
    }
    sheaf.add(Operation, row)


def _add_names(sheaf: Sheaf, attempt: Attempt, names: Names) -> None:
    known: list[tuple[str, str, datetime]] = []
    if names.reference is not None:
        kind = "session" if attempt.method == "checkout" else "intent"
        known.append((names.reference, kind, attempt.begun_at))
    if names.inbound is not None and attempt.method == "checkout":
        known.append((names.intent, "payment_intent", attempt.told_at))
    if names.charge is not None:
        known.append((names.charge, "charge", attempt.told_at))
    for reference, kind, at in known:
        row: dict[str, object] = {
            "provider": "stripe",
            "reference": reference,
            "kind": kind,
            "payment_id": names.payment,
            "created_at": at,
        }
        sheaf.add(ProviderReference, row)


def _add_facts(sheaf: Sheaf, attempt: Attempt, names: Names, namer: Namer) -> None:
    facts: list[tuple[str, datetime, str]] = []
    if names.reference is not None:
        facts.append(("created", attempt.begun_at + ANSWERED, f"operation:{names.operation}"))
    if said := said_by(attempt):
        at = attempt.told_at if names.inbound else attempt.ended_at
        facts.append((said, at, names.source))
    code, message = attempt.decline or (None, None)
    for kind, at, source in facts:
        last = kind != "created"
        row: dict[str, object] = {
            "id": namer.at("fct", at),
            "payment_id": names.payment,
            "fact_key": fact_key(names, kind, attempt.amount_minor),
            "kind": kind,
            "amount_minor": attempt.amount_minor if kind in _WITH_AMOUNT else None,
            "code": _code(attempt, code) if last else None,
            "message": message if last else None,
            "source": source,
            "said_at": at,
            "seen_at": at,
        }
        sheaf.add(PaymentFact, row)


def _code(attempt: Attempt, declined: str | None) -> str | None:
    ended = {"expired": "expired", "cancelled": "requested_by_customer"}
    return ended.get(attempt.end, declined)


def said_by(attempt: Attempt) -> str | None:
    """Name the fact that stands behind how an attempt ended; None while nothing has happened."""
    return _SAID.get(attempt.end)
