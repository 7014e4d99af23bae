"""What measurements work on: payments that wait for money, and signed events as Stripe writes them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from core import clock, ids
from domain import database, events, pending, sequencer
from domain.actors import system
from domain.books import chains
from domain.inbox import receiving
from domain.invoices import following, opening
from domain.transitions import Why
from models.invoices import Document
from models.orders import Order
from models.payments import Payment, ProviderReference
from models.people import Merchant, User
from providers.deliveries import Sent
from providers.stripe.sdk import API_VERSION

SECRET = "whsec_bench"
AMOUNT = 12_500
_BATCH = 500
_WHY = Why(system("bench"), "bench")


@dataclass(frozen=True)
class Pending:
    """A payment that waits for its money, and what the provider calls it."""

    payment_id: str
    order_id: str
    intent: str


def intent_object(intent: str, payment_id: str) -> dict[str, object]:
    """Write a succeeded payment intent as Stripe does, about as long as one is."""
    return {
        "id": intent,
        "object": "payment_intent",
        "amount": AMOUNT,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": AMOUNT,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{intent}_secret_{hashlib.sha256(intent.encode()).hexdigest()[:24]}",
        "confirmation_method": "automatic",
        "created": clock.unix(),
        "currency": "eur",
        "customer": None,
        "description": "Oak dining table with six chairs, deposit",
        "last_payment_error": None,
        "latest_charge": f"ch_{intent[3:]}",
        "livemode": False,
        "metadata": {"payment_id": payment_id, "order_id": "ord_bench", "operation_id": "op_bench"},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": f"pm_{intent[3:]}",
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def event(intent: str, payment_id: str, *, kind: str = "payment_intent.succeeded") -> bytes:
    """Write one event about an intent, as Stripe sends it: about 2 KB."""
    said = {
        "id": ids.new("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": clock.unix(),
        "data": {"object": intent_object(intent, payment_id)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": ids.new("op")},
        "type": kind,
    }
    return json.dumps(said, indent=1).encode()


def sign(body: bytes, *, secret: str = SECRET) -> str:
    """Give the `Stripe-Signature` of a body, now."""
    stamp = clock.unix()
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={mac}"


def add_pending(count: int) -> list[Pending]:
    """Add orders with a deposit due, each with a payment at the provider that waits for its money.

    Transaction: opens its own, one per batch.
    """
    with database.reading() as session:
        house = session.scalars(select(Merchant.id).where(Merchant.is_house)).one()
    made = [
        Pending(ids.new("pay"), ids.new("ord"), f"pi_bench{number:06d}{ids.new('x')[-12:]}")
        for number in range(count)
    ]
    for batch in _batches(made):
        with database.transaction() as session:
            rows = [_payment(each, house) | _billed(session, each, house) for each in batch]
            session.execute(insert(Payment), rows)
            session.execute(insert(ProviderReference), [_name(each) for each in batch])
            # Their documents were printed long ago: what is measured prints none of them.
            session.execute(delete(Document))
    while sequencer.number_events(ring=False):
        pass
    chains.link_all()
    return made


def _billed(session: Session, each: Pending, merchant_id: str) -> dict[str, object]:
    """Make a payment's order with the invoice that it pays, as the API does when one is placed."""
    order = Order(**_order(each, merchant_id), invoice_id=opening.new_id())
    session.add(order)
    session.flush()
    first = opening.first(session, order, None)
    invoice = opening.write(session, order, first, invoice_id=order.invoice_id, why=_WHY)
    events.append(session, following.begin(session, invoice, why=_WHY))
    pending.write_rows(session)
    return {"invoice_id": invoice.id}


def add_transactions(count: int) -> list[Pending]:
    """Add top-ups of one person's wallet, each at the provider, that wait for their money.

    Transaction: opens its own, one per batch.
    """
    with database.reading() as session:
        house = session.scalars(select(Merchant.id).where(Merchant.is_house)).one()
        payer = session.scalars(select(User.id).order_by(User.created_at)).first()
    made = [
        Pending(ids.new("pay"), "", f"pi_bench{number:06d}{ids.new('x')[-12:]}")
        for number in range(count)
    ]
    for batch in _batches(made):
        rows = [_payment(each, house) | _of_nothing(payer) for each in batch]
        with database.transaction() as session:
            session.execute(insert(Payment), rows)
            session.execute(insert(ProviderReference), [_name(each) for each in batch])
    return made


def _of_nothing(payer: str | None) -> dict[str, object]:
    return {"order_id": None, "purpose": "top_up", "open_key": ids.new("key"), "buyer_id": payer}


def _batches(made: Sequence[Pending]) -> Iterator[list[Pending]]:
    rest = iter(made)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _order(each: Pending, merchant_id: str) -> dict[str, object]:
    return {
        "id": each.order_id,
        "status": "awaiting_deposit",
        "request_status": "open",
        "description": "Oak dining table with six chairs",
        "asset": "EUR/2",
        "total_minor": AMOUNT * 4,
        "deposit_minor": AMOUNT,
        "paid_minor": 0,
        "merchant_id": merchant_id,
        "meta": {},
        "event_sequence": 1,
        "livemode": False,
        "demo": True,
        "created_at": clock.now(),
        "updated_at": clock.now(),
    }


def _payment(each: Pending, merchant_id: str) -> dict[str, object]:
    return {
        "id": each.payment_id,
        "order_id": each.order_id,
        "purpose": "deposit",
        "status": "pending",
        "sub_state": "requires_payment_method",
        "escrow_state": "unfunded",
        "mapping_version": 1,
        "asset": "EUR/2",
        "amount_minor": AMOUNT,
        "rail": "card",
        "provider": "stripe",
        "provider_reference": each.intent,
        "method": "intent",
        "direction": "in",
        "public_id": ids.new("pp"),
        "open_key": f"{each.order_id}:deposit",
        "expires_at": clock.after(24 * 3600),
        "merchant_id": merchant_id,
        "meta": {},
        "event_sequence": 1,
        "livemode": False,
        "demo": True,
        "created_at": clock.now(),
        "updated_at": clock.now(),
    }


def _name(each: Pending) -> dict[str, object]:
    return {
        "provider": "stripe",
        "reference": each.intent,
        "kind": "intent",
        "payment_id": each.payment_id,
        "created_at": clock.now(),
    }


def receive_all(payments: Sequence[Pending]) -> None:
    """Put the success event of each payment into the inbox, the way the door does.

    Transaction: opens its own, shared by those that arrive together.
    """

    def receive(each: Pending) -> None:
        body = event(each.intent, each.payment_id)
        headers = {"Stripe-Signature": sign(body), "Content-Type": "application/json"}
        sent = Sent("POST", "/api/webhooks/stripe", body, headers.get)
        receiving.receive("stripe", sent, headers=headers.items())

    with ThreadPoolExecutor(max_workers=16) as pool:
        for _ in pool.map(receive, payments):
            pass
