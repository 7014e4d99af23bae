"""What the pay page shows for each state of a payment, in words for the person who pays. No routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.states import Payment as Status
from core.states import PaymentSub
from dashboard import payments, words
from dashboard.shapes import Fact, View
from domain import desk
from domain.delays import eta
from domain.delays.eta import Eta
from domain.desk import Session
from domain.payments import captures, operations, reversals
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
_PAID = frozenset({Status.COMPLETED.value, Status.RELEASED.value, Status.REFUNDED.value})
# Numbers that every Stripe test account knows.
# Source: https://docs.stripe.com/testing#cards
TEST_CARDS = (
    ("4242 4242 4242 4242", "pays"),
    ("4000 0025 0000 3155", "asks for 3D Secure, then pays"),
    ("4000 0000 0000 9995", "declined: not enough money"),
    ("4000 0000 0000 0002", "declined by the bank"),
)


# Why a hold that nobody captured was given up by the provider itself.
_LAPSED = frozenset({"automatic", "expired"})


@dataclass(frozen=True)
class Shown:
    """A payment as its payer sees it. later: the attempt that took its place; captures: what was taken of
    a hold, where that was not all; is_hold: the card is only to be held at first; expected: when it is final.
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
    is_part = 0 < payment.received_minor < payment.amount_minor
    return Shown(
        payment=payment,
        order=found.get(payment.order_id or ""),
        merchant=merchants.get(payment.merchant_id, "the merchant"),
        rail=registry.get(payment.provider),
        secret=operations.client_secret(payment) if payment.status == Status.PENDING else None,
        is_hold=_is_hold(session, payment),
        expected=eta.of_payment(session, payment),
        captures=captures.list_captures(session, payment.id) if is_part else (),
        later=session.get(Payment, payment.superseded_by_id) if payment.superseded_by_id else None,
    )


def _is_hold(session: Session, payment: Payment) -> bool:
    if payment.status != Status.PENDING:
        return False
    made = desk.creation_of(session, payment.id)
    return made is not None and made.request.get("captureMethod") == "manual"


def has_form(shown: Shown) -> bool:
    """Tell whether the payer may type a card here now."""
    payment = shown.payment
    is_open = payment.status == Status.PENDING and payment.sub_state in _PAYABLE
    return is_open and payment.method == "intent" and bool(shown.secret)


def _amount(shown: Shown) -> str:
    return _said(shown, shown.payment.amount_minor)


def _said(shown: Shown, minor: int) -> str:
    return words.plain(words.money(minor, shown.payment.asset))


def page_view(shown: Shown) -> View:
    """Prepare the page around the state: who asks, for what, how much, until when."""
    payment, order = shown.payment, shown.order
    what = payments.purpose(payment)
    facts = []
    if order is not None:
        facts.append(Fact("Order", order.reference or words.short(order.id)))
        facts.append(Fact("Order total", words.plain(words.money(order.total_minor, order.asset))))
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
        "assurance": "Card details go straight to Stripe, never through this site.",
        "verb": "Reserve" if shown.is_hold else "Pay",
        "note": _note(shown),
        "element": "card",
        "publishable_key": shown.rail.publishable_key,
        "client_secret": shown.secret,
        "return_url": f"{shown.href}/return",
        "state_url": f"{shown.href}/state",
        "hosted_url": None,
        "test_cards": cards if is_test else None,
    }


def _note(shown: Shown) -> str:
    if shown.is_hold:
        return (
            "Held on your card and not charged yet."
            f" {shown.merchant} charges it when the order is confirmed, or lets it go."
        )
    return "Held in escrow for the order; the seller is paid when it is released."


def _state(
    name: str,
    words_: tuple[str, str, str, str],
    shown: Shown,
    *,
    final: bool = False,
    link: tuple[str, str] | None = None,
) -> View:
    tone, shape, title, text = words_
    href, label = link or (None, None)
    return {
        "name": name,
        "final": final,
        "tone": tone,
        "shape": shape,
        "title": title,
        "text": text,
        "reference": words.short(shown.payment.id) if name != "declined" else None,
        "href": href,
        "label": label,
        "notice": None if final else _notice_text(shown),
        "eta": None,
    }


def _notice_text(shown: Shown) -> str | None:
    """Give what everybody is told of the rail, while it is late or down."""
    said = shown.expected
    return said.text if said is not None and said.is_notice else None


def _with_eta(state: View, shown: Shown) -> View:
    """Say to somebody who waits when it will be there; where a notice says it, in its words alone."""
    said = shown.expected
    if said is None:
        return state
    told = [] if said.is_notice else [said.text]
    if said.at is not None:
        told.append(f"Expected by {words.absolute(said.at)}.")
    return state | {"eta": " ".join(told) or None}


def state_view(shown: Shown) -> View:
    """Say where the payment stands."""
    payment = shown.payment
    if payment.status in _PAID:
        return _paid(shown)
    if payment.status == Status.PROCESSING:
        return _processing(shown)
    if payment.status != Status.PENDING:
        return _ended(shown)
    if payment.sub_state == PaymentSub.UNKNOWN_OUTCOME or not _is_made(shown):
        text = "We are asking the card network. Please do not pay anywhere else meanwhile."
        return _state("waiting", ("info", "half", "One moment, please", text), shown)
    if payment.method != "intent":
        return _elsewhere(shown)
    if payment.provider_code and payment.sub_state != PaymentSub.REQUIRES_ACTION:
        text = "The bank refused it. Nothing was charged. Try another card, or the same one again."
        return _state("declined", ("bad", "failed", "The last card was declined", text), shown)
    return {"name": "form", "final": False, "notice": _notice_text(shown), "eta": None}


def _is_made(shown: Shown) -> bool:
    return bool(shown.secret) or shown.payment.method != "intent"


def _paid(shown: Shown) -> View:
    payment = shown.payment
    received = _said(shown, payment.received_minor or payment.amount_minor)
    if payment.status == Status.REFUNDED:
        text = f"{received} went back to your card. Banks show it within a few days."
        said = ("quiet", "refunded", "This payment was refunded", text)
        return _state("paid", said, shown, final=True)
    text = f"{received} arrived and is held for {shown.merchant}. You may close this page."
    if taken := captures.deliberate(shown.captures, payment):
        let_go = words.plain(words.shown(taken.let_go))
        text = (
            f"{received} of the {_amount(shown)} held on your card was charged; {let_go} was let go."
            " Banks show that within a few days."
        )
    return _state("paid", ("good", "done", "Paid, thank you", text), shown, final=True)


def _processing(shown: Shown) -> View:
    payment = shown.payment
    if payment.sub_state == PaymentSub.REQUIRES_CAPTURE:
        held = _said(shown, payment.capturable_minor or payment.amount_minor)
        until = f", until {words.absolute(payment.hold_ends_at)}" if payment.hold_ends_at else ""
        text = (
            f"{held} is held on your card{until}, and not charged yet."
            f" {shown.merchant} charges it when the order is confirmed, or lets it go."
        )
        said = ("info", "hold", "The amount is reserved", text)
        return _state("processing", said, shown)
    text = "The payment is on its way. You may close this page; the seller is told when it arrives."
    said = ("info", "half", "Your bank is confirming", text)
    return _with_eta(_state("processing", said, shown), shown)


def _ended(shown: Shown) -> View:
    """Say how the attempt ended, whether anything was charged, and how to pay all the same."""
    payment, link = shown.payment, None
    again = f"Ask {shown.merchant} for a new link if you still want to pay."
    if shown.later is not None:
        again, link = (
            "A new payment took its place.",
            (f"/pay/{shown.later.public_id}", "Go on there"),
        )
    name, mark, title, first = _end_of(payment)
    kept = payment.received_minor - payment.refunded_minor - payment.reversed_minor
    if kept > 0:
        # It came after the end: whoever pays must neither pay twice nor be told that nothing happened.
        first = f"{_said(shown, kept)} arrived for it afterwards. {shown.merchant} gives it back or uses it for you."
        again = "Please do not pay again before you have heard from them."
        link = None
    said = ("bad" if name == "failed" else "quiet", mark, title, f"{first} {again}")
    return _state(name, said, shown, final=True, link=link)


def _end_of(payment: Payment) -> tuple[str, str, str, str]:
    """Give the name, mark, title and first sentences of how an attempt ended."""
    nothing = "Nothing was charged."
    if payment.status == Status.CANCELLED:
        title = "This payment was cancelled"
        if payment.failure_reason in _LAPSED:
            title, nothing = (
                "The reservation has ended",
                f"Your card holds nothing any more. {nothing}",
            )
        return "cancelled", "cancelled", title, nothing
    if payment.failure_reason == "expired":
        until = (
            f"It was open until {words.absolute(payment.expires_at)}. "
            if payment.expires_at
            else ""
        )
        return "expired", "expired", "This payment page has expired", f"{until}{nothing}"
    if payment.failure_reason == reversals.REASON:
        title, said = (
            "Your bank took this payment back",
            "It had arrived, and does not count any more.",
        )
        return "failed", "failed", title, said
    return "failed", "failed", "This payment did not go through", nothing


def _elsewhere(shown: Shown) -> View:
    text = f"{shown.merchant} takes this payment on Stripe's own page."
    link = (href, "Pay on Stripe") if (href := hosted_page(shown)) else None
    if link is None:
        text = f"The page of this payment is not ready. Ask {shown.merchant} for a new link."
    return _state("waiting", ("info", "open", "Pay on Stripe's page", text), shown, link=link)


def hosted_page(shown: Shown) -> str | None:
    """Give the provider's own page, only when it lies where that provider's pages lie."""
    parts = urlsplit(shown.payment.hosted_url or "")
    own = urlsplit(shown.rail.js_url)
    is_stripes = parts.scheme == "https" and (parts.hostname or "").endswith(".stripe.com")
    is_stand_in = bool(parts.netloc) and (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
    return shown.payment.hosted_url if is_stripes or is_stand_in else None


def returned_view(shown: Shown) -> View:
    """Say where the payment stands to somebody who comes back from the bank or the provider's page."""
    state = state_view(shown)
    if state["name"] == "form":
        text = (
            "We have not heard from your bank yet. It usually takes a few seconds. "
            "If you have not finished there, you can go back and pay."
        )
        said = ("info", "half", "Waiting for your bank", text)
        link = (shown.href, "Back to the payment")
        return _with_eta(_state("waiting", said, shown, link=link), shown)
    if state["name"] == "declined":
        return state | {"href": shown.href, "label": "Try another card"}
    return state
