"""What the pay page says of each state of a payment, in words for the person who pays. No routes."""

from __future__ import annotations

from urllib.parse import urlsplit

from core.states import Payment as Status
from core.states import PaymentSub
from dashboard import pay_words, words
from dashboard.pay_page import Shown
from dashboard.shapes import View
from domain.payments import captures, reversals
from models.payments import Payment

_PAID = frozenset({Status.COMPLETED.value, Status.RELEASED.value, Status.REFUNDED.value})
# Why a hold that nobody captured was given up by the provider itself.
_LAPSED = frozenset({"automatic", "expired"})


def _words(shown: Shown) -> pay_words.PayWords:
    return pay_words.of(shown.payment.rail)


def _amount(shown: Shown) -> str:
    return _said(shown, shown.payment.amount_minor)


def _said(shown: Shown, minor: int) -> str:
    return words.plain(words.money(minor, shown.payment.asset))


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
        # Whether there is nothing else to do here than to follow the link.
        "leads": False,
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
        text = f"We are asking {_words(shown).asking}. Please do not pay anywhere else meanwhile."
        return _state("waiting", ("info", "half", "One moment, please", text), shown)
    if payment.method != "intent":
        return _elsewhere(shown)
    if payment.provider_code and payment.sub_state != PaymentSub.REQUIRES_ACTION:
        said = _words(shown)
        return _state("declined", ("bad", "failed", said.refused_title, said.refused), shown)
    return {"name": "form", "final": False, "notice": _notice_text(shown), "eta": None}


def _is_made(shown: Shown) -> bool:
    return bool(shown.secret) or shown.payment.method != "intent"


def _paid(shown: Shown) -> View:
    payment = shown.payment
    received = _said(shown, payment.received_minor or payment.amount_minor)
    if payment.status == Status.REFUNDED:
        text = f"{received} went back to {_words(shown).account}. Banks show it within a few days."
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
    said, label = _words(shown), shown.rail.label
    text = said.elsewhere.format(merchant=shown.merchant, label=label)
    link = (href, said.elsewhere_verb.format(label=label)) if (href := hosted_page(shown)) else None
    if link is None:
        text = f"The page of this payment is not ready. Ask {shown.merchant} for a new link."
    if shown.payment.provider_code and shown.payment.sub_state != PaymentSub.REQUIRES_ACTION:
        return _state(
            "declined", ("bad", "failed", said.refused_title, said.refused), shown, link=link
        )
    title = said.elsewhere_title.format(label=label)
    waiting = _state("waiting", ("info", "open", title, text), shown, link=link)
    return waiting | {"leads": link is not None}


def hosted_page(shown: Shown) -> str | None:
    """Give the provider's own page, only when it lies where that provider's pages lie."""
    url = shown.payment.hosted_url or ""
    parts = urlsplit(url)
    own = f"{parts.scheme}://{parts.netloc}"
    below = parts.hostname or ""
    is_theirs = any(
        below.endswith(host) and parts.scheme == "https" if host.startswith(".") else own == host
        for host in shown.rail.hosts
    )
    return url if parts.netloc and is_theirs else None


def returned_view(shown: Shown) -> View:
    """Say where the payment stands to somebody who comes back from the bank or the provider's page."""
    state, said = state_view(shown), _words(shown)
    if state["name"] == "form" or (state["name"] == "waiting" and shown.payment.method == "link"):
        link = (shown.href, said.back)
        told = ("info", "half", said.waiting_title, said.waiting)
        return _with_eta(_state("waiting", told, shown, link=link), shown)
    if state["name"] == "declined":
        return state | {"href": shown.href, "label": said.again}
    return state
