"""The pay page of an invoice: on to the payment that can be paid now, or how the invoice stands. No routes."""

from __future__ import annotations

from flask import Response

from core.book_states import Invoice as Status
from dashboard import render, words
from dashboard.shapes import Fact, View
from domain.database import reading
from domain.invoices import pay_pages
from domain.invoices.pay_pages import Led

GONE = 410


def is_invoice(public_id: str) -> bool:
    """Tell whether an address names an invoice; the others name payments."""
    return public_id.startswith(pay_pages.PREFIX)


def show(public_id: str) -> Response:
    """Lead to what can be paid now; where nothing can, say how the invoice stands and what to do.

    Raises: NotFound
    """
    with reading() as session:
        led = pay_pages.find(session, public_id)
    if led.attempt is not None:
        return render.to(f"/pay/{led.attempt.public_id}")
    if led.successor is not None:
        return render.to(f"/pay/{led.successor.public_id}")
    status = GONE if led.invoice.status == Status.VOID else 200
    view: View = {"pay": _page(led), "state": _state(led)}
    return render.plain("pay/invoice.html", view, status=status)


def _page(led: Led) -> View:
    invoice = led.invoice
    facts = [
        Fact("Invoice", invoice.number),
        Fact("Order", led.order.reference or words.short(led.order.id)),
    ]
    if invoice.due_on and pay_pages.asks_for_money(invoice):
        facts.append(Fact("Due", f"{invoice.due_on:%-d %b %Y}"))
    return {
        "merchant": {"name": led.merchant, "initials": words.initials(led.merchant)},
        "title": f"Invoice for “{led.order.description}”",
        "amount": words.money(invoice.total_minor, invoice.asset),
        "facts": facts,
        "reference": invoice.number,
        "assurance": "This page always shows how the invoice stands now.",
    }


def _state(led: Led) -> View:
    tone, shape, title, text = _said(led)
    return {
        "name": led.invoice.status,
        "final": True,
        "tone": tone,
        "shape": shape,
        "title": title,
        "text": text,
        "reference": None,
        "href": None,
        "label": None,
        "notice": None,
        "eta": None,
    }


def _said(led: Led) -> tuple[str, str, str, str]:
    who, status = led.merchant, led.invoice.status
    if status == Status.VOID:
        text = f"It was taken back, and nothing is to be paid. Ask {who} if you expected to pay."
        return "quiet", "cancelled", "This invoice is void", text
    if status == Status.REFUNDED:
        return "quiet", "refunded", "This invoice was refunded", "Nothing is to be paid."
    if not pay_pages.asks_for_money(led.invoice):
        return "good", "done", "Paid, thank you", "Nothing is left to pay. You may close this page."
    due = words.plain(words.shown(led.due))
    text = f"No payment is open at the moment. Ask {who} for a payment link, and name {led.invoice.number}."
    return "info", "open", f"{due} is still to be paid", text
