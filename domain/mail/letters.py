"""Letters to those who pay: a receipt, a refund, what support writes; plain text, from one template each."""

from __future__ import annotations

from dataclasses import dataclass

from core import rail_words
from core.money import Money, asset
from domain.mail.mails import Letter
from models.orders import Order
from models.payments import Payment
from models.people import Merchant


@dataclass(frozen=True)
class About:
    """What a letter speaks of. order: what was paid for, None for a wallet; merchant: who was paid."""

    payment: Payment
    order: Order | None
    merchant: Merchant


def receipt(about: About, amount: Money) -> Letter:
    """Write the receipt of an amount that has arrived. Source: requirement S212, told on Confirmed only."""
    lines = [
        f"We have received your payment of {_said(amount)}.",
        "",
        *_facts(about),
        f"Amount: {_said(amount)}",
        *_source(about.payment),
    ]
    if about.payment.receipt_url:
        issuer = rail_words.of(about.payment.rail).receipt_of
        lines.append(f"Receipt of {issuer}: {about.payment.receipt_url}")
    lines += ["", "Keep this message: the payment's number is all that support needs to find it."]
    return Letter("receipt", f"Receipt for {_said(amount)}", "\n".join(lines))


def refund(about: About, amount: Money) -> Letter:
    """Write that an amount was given back."""
    lines = [
        f"We have given back {_said(amount)} of your payment.",
        "",
        *_facts(about),
        f"Given back: {_said(amount)}",
        *_source(about.payment),
        "",
        rail_words.of(about.payment.rail).arrives_sentence,
    ]
    return Letter("refund", f"Refund of {_said(amount)}", "\n".join(lines))


def refund_failed(about: About, amount: Money) -> Letter:
    """Write that an amount which was said to be given back did not reach the payer after all."""
    source = rail_words.of(about.payment.rail).buyer_source
    lines = [
        f"The refund of {_said(amount)} that we wrote about did not reach {source}.",
        "",
        *_facts(about),
        f"To be given back: {_said(amount)}",
        *_source(about.payment),
        "",
        "The money is still here and yours. We will find another way and write to you.",
    ]
    return Letter("refund", f"Your refund of {_said(amount)} did not arrive", "\n".join(lines))


def from_support(about: About, text: str) -> Letter:
    """Write what support has to say about a payment. text: as the person wrote it."""
    of = asset(about.payment.asset)
    amount = Money(about.payment.amount_minor, of)
    lines = [text.strip(), "", *_facts(about), f"Amount: {_said(amount)}"]
    return Letter("support", f"Your payment of {_said(amount)}", "\n".join(lines))


def _said(amount: Money) -> str:
    return f"{amount.major()} {amount.asset.code}"


def _facts(about: About) -> list[str]:
    lines = [f"To: {about.merchant.name}"]
    if about.order is not None:
        lines += [f"For: {about.order.description}", f"Order: {about.order.id}"]
    else:
        lines.append("For: your wallet")
    return [*lines, f"Payment: {about.payment.id}"]


def _source(payment: Payment) -> list[str]:
    """Say what paid, as far as it is known."""
    words = rail_words.of(payment.rail)
    if not payment.card_last4:
        return [words.letter_line] if words.letter_line else []
    name = (payment.card_brand or words.pays).capitalize()
    return [f"{words.pays.capitalize()}: {name} ending in {payment.card_last4}"]
