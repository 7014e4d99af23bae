"""The invoice that machines read: Factur-X in its profile EN 16931. Which bills it can express: `expressible.py`.

Source: EN 16931-1; Factur-X 1.0.07 (FNFE-MPE, FeRD), CII D16B.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import drafthorse
from drafthorse.models.accounting import (
    ApplicableTradeTax,
    CategoryTradeTax,
    TradeAllowanceCharge,
)
from drafthorse.models.document import Document
from drafthorse.models.note import IncludedNote
from drafthorse.models.party import TaxRegistration, TradeParty
from drafthorse.models.payment import PaymentTerms
from drafthorse.models.trade import TradeSettlement
from drafthorse.models.tradelines import LineItem
from lxml import etree

from core.money import Money, asset
from printing.contents import (
    CREDIT_NOTE,
    DEPOSIT_INVOICE,
    INVOICE,
    Bill,
    Deducted,
    Line,
    Party,
    Tax,
)
from printing.expressible import MOST_DECIMALS, countries

FILE_NAME = "factur-x.xml"
_PROFILE = "urn:cen.eu:en16931:2017"
# UNTDID 1001: commercial invoice, prepayment invoice, credit note.
_TYPES = {INVOICE: "380", DEPOSIT_INVOICE: "386", CREDIT_NOTE: "381"}
_PIECE = "C62"
_PRICE = Decimal("0.00000001")
_SCHEMA = Path(drafthorse.__file__).parent / "schema" / "Factur-X_1.0.07_EN16931.xsd"


class NotValid(ValueError):
    """The XML does not follow its schema; the message names the rule, never what was written."""


def write(bill: Bill) -> bytes:
    """Write the XML of a bill that `expressible.why_not` says nothing of.

    Raises: NotValid.
    """
    document = Document()
    document.context.guideline_parameter.id = _PROFILE
    header = document.header
    header.id, header.type_code = bill.number, _TYPES[bill.document]
    header.issue_date_time = _at(bill.issued_on)
    _note(document, bill)
    agreement = document.trade.agreement
    if bill.reference:
        agreement.buyer_reference = bill.reference
    _party(agreement.seller, bill.seller, is_taxed=_is_taxed(bill))
    assert bill.buyer is not None  # else `why_not` says so
    _party(agreement.buyer, bill.buyer, is_taxed=_is_taxed(bill))
    agreement.seller_order.issuer_assigned_id = bill.order_id
    for place, line in enumerate(bill.lines, start=1):
        document.trade.items.add(_line(bill, line, place))
    _settle(document, bill)
    return _checked(document.serialize(schema=None))


def _at(on: date) -> datetime:
    return datetime.combine(on, time(), tzinfo=UTC)


def _note(document: Document, bill: Bill) -> None:
    test = "Test document: no money is owed." if bill.is_test else None
    said = (bill.reason, bill.note, _standing(bill), test)
    for text in said:
        if text:
            document.header.notes.add(IncludedNote(content=text))


def _standing(bill: Bill) -> str | None:
    """Say what the sums alone do not: that it is void, and what was taken off without being paid."""
    if bill.is_void:
        return "Void: nothing is to be paid."
    credited, given_up = bill.credited_minor, bill.written_off_minor
    said = [f"credited {_decimal(bill, credited)}"] if credited else []
    if given_up:
        said.append(f"written off {_decimal(bill, given_up)}")
    return f"Of what is no more to be paid: {', '.join(said)}." if said else None


def _is_taxed(bill: Bill) -> bool:
    """Without any tax number of the seller's, the sale is outside the scope of the tax (category O)."""
    return bill.seller.vat_id is not None


def _has_prefix(vat_id: str) -> bool:
    """A VAT identifier begins with its country, or `EL` for Greece (BR-CO-09)."""
    return vat_id[:2] in countries() or vat_id[:2] == "EL"


def _party(node: TradeParty, party: Party, *, is_taxed: bool) -> None:
    node.name = party.name
    vat_id = "".join(party.vat_id.split()).upper() if party.vat_id else None
    if party.identifier:
        node.id = party.identifier
    elif vat_id and not (is_taxed and _has_prefix(vat_id)):
        # BT-46: what identifies the buyer, where it may not stand as a VAT identifier (BR-O-02).
        node.id = vat_id
    if party.registration:
        node.legal_organization.id = ("", party.registration)
    _address(node, party)
    if vat_id and is_taxed and (_has_prefix(vat_id) or party.identifier):
        scheme = "VA" if _has_prefix(vat_id) else "FC"
        node.tax_registrations.add(TaxRegistration(id=(scheme, vat_id)))


def _address(node: TradeParty, party: Party) -> None:
    address = node.address
    first, second, *others = [*party.address, "", ""]
    if party.postcode:
        address.postcode = party.postcode
    if first:
        address.line_one = first
    if second:
        address.line_two = second
    if rest := ", ".join(line for line in others if line):
        address.line_three = rest
    if party.city:
        address.city_name = party.city
    address.country_id = party.country
    if party.email:
        node.electronic_address.uri_ID = ("EM", party.email)


def _decimal(bill: Bill, minor: int) -> Decimal:
    of = asset(bill.asset)
    exact = Money(minor, of).as_decimal()
    return exact.quantize(Decimal(1).scaleb(-min(of.scale, MOST_DECIMALS)))


def _line(bill: Bill, line: Line, place: int) -> LineItem:
    """Write a line: its price is never negative (BR-27), so a line that takes off has a negative quantity."""
    item = LineItem()
    item.document.line_id = str(place)
    item.product.name = line.description
    net, quantity = _decimal(bill, line.net_minor), abs(Decimal(line.quantity))
    price = abs(net) / quantity if quantity else abs(net)
    item.agreement.net.amount = _shortest(price)
    item.delivery.billed_quantity = (-quantity if net < 0 else quantity, _PIECE)
    tax, category = item.settlement.trade_tax, _category(bill, line.tax_rate)
    tax.type_code, tax.category_code = "VAT", category
    if category != "O":
        tax.rate_applicable_percent = _shortest(Decimal(line.tax_rate))
    item.settlement.monetary_summation.total_amount = net
    return item


def _shortest(value: Decimal) -> Decimal:
    rounded = value.quantize(_PRICE).normalize()
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral() else rounded


def _category(bill: Bill, rate: str) -> str:
    if not _is_taxed(bill):
        return "O"
    return "S" if Decimal(rate) else "Z"


def _settle(document: Document, bill: Bill) -> None:
    settlement = document.trade.settlement
    settlement.payment_reference = bill.number
    settlement.currency_code = asset(bill.asset).code
    for tax in bill.taxes:
        settlement.trade_tax.add(_tax(bill, tax.rate, tax.base_minor, tax.tax_minor))
    for each in bill.deducted:
        for tax in each.taxes:
            if tax.base_minor:
                settlement.allowance_charge.add(_allowance(bill, each, tax))
    _terms(settlement, bill)
    _sum_up(document, bill)
    before = bill.of or (bill.deducted[0].of if bill.deducted else bill.supersedes)
    if before is not None:
        settlement.invoice_referenced_document.issuer_assigned_id = before.number
        settlement.invoice_referenced_document.issue_date_time = _at(before.issued_on)


def _terms(settlement: TradeSettlement, bill: Bill) -> None:
    said = "Nothing is to be paid; this is credited."
    if bill.document != CREDIT_NOTE:
        said = "Payable by the day it is due." if bill.due_on else "Payable on receipt."
        if bill.is_void or bill.due_minor <= 0:
            said = "Nothing is to be paid."
    terms = PaymentTerms(description=said)
    if bill.due_on and bill.document != CREDIT_NOTE:
        terms.due = _at(bill.due_on)
    settlement.terms.add(terms)


def _allowance(bill: Bill, deducted: Deducted, tax: Tax) -> TradeAllowanceCharge:
    """Take a deposit off the whole, rate by rate, so that its tax is not billed twice (BG-20)."""
    node = TradeAllowanceCharge(
        indicator=False,
        actual_amount=_decimal(bill, tax.base_minor),
        reason=f"Deposit invoice {deducted.of.number}",
    )
    category = _category(bill, tax.rate)
    taxed = CategoryTradeTax(type_code="VAT", category_code=category)
    if category != "O":
        taxed.rate_applicable_percent = _shortest(Decimal(tax.rate))
    node.trade_tax.add(taxed)
    return node


def _tax(bill: Bill, rate: str, base_minor: int, tax_minor: int) -> ApplicableTradeTax:
    category = _category(bill, rate)
    node = ApplicableTradeTax(
        calculated_amount=_decimal(bill, tax_minor),
        type_code="VAT",
        basis_amount=_decimal(bill, base_minor),
        category_code=category,
    )
    if category == "O":
        node.exemption_reason = "Not subject to VAT"
        node.exemption_reason_code = "VATEX-EU-O"
    else:
        node.rate_applicable_percent = _shortest(Decimal(rate))
    return node


def _sum_up(document: Document, bill: Bill) -> None:
    code, sums = asset(bill.asset).code, document.trade.settlement.monetary_summation
    sums.line_total = _decimal(bill, bill.lines_minor)
    sums.charge_total = _decimal(bill, 0)
    sums.allowance_total = _decimal(bill, sum(each.net_minor for each in bill.deducted))
    sums.tax_basis_total = _decimal(bill, bill.net_minor)
    sums.tax_total = (_decimal(bill, bill.tax_minor), code)
    sums.grand_total = _decimal(bill, bill.total_minor)
    # BT-113: the standard has one place for all that is taken off what is to be paid (BR-CO-16).
    sums.prepaid_total = _decimal(bill, bill.settled_minor)
    sums.due_amount = _decimal(bill, bill.due_minor)


@lru_cache(maxsize=1)
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(_SCHEMA))


def _checked(xml: bytes) -> bytes:
    """Hold the XML against its schema; a document that is not valid is never printed."""
    schema, parser = _schema(), etree.XMLParser(resolve_entities=False, no_network=True)
    if not schema.validate(etree.fromstring(xml, parser)):
        first = schema.error_log[0]
        raise NotValid(f"{first.type_name} at line {first.line} of the XML")
    return xml


def warm_up() -> None:
    """Read the schema, so that no file is opened later."""
    _schema()
    countries()
