"""How an order becomes what its invoices say: its draft's lines or its description, whole or in part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import InvalidInput, invalid
from core.money import Money, asset
from core.person_seal import KeyDestroyed
from core.strictjson import Json
from domain.invoices import sheets, totals
from domain.invoices.sheets import Deducted, Party, Sheet
from domain.invoices.totals import Line, TaxRow, Totals
from domain.people import people
from domain.secrets import person_keys
from models.invoices import Invoice
from models.orders import InvoiceDraft, Order
from models.people import Merchant, User

Draft = Mapping[str, Json]
DEPOSIT, BALANCE, FULL = "deposit", "balance", "full"
KEPT_NO_LONGER = "Kept no longer"
# Stable codes of what is wrong with a draft.
MISMATCH, TAX_MISMATCH = "lines_total_mismatch", "tax_total_mismatch"
_ONE = Decimal(1)


def draft_of(session: Session, order: Order) -> Draft | None:
    """Open what an order said beforehand for its invoice; None when it said nothing, or it is kept no longer.

    Transaction: caller's, reads only.
    """
    row = session.get(InvoiceDraft, order.id)
    if row is None:
        return None
    place = f"invoice_drafts|sealed|{order.id}"
    try:
        text = person_keys.open_text(session, row.sealed, purpose="person", place=place)
    except KeyDestroyed:
        return None
    said = json.loads(text)
    return said if isinstance(said, dict) else None


def lines_of(said: Json, total: Money) -> list[Line]:
    """Price the lines that a caller wrote. Raises: InvalidInput when a line is too large."""
    found = []
    for no, each in enumerate(said if isinstance(said, list) else []):
        assert isinstance(each, dict)  # the API's own record wrote it
        unit = each["unitAmount"]
        assert isinstance(unit, dict)
        minor, of = unit["amountMinor"], asset(str(unit["asset"]))
        assert isinstance(minor, int)
        if of != total.asset:
            raise invalid(f"lines.{no}.unitAmount", "Every line is in the currency of the order.")
        quantity, rate = Decimal(str(each["quantity"])), Decimal(str(each["taxRate"]))
        try:
            line = totals.line(str(each["description"]), quantity, Money(minor, of), rate)
        except ValueError as error:
            raise invalid(f"lines.{no}", "The line's amount is too large.") from error
        found.append(line)
    return found


def added(lines: Sequence[Line]) -> Totals:
    """Add lines up. Raises: InvalidInput when they come to more than an amount can be."""
    try:
        return totals.of_lines(lines)
    except ValueError as error:
        raise invalid("lines", "The lines come to too large an amount.") from error


def whole_of(
    draft: Draft | None, description: str, total: Money
) -> tuple[tuple[Line, ...], Totals]:
    """Make the lines of a whole order and what they add up to, which is its total to the minor unit.

    total: tax included. Raises: InvalidInput with a stable code when the draft says otherwise.
    """
    said = draft or {}
    lines, tax = lines_of(said.get("lines"), total), _tax_total(said, total)
    if not lines:
        return _one_line(description, total, tax)
    own = added(lines)
    if own.gross != total:
        raise invalid(
            "invoice.lines",
            f"The lines and their tax add up to {own.gross.major()}, not to {total.major()}.",
            code=MISMATCH,
        )
    if tax is not None and tax != own.tax:
        raise invalid(
            "invoice.taxTotal",
            f"The tax of the lines is {own.tax.major()}, not {tax.major()}.",
            code=TAX_MISMATCH,
        )
    return tuple(lines), own


def _tax_total(said: Draft, total: Money) -> Money | None:
    tax = said.get("taxTotal")
    if not isinstance(tax, dict):
        return None
    minor = tax["amountMinor"]
    assert isinstance(minor, int)  # the API's own record wrote it
    if asset(str(tax["asset"])) != total.asset or minor >= total.minor:
        raise invalid(
            "invoice.taxTotal",
            "The tax is a part of the total, in its currency.",
            code=TAX_MISMATCH,
        )
    return Money(minor, total.asset)


def _one_line(description: str, total: Money, tax: Money | None) -> tuple[tuple[Line, ...], Totals]:
    tax = tax or Money(0, total.asset)
    net = total - tax
    rate = totals.rate_behind(net, tax)
    if rate is None:
        raise invalid("invoice.taxTotal", "No rate of tax makes this tax.", code=TAX_MISMATCH)
    line = Line(description, _ONE, net, rate, net)
    return (line,), totals.add_up([TaxRow(rate, net, tax)])


def parties(session: Session, order: Order, draft: Draft | None) -> tuple[Party, Party | None]:
    """Say who sells and who buys: as the draft names them, else the merchant and the buyer as we know them.

    Transaction: caller's, reads only.
    """
    said = draft or {}
    seller = sheets.party(said.get("seller"))
    if seller is None:
        seller = Party(session.get_one(Merchant, order.merchant_id).name)
    return seller, sheets.party(said.get("buyer")) or _known_buyer(session, order)


def _known_buyer(session: Session, order: Order) -> Party | None:
    user = session.get(User, order.buyer_id) if order.buyer_id else None
    if user is None or user.erased_at is not None:
        return None
    email = people.email_of(user)
    return Party(user.name or email, email=email)


def sheet(session: Session, order: Order, draft: Draft | None) -> Sheet:
    """Make the sheet of a whole order. Raises: InvalidInput. Transaction: caller's, reads only."""
    lines, whole = whole_of(draft, order.description, Money(order.total_minor, asset(order.asset)))
    seller, buyer = parties(session, order, draft)
    note = draft.get("note") if draft else None
    return Sheet(seller, buyer, lines, whole, note=note if isinstance(note, str) else None)


def stored_sheet(session: Session, order: Order) -> Sheet:
    """Make the sheet of a whole order that exists; one whose draft never added up has one untaxed line.

    Orders made before invoices were opened with them were never asked to add up; money waits for no
    invoice. Transaction: caller's, reads only.
    """
    draft = draft_of(session, order)
    try:
        return sheet(session, order, draft)
    except InvalidInput:
        bare = {key: value for key, value in (draft or {}).items() if key in ("buyer", "seller")}
        return sheet(session, order, bare)


def deposit_sheet(whole: Sheet, description: str, part: Money) -> Sheet:
    """Make the sheet of a deposit: one line per rate of tax, by its weight in the whole order."""
    share = totals.share(whole.whole, part)
    words = f"Deposit: {description}"
    rows = [row for row in share.taxes if row.gross.minor] or list(share.taxes)
    lines = tuple(Line(words, _ONE, row.base, row.rate, row.base) for row in rows)
    return replace(whole, lines=lines, whole=totals.add_up(rows), deducted=())


def balance_sheet(whole: Sheet, deducted: Sequence[Deducted]) -> Sheet:
    """Make the sheet of a final invoice: the whole, less what earlier invoices asked for."""
    return replace(whole, deducted=tuple(deducted))


def plain_sheet(session: Session, invoice: Invoice) -> Sheet:
    """Say what an invoice without a sheet says: one untaxed line, for its order and its parties now.

    Transaction: caller's, reads only.
    """
    order = session.get_one(Order, invoice.order_id)
    seller, buyer = parties(session, order, draft_of(session, order))
    of = asset(invoice.asset)
    earlier = _deposit_before(session, invoice) if invoice.purpose == BALANCE else None
    deducted = [_untaxed(earlier)] if earlier is not None else []
    total = Money(invoice.total_minor + sum(each.totals.gross.minor for each in deducted), of)
    words = order.description
    if invoice.purpose == DEPOSIT:
        words = f"Deposit: {words}"
    lines, whole = _one_line(words, total, None)
    return Sheet(seller, buyer, lines, whole, tuple(deducted))


def bare_sheet(session: Session, invoice: Invoice) -> Sheet:
    """Say what is left of an invoice whose words are kept no longer: who sold, and what it came to.

    Transaction: caller's, reads only.
    """
    seller = Party(session.get_one(Merchant, invoice.merchant_id).name)
    total = Money(invoice.total_minor, asset(invoice.asset))
    try:
        lines, whole = _one_line(KEPT_NO_LONGER, total, Money(invoice.tax_minor, total.asset))
    except InvalidInput:
        # Several rates make up its tax; which ones was said by its lines.
        lines, whole = _one_line(KEPT_NO_LONGER, total, None)
    return Sheet(seller, None, lines, whole)


def _deposit_before(session: Session, invoice: Invoice) -> Invoice | None:
    statement = select(Invoice).where(
        Invoice.order_id == invoice.order_id,
        Invoice.purpose == DEPOSIT,
        Invoice.open_key.is_not(None),
        Invoice.created_at <= invoice.created_at,
    )
    return session.scalars(statement.order_by(Invoice.created_at.desc())).first()


def _untaxed(earlier: Invoice) -> Deducted:
    amount = Money(earlier.total_minor, asset(earlier.asset))
    row = TaxRow(Decimal(0), amount, Money(0, amount.asset))
    return Deducted(earlier.id, earlier.number, earlier.issued_on, (row,))
