"""Starting a payment: one open attempt per order and purpose, as an intent or a checkout page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import bank_references, clock, ids
from core.errors import Conflict, IllegalTransition, invalid
from core.money import Money, asset
from core.states import MAPPING_VERSION, Escrow, PaymentSub
from core.states import Order as OrderStatus
from core.states import Payment as Status
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.invoices import following, opening
from domain.mail import mails
from domain.orders.order_progress import lock_order
from domain.orders.orders import get_order
from domain.payments import operations, payers, payment_events
from domain.transitions import Why
from models.operations import Operation
from models.orders import Order
from models.payments import Payment
from providers import registry
from providers.seam import Rail

OPEN_SECONDS = 24 * 3600
PURPOSES = ("deposit", "balance")
# By how it is to be paid: which rail it goes to, and which operation makes it there.
RAIL_OF = {"intent": "card", "checkout": "card", "link": "bank"}
KINDS = {"intent": "create_intent", "checkout": "create_checkout", "link": "create_link"}


@dataclass(frozen=True)
class PaymentWanted:
    """What a payer or merchant asks for. method: `intent` (our pay page), `checkout` (Stripe's) or `link`
    (the payer's own bank).

    provider: None for the one that its method's rail goes to; reference: the caller's own name of it, which
    is also what a bank statement shall say; amount: less than what is due, or None for all of it; supersedes:
    the ended attempt it follows; return_url: where a payer who comes back from their bank is sent on to.
    """

    order_id: str
    purpose: str = "deposit"
    method: str = "intent"
    provider: str | None = None
    capture_method: str = "automatic"
    reference: str | None = None
    metadata: dict[str, Json] = field(default_factory=dict)
    success_url: str | None = None
    cancel_url: str | None = None
    amount: Money | None = None
    supersedes: str | None = None
    return_url: str | None = None


@dataclass(frozen=True)
class Begun:
    """An attempt to pay, and the operation to run for it; fence None: there is nothing to run."""

    payment: Payment
    operation: Operation
    fence: int | None
    is_new: bool


def amount_due(order: Order, purpose: str) -> Money:
    """Say what a purpose asks of an order now: the unpaid deposit (or total), or the balance.

    Raises: Conflict ORDER_ALREADY_PAID when nothing is left of it.
    """
    wanted = order.total_minor
    if purpose == "deposit" and order.deposit_minor is not None:
        wanted = order.deposit_minor
    left = wanted - order.paid_minor
    if left <= 0:
        raise Conflict(
            "This order's payment has arrived already.",
            code="ORDER_ALREADY_PAID",
            details={"orderId": order.id, "link": f"/api/orders/{order.id}"},
        )
    return Money(left, asset(order.asset))


def _asked(order: Order, wanted: PaymentWanted) -> Money:
    due = amount_due(order, wanted.purpose)
    if wanted.amount is None:
        return due
    if due < wanted.amount:
        raise Conflict("The order lacks less than that by now.", code="AMOUNT_EXCEEDED")
    return wanted.amount


def _rail(session: Session, order: Order, wanted: PaymentWanted) -> Rail:
    """Choose who is asked, and check that it can be.

    Raises: RailNotConfigured, InvalidInput
    """
    if wanted.provider is not None:
        rail = registry.configured(wanted.provider, livemode=order.livemode)
    else:
        rail = registry.of_rail(RAIL_OF[wanted.method], livemode=order.livemode)
    code = asset(order.asset).code
    if rail.currencies is not None and code not in rail.currencies:
        taken = ", ".join(sorted(rail.currencies))
        sentence = f"{rail.label} takes {taken}, not {code}."
        raise invalid("orderId", sentence, code="currency_not_taken")
    if rail.names_payer:
        payers.assert_known(session, order)
    return rail


def _bank_reference(rail: Rail, payment_id: str, reference: str | None) -> str | None:
    """Choose what the bank statement shall say: the caller's own words where the scheme carries them.

    Raises: InvalidInput BANK_REFERENCE_INVALID
    """
    if rail.reference_scheme is None:
        return None
    if reference is None:
        return bank_references.make(payment_id)
    return bank_references.assert_carried(reference, rail.reference_scheme)


def _assert_payable(order: Order) -> None:
    if order.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REFUNDED):
        raise IllegalTransition("order", order.status, "paid")


def begin(session: Session, wanted: PaymentWanted, *, actor: Actor, source: str) -> Begun:
    """Make the attempt and its operation, or take up the one that is open.

    The order row is locked, and a unique key stands behind the check: one open attempt per order
    and purpose. It pays the invoice that stands for its purpose, which is opened if there is none.
    Writes: payments, operations, invoices, event_log, audit_log. Emits: payment.created,
    invoice.pending_payment, and as `opening.ensure`.
    Raises: NotFound, Conflict, IllegalTransition, RailNotConfigured, LostRace.
    Transaction: caller's; the provider is called after its commit.
    """
    get_order(session, wanted.order_id, actor=actor)
    order = lock_order(session, wanted.order_id)
    rail = _rail(session, order, wanted)
    _assert_payable(order)
    due = _asked(order, wanted)
    statement = select(Payment).where(Payment.open_key == f"{order.id}:{wanted.purpose}")
    if (payment := session.scalars(statement).first()) is not None:
        return _take_up(session, payment, wanted)
    now = clock.now()
    payment_id = ids.new("pay")
    payment = Payment(
        id=payment_id,
        order_id=order.id,
        purpose=wanted.purpose,
        status=Status.PENDING.value,
        sub_state=PaymentSub.NONE.value,
        escrow_state=Escrow.UNFUNDED.value,
        mapping_version=MAPPING_VERSION,
        asset=order.asset,
        amount_minor=due.minor,
        received_minor=0,
        capturable_minor=0,
        refunded_minor=0,
        rail=rail.rail,
        provider=rail.name,
        bank_reference=_bank_reference(rail, payment_id, wanted.reference),
        method=wanted.method,
        direction="in",
        public_id=ids.new("pp"),
        supersedes_id=wanted.supersedes,
        open_key=f"{order.id}:{wanted.purpose}",
        expires_at=_expiry(order),
        buyer_id=order.buyer_id,
        seller_id=order.seller_id,
        merchant_id=order.merchant_id,
        subscription_ref=order.subscription_ref,
        subscription_period=order.subscription_period,
        reference=wanted.reference,
        meta=wanted.metadata,
        event_sequence=1,
        check_count=0,
        fence=0,
        livemode=order.livemode,
        demo=order.demo,
        created_at=now,
        updated_at=now,
    )
    why = Why(actor, source)
    invoice = opening.ensure(session, order, wanted.purpose, why=why)
    payment.invoice_id = invoice.id
    session.add(payment)
    session.flush()
    operation = _operation(session, payment, order, wanted, actor)
    _announce(session, payment, actor=actor, source=source)
    events.append(session, following.begin(session, invoice, why=why))
    return Begun(payment, operation, operation.fence, is_new=True)


def _expiry(order: Order) -> datetime:
    expiry = clock.after(OPEN_SECONDS)
    # Stripe's checkout sessions live at least 30 minutes, whatever the order's deadline says.
    if order.deposit_due_at and clock.after(1860) < order.deposit_due_at < expiry:
        return order.deposit_due_at
    return expiry


def _operation(
    session: Session, payment: Payment, order: Order, wanted: PaymentWanted, actor: Actor
) -> Operation:
    request: dict[str, Json] = {
        "description": order.description,
        "amountMinor": payment.amount_minor,
        "asset": payment.asset,
        "captureMethod": wanted.capture_method,
        "successUrl": wanted.success_url,
        "cancelUrl": wanted.cancel_url,
    }
    if wanted.method == "link":
        request["returnUrl"] = wanted.return_url
        request["providerReturn"] = _way_back(payment)
    asked = operations.Wanted(KINDS[wanted.method], f"create:{payment.id}", payment, request)
    return operations.prepare(session, asked, actor=actor)


def _way_back(payment: Payment) -> str:
    """Say where a payer's bank sends them back to: their payment's own page, or where all of a provider's do."""
    if registry.get(payment.provider).returns_by:
        return mails.link(f"/pay/back/{payment.provider}")
    return mails.link(f"/pay/{payment.public_id}/return")


def usual_method(provider: str) -> str:
    """Give how a payment is paid at a provider when nobody says more."""
    return "link" if "link" in registry.get(provider).methods else "intent"


def _take_up(session: Session, payment: Payment, wanted: PaymentWanted) -> Begun:
    """Go on with the open attempt; if its creation has not finished, finish it under the same key."""
    if payment.method != wanted.method:
        raise Conflict(
            "This order has an open payment of another kind. Complete or cancel it first.",
            details={"paymentId": payment.id, "link": f"/api/payments/{payment.id}"},
        )
    operation = operations.find_by_key(session, f"create:{payment.id}")
    if operation is None:
        raise Conflict("The open payment of this order has no operation.")
    if operation.state in operations.UNFINISHED:
        return Begun(payment, operation, operations.take(session, operation), is_new=False)
    return Begun(payment, operation, None, is_new=False)


def _announce(session: Session, payment: Payment, *, actor: Actor, source: str) -> None:
    events.append(session, [payment_events.created_row(payment, source=source)])
    audit.write(
        session,
        "payment.create",
        actor=actor,
        object_kind="payment",
        object_id=payment.id,
        source=source,
        after={
            "amountMinor": payment.amount_minor,
            "asset": payment.asset,
            "purpose": payment.purpose,
        },
    )
