"""How wallets read on the desk: sums per currency, movements, and where a payment without an order belongs. No routes."""

from __future__ import annotations

from collections.abc import Sequence

from core import rail_words
from core.purposes import OF_ORDERS, TO_WALLET, Purpose
from core.states import Payment as Status
from dashboard import words
from dashboard.shapes import Fact, FactGroup, Link, Ref, State, View
from domain.actors import Actor
from domain.books import wallets
from domain.books.wallets import Balance, Entry
from domain.desk import Session
from models.payments import Payment

PUT_IN = State("In", "done", "good")
TAKEN_OUT = State("Out", "refunded", "info")
# What a movement is, by the kind of its entry.
_KINDS = {
    "wallet_credit": "Credited",
    "reversal": "Put back, its refund failed",
    "credit": "Late payment, credited by hand",
}


def href(user_id: str) -> str:
    """Give the address of a person's wallet."""
    return f"/wallets/{user_id}"


def is_without_order(payment: Payment) -> bool:
    """Tell whether a payment is a transaction: a top-up, a coupon or a check of a card."""
    return payment.purpose not in OF_ORDERS


def has_pay_page(payment: Payment) -> bool:
    """Tell whether a payer can pay, or go on with their bank's check, on our pay page."""
    is_asked = payment.purpose in OF_ORDERS or payment.purpose == Purpose.TOP_UP
    return is_asked and payment.status == Status.PENDING and payment.provider_reference is not None


def place_of(payment: Payment) -> Link | None:
    """Link the wallet that a payment is meant for, if it is meant for one."""
    if payment.purpose in TO_WALLET and payment.buyer_id is not None:
        return Link("Wallet", href(payment.buyer_id))
    return None


def sub_of(payment: Payment) -> str:
    """Say with what a payment without an order is paid, under its title."""
    source = source_of(payment) or rail_words.of(payment.rail).unnamed
    return f"{source} · {words.short(payment.id)}"


def source_of(payment: Payment) -> str | None:
    """Name the card or account of a payment, as far as it is known."""
    if payment.purpose == Purpose.COUPON:
        return "Promotion"
    if payment.card_last4 is None:
        return None
    brand = (payment.card_brand or rail_words.of(payment.rail).pays).replace("_", " ").capitalize()
    return f"{brand} ending {payment.card_last4}"


def source_facts(payment: Payment) -> list[Fact]:
    """Tell what paid, where its number's end is known."""
    name = source_of(payment) if payment.card_last4 else None
    return [Fact(rail_words.of(payment.rail).pays.capitalize(), name)] if name else []


def people_facts(payment: Payment, name: str, merchant: str) -> list[Fact]:
    """List whose transaction it is."""
    found = [Fact("Payer", name), Fact("Merchant", merchant)]
    if (place := place_of(payment)) is not None:
        found.append(Fact("For", "Their wallet", href=place.href))
    return found


def receipt_fact(payment: Payment) -> list[Fact]:
    """Give the provider's receipt to copy; the desk itself leads only to its own pages."""
    if payment.receipt_url is None:
        return []
    shown = f"{words.provider_label(payment.provider)}’s receipt"
    return [Fact("Receipt", ref=Ref("receipt address", payment.receipt_url, shown))]


def method_of(payment: Payment) -> str:
    """Say how a payment is made."""
    if payment.purpose == Purpose.COUPON:
        return "A coupon’s invoice"
    if payment.purpose == Purpose.CARD_SETUP:
        return "A card kept without a charge"
    if payment.purpose == Purpose.CARD_VALIDATION:
        return "A small hold on a kept card, let go at once"
    if payment.method_id is not None:
        return "A kept card, charged at once"
    if payment.method == "checkout":
        return f"{words.provider_label(payment.provider)} checkout"
    return rail_words.of(payment.rail).link if payment.method == "link" else "Our pay page"


def sums(session: Session, user_id: str, actor: Actor) -> list[FactGroup]:
    """Prepare what a wallet holds, one panel per currency."""
    return [_panel(each) for each in wallets.balances(session, user_id, actor=actor)]


def _panel(found: Balance) -> FactGroup:
    code = found.balance.asset.code
    rows = [Fact("Balance", money=words.shown(found.balance))]
    if found.held.minor:
        rows.append(Fact("Of it being refunded", money=words.shown(found.held)))
    rows.append(Fact("Paid, not final", money=words.shown(found.paid)))
    rows.append(Fact("Pending", money=words.shown(found.pending)))
    return FactGroup(f"wallet-{code.lower()}", code, rows)


def entry_view(row: Entry) -> View:
    """Prepare one movement of a wallet."""
    sign = "" if row.is_credit else "−"
    amount = words.shown(row.amount)
    what = _KINDS.get(row.kind, row.kind.replace("_", " ").capitalize())
    if row.kind == "refund":
        what = f"Refunded to {rail_words.of(row.rail or '').source}"
    return {
        "id": row.id,
        "state": PUT_IN if row.is_credit else TAKEN_OUT,
        "title": _title(row),
        "sub": what,
        "href": f"/payments/{row.payment_id}" if row.payment_id else None,
        "sign": sign,
        "amount": amount,
        "after": words.shown(row.after),
        "at": words.moment(row.at),
    }


def _title(row: Entry) -> str:
    if row.purpose is None:
        return "Journal entry"
    return words.PURPOSES.get(row.purpose, row.purpose.replace("_", " ").capitalize())


def entry_views(rows: Sequence[Entry]) -> list[View]:
    """Prepare the movements of a wallet."""
    return [entry_view(row) for row in rows]
