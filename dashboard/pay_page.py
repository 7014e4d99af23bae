"""The pay page around the state of a payment: who asks, for what, how much, until when. No routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.states import Payment as Status
from core.states import PaymentSub
from dashboard import pay_words, payments, words
from dashboard.shapes import Fact, View
from domain import desk
from domain.delays import eta
from domain.delays.eta import Eta
from domain.desk import Session
from domain.payments import calls, captures, operations
from domain.payments.captures import Capture
from domain.payments.payments import get_by_public_id
from models.orders import Order
from models.payments import Payment
from providers import registry
from providers.seam import Rail

_PAYABLE = frozenset(
    {
        PaymentSub.NONE.value,
        PaymentSub.REQUIRES_PAYMENT_METHOD.value,
        PaymentSub.REQUIRES_ACTION.value,
    }
)
# Numbers that every Stripe test account knows.
# Source: https://docs.stripe.com/testing#cards
TEST_CARDS = (
    ("4242 4242 4242 4242", "pays"),
    ("4000 0025 0000 3155", "asks for 3D Secure, then pays"),
    ("4000 0000 0000 9995", "declined: not enough money"),
    ("4000 0000 0000 0002", "declined by the bank"),
)


@dataclass(frozen=True)
class Shown:
    """A payment as its payer sees it. later: the attempt that took its place; captures: what was taken of
    a hold, where that was not all; is_hold: the card is only to be held at first; expected: when it is final; onward: where the merchant wants them to go
    after their bank.
    """

    payment: Payment
    order: Order | None
    merchant: str
    rail: Rail
    secret: str | None
    expected: Eta | None = None
    later: Payment | None = None
    captures: Sequence[Capture] = ()
    is_hold: bool = False
    onward: str | None = None

    @property
    def href(self) -> str:
        """The page's own address."""
        return f"/pay/{self.payment.public_id}"


def find(session: Session, public_id: str) -> Shown:
    """Fetch a payment for its payer.

    Raises: NotFound
    """
    payment = get_by_public_id(session, public_id)
    found = desk.orders_by_id(session, [payment.order_id])
    merchants = desk.merchants_of(session, [payment.merchant_id])
    made = desk.creation_of(session, payment.id)
    said = made.request if made is not None else {}
    is_open = payment.status == Status.PENDING
    is_part = 0 < payment.received_minor < payment.amount_minor
    return Shown(
        payment=payment,
        order=found.get(payment.order_id or ""),
        merchant=merchants.get(payment.merchant_id, "the merchant"),
        rail=registry.get(payment.provider),
        secret=operations.client_secret(payment) if is_open else None,
        is_hold=is_open and said.get("captureMethod") == "manual",
        onward=calls.text_of(said.get("returnUrl")),
        expected=eta.of_payment(session, payment),
        captures=captures.list_captures(session, payment.id) if is_part else (),
        later=session.get(Payment, payment.superseded_by_id) if payment.superseded_by_id else None,
    )


def has_form(shown: Shown) -> bool:
    """Tell whether the payer may type a card here now."""
    payment = shown.payment
    is_open = payment.status == Status.PENDING and payment.sub_state in _PAYABLE
    return is_open and payment.method == "intent" and bool(shown.secret)


def page_view(shown: Shown) -> View:
    """Prepare the page around the state: who asks, for what, how much, until when."""
    payment, order = shown.payment, shown.order
    what, said = payments.purpose(payment), pay_words.of(payment.rail)
    facts = []
    if order is not None:
        facts.append(Fact("Order", order.reference or words.short(order.id)))
        facts.append(Fact("Order total", words.plain(words.money(order.total_minor, order.asset))))
    if payment.bank_reference:
        facts.append(Fact("On your statement", payment.bank_reference))
    if payment.expires_at and payment.status == Status.PENDING:
        facts.append(Fact("Pay before", words.absolute(payment.expires_at)))
    is_test = shown.rail.mode == "test"
    cards = [{"number": number, "text": text} for number, text in TEST_CARDS]
    return {
        "merchant": {"name": shown.merchant, "initials": words.initials(shown.merchant)},
        "title": f"{what} for “{order.description}”" if order else what,
        "amount": words.money(payment.amount_minor, payment.asset),
        "facts": facts,
        "reference": payment.id,
        "assurance": said.assurance.format(label=shown.rail.label),
        "verb": "Reserve" if shown.is_hold else "Pay",
        "note": _note(shown),
        "element": "card",
        "publishable_key": shown.rail.publishable_key,
        "client_secret": shown.secret,
        "return_url": f"{shown.href}/return",
        "state_url": f"{shown.href}/state",
        "hosted_url": None,
        "onward": {"href": shown.onward, "label": f"Back to {shown.merchant}"}
        if shown.onward
        else None,
        "test_cards": cards if is_test else None,
    }


def _note(shown: Shown) -> str:
    if shown.is_hold:
        return (
            "Held on your card and not charged yet."
            f" {shown.merchant} charges it when the order is confirmed, or lets it go."
        )
    return "Held in escrow for the order; the seller is paid when it is released."
