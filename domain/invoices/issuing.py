"""Invoices by hand: made for an order that has none, voided while unpaid, issued anew under a new number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.book_states import Invoice as Status
from core.errors import Conflict, IllegalTransition, invalid
from core.money import Money, asset
from core.states import Order as OrderStatus
from domain.invoices import drafting, folios, opening
from domain.invoices.content import sheet_of
from domain.invoices.drafting import BALANCE, DEPOSIT, FULL
from domain.invoices.opening import Wanted
from domain.invoices.sheets import Party, Sheet
from domain.invoices.totals import Line
from domain.transitions import Why
from models.invoices import Invoice
from models.orders import Order

_OVER = (OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REFUNDED)


@dataclass(frozen=True)
class Made:
    """What a caller asks an invoice to say. lines: of the whole that is billed, deposit included."""

    lines: Sequence[Line]
    due_on: date | None = None
    buyer: Party | None = None
    note: str | None = None
    reference: str | None = None


def make(session: Session, order: Order, made: Made, *, why: Why) -> Invoice:
    """Make the next invoice of a locked order by hand: its deposit's, its final one, or its only one.

    Writes, Emits: as `opening.add`. Raises: Conflict when each stands already, or the reference is
    taken; AMOUNT_EXCEEDED when the lines come to more than the order; IllegalTransition when the order is
    over. Transaction: caller's, with the order locked.
    """
    if order.status in _OVER:
        raise IllegalTransition("order", order.status, "billed")
    _assert_reference_free(session, order, made.reference)
    purpose = _next(session, order)
    sheet = _sheet(session, order, made)
    most = order.deposit_minor if purpose == DEPOSIT and order.deposit_minor else order.total_minor
    if sheet.own.gross.minor > most:
        raise _exceeded(Money(most, asset(order.asset)))
    if not sheet.own.gross.minor:
        raise invalid("lines", "The lines come to nothing.")
    if purpose == BALANCE:
        found = opening.final(session, order, sheet, why=why)
        if found is None:
            raise _exceeded(Money(0, asset(order.asset)))
        sheet = found.sheet
    wanted = Wanted(purpose, sheet, made.due_on, made.reference)
    return opening.add(session, order, wanted, why=why)


def _next(session: Session, order: Order) -> str:
    """Say which invoice of an order is missing. Raises: Conflict when none is."""
    standing = {row.purpose: row for row in folios.of_order(session, order).invoices}
    purposes = [FULL]
    if opening.is_in_parts(order):
        # Once the final one stands, nothing of the deposit is left to bill.
        purposes = [BALANCE] if BALANCE in standing else [DEPOSIT, BALANCE]
    for purpose in purposes:
        if purpose not in standing:
            return purpose
    newest = standing[purposes[-1]]
    raise Conflict(
        f"Invoice {newest.number} stands for this order. Void it, or issue it anew.",
        details={"invoiceId": newest.id, "link": f"/api/invoices/{newest.id}"},
    )


def _sheet(session: Session, order: Order, made: Made) -> Sheet:
    draft = drafting.draft_of(session, order)
    seller, buyer = drafting.parties(session, order, draft)
    lines = tuple(made.lines)
    return Sheet(seller, made.buyer or buyer, lines, drafting.added(lines), note=made.note)


def _assert_reference_free(session: Session, order: Order, reference: str | None) -> None:
    if reference is None:
        return
    taken = session.scalars(
        select(Invoice).where(
            Invoice.merchant_id == order.merchant_id,
            Invoice.livemode.is_(order.livemode),
            Invoice.reference == reference,
        )
    ).first()
    if taken is not None:
        raise Conflict(
            "There is an invoice with this reference already.",
            details={"invoiceId": taken.id, "link": f"/api/invoices/{taken.id}"},
        )


def _exceeded(most: Money) -> Conflict:
    return Conflict(
        f"The order leaves {most.major()} {most.asset.code} to bill, tax included.",
        code="AMOUNT_EXCEEDED",
        details={"billable": {"amount": most.major(), "currency": most.asset.code}},
    )


def void(session: Session, order: Order, invoice: Invoice, *, reason: str, why: Why) -> Invoice:
    """Void an invoice that nobody has paid or is paying. Voiding it again changes nothing.

    Writes, Emits: as `opening.give_way`. Raises: IllegalTransition when it was paid (a credit note
    takes it back), or an attempt to pay it is open. Transaction: caller's, with the order locked.
    """
    if invoice.status == Status.VOID:
        return invoice
    _assert_voidable(session, order, invoice)
    opening.give_way(session, order, invoice, reason=reason, why=why)
    return invoice


def _assert_voidable(session: Session, order: Order, invoice: Invoice) -> None:
    if invoice.status == Status.PENDING_PAYMENT:
        raise _refused(invoice, "An attempt to pay it is open. Cancel or await that payment first.")
    if invoice.status != Status.OPEN or invoice.paid_minor:
        raise _refused(invoice, "Money came for it. A credit note takes it back.")
    others = folios.of_order(session, order).invoices
    if invoice.purpose == DEPOSIT and any(row.purpose == BALANCE for row in others):
        raise _refused(invoice, "The final invoice takes it off. Void that one first.")


def _refused(invoice: Invoice, said: str) -> IllegalTransition:
    error = IllegalTransition("invoice", invoice.status, Status.VOID.value)
    error.message = said
    return error


def reissue(
    session: Session,
    order: Order,
    invoice: Invoice,
    *,
    due_on: date | None,
    why: Why,
) -> Invoice:
    """Issue an invoice anew: a new number over the same lines, linked to the old one, which is void.

    Writes, Emits: as `void` and `opening.add`. Raises: Conflict when another follows it already or
    stands for the same; IllegalTransition when it was or is being paid, or the order is over.
    Transaction: caller's, with the order locked.
    """
    if order.status in _OVER:
        raise IllegalTransition("order", order.status, "billed")
    follower = session.scalars(select(Invoice).where(Invoice.supersedes_id == invoice.id)).first()
    follower = follower or _other(session, order, invoice)
    if follower is not None:
        raise Conflict(
            f"Invoice {follower.number} stands in its place already.",
            details={"invoiceId": follower.id, "link": f"/api/invoices/{follower.id}"},
        )
    void(session, order, invoice, reason=f"Issued anew: {why.reason}", why=why)
    wanted = Wanted(
        invoice.purpose,
        sheet_of(session, invoice),
        due_on or invoice.due_on,
        supersedes_id=invoice.id,
    )
    return opening.add(session, order, wanted, why=why)


def _other(session: Session, order: Order, invoice: Invoice) -> Invoice | None:
    """Find what else stands for what an invoice was for."""
    for row in folios.of_order(session, order).invoices:
        same = row.purpose == invoice.purpose or (
            invoice.purpose == DEPOSIT and row.purpose == BALANCE
        )
        if same and row.id != invoice.id:
            return row
    return None
