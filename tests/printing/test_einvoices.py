"""Each invoice that EN 16931 can express follows its schema and its schematron; of the others we say why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from core.money import ASSETS
from printing import einvoice, expressible
from printing.contents import (
    CREDIT_NOTE,
    DEPOSIT_INVOICE,
    INVOICE,
    Bill,
    Deducted,
    DoesNotAddUp,
    Line,
    Party,
    Reference,
    Tax,
)
from printing.expressible import Lack
from tests.printing import en16931
from tests.printing.sheets import BUYER, SELLER, bill, line, taxes

BEFORE = Reference("INV-2026-000007", date(2026, 10, 1))
_RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"

words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=40
).map(lambda text: f"x{text}")
quantities = st.decimals(Decimal("0.01"), Decimal(5000), places=2).map(str)


@st.composite
def lines(draw: st.DrawFn, rates: tuple[str, ...]) -> Line:
    quantity, unit = draw(quantities), draw(st.integers(1, 5_000_00))
    net = int((Decimal(quantity) * unit).quantize(Decimal(1)))
    sign = -1 if draw(st.integers(0, 9)) == 0 else 1
    return Line(draw(words), quantity, unit, net * sign, draw(st.sampled_from(rates)))


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    is_taxed = draw(st.booleans())
    rates = ("19", "7", "0", "5.5", "18.9983") if is_taxed else ("0",)
    vat_id = (
        draw(st.sampled_from(["DE123456789", "EL123456789", "12/345/678"])) if is_taxed else None
    )
    rows = [line(10_000_000, rate=rates[0]), *draw(st.lists(lines(rates), max_size=12))]
    deducted = draw(st.booleans())
    off = [Deducted(BEFORE, (Tax(rates[0], 5_000_00, 5_000_00 * int(rates[0]) // 100),))]
    country = draw(st.sampled_from(["DE", "IE", "US", "JP", "KW", "GB"]))
    vat = draw(st.sampled_from([None, "IE1234567FA", "12-3456789"]))
    return bill(
        rows,
        deducted=off if deducted else (),
        document=draw(st.sampled_from([INVOICE, DEPOSIT_INVOICE, CREDIT_NOTE])),
        asset=draw(st.sampled_from(["EUR/2", "JPY/0", "USD/2", "CHF/2"])),
        seller=replace(SELLER, vat_id=vat_id, address=tuple(draw(st.lists(words, max_size=4)))),
        buyer=replace(BUYER, country=country, vat_id=vat, name=draw(words)),
        due_on=draw(st.sampled_from([None, date(2026, 12, 6)])),
        of=draw(st.sampled_from([None, BEFORE])),
        supersedes=draw(st.sampled_from([None, BEFORE])),
        reason=draw(st.none() | words),
        note=draw(st.none() | words),
        reference=draw(st.none() | words),
        prepaid_minor=draw(st.sampled_from([0, 1_000])),
        is_test=draw(st.booleans()),
    )


@given(bills())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_bill_that_can_be_expressed_follows_the_standard(made: Bill) -> None:
    assert expressible.why_not(made) == ()
    assert en16931.broken(einvoice.write(made)) == []


def test_every_currency_and_country_is_one_that_the_standard_knows() -> None:
    assert expressible.countries() <= en16931.codes("DE", "IE", "JP", "US")
    assert len(expressible.countries()) > 240
    assert set(ASSETS) - en16931.codes("EUR", "USD", "JPY") == expressible.TOKENS


@pytest.mark.parametrize(
    ("changes", "code", "said", "field"),
    [
        ({"asset": "USDT/6"}, "currency_not_iso", "USDT is not a currency of ISO 4217.", None),
        ({"buyer": None}, "buyer_missing", "The buyer is not known.", "buyer"),
        (
            {"buyer": Party("Bo")},
            *("buyer_country_missing", "The buyer's country is not known."),
            "buyer.address.country",
        ),
        (
            {"seller": replace(SELLER, country="ZZ")},
            *("seller_country_missing", "The seller's country is not known."),
            "seller.address.country",
        ),
        (
            {"seller": replace(SELLER, vat_id=None)},
            *("seller_vat_id_missing", "The seller's VAT ID is not known."),
            "seller.vatId",
        ),
    ],
)
def test_what_the_standard_cannot_express_is_named(
    changes: dict[str, object], code: str, said: str, field: str | None
) -> None:
    lacks = expressible.why_not(replace(bill(), **changes))  # type: ignore[arg-type]
    assert lacks == (Lack(code, said, field),)


def test_three_decimals_are_only_expressed_where_the_third_is_nothing() -> None:
    assert expressible.why_not(bill([line(15000, rate="0")], asset="KWD/3")) == ()
    odd = bill([line(15001, rate="0")], asset="KWD/3")
    (lack,) = expressible.why_not(odd)
    assert lack.code == "too_many_decimals"
    xml = einvoice.write(bill([line(15000, rate="0")], asset="KWD/3"))
    assert b"<ram:LineTotalAmount>15.00</ram:LineTotalAmount>" in xml


def test_a_final_invoice_bills_no_tax_twice() -> None:
    off = Deducted(BEFORE, (Tax("19", 5000, 950),))
    xml = etree.fromstring(einvoice.write(bill([line(15000)], deducted=[off])))
    sums = xml.find(f".//{_RAM}SpecifiedTradeSettlementHeaderMonetarySummation")
    said = {each.tag.removeprefix(_RAM): each.text for each in sums}
    assert said["LineTotalAmount"] == "150.00" and said["AllowanceTotalAmount"] == "50.00"
    assert said["TaxBasisTotalAmount"] == "100.00" and said["TaxTotalAmount"] == "19.00"
    assert said["GrandTotalAmount"] == said["DuePayableAmount"] == "119.00"
    before = xml.find(f".//{_RAM}InvoiceReferencedDocument/{_RAM}IssuerAssignedID")
    assert before.text == BEFORE.number


def test_a_document_that_contradicts_itself_is_never_made() -> None:
    right = bill([line(15000), line(500, rate="7")])
    for wrong in ({"total_minor": 1}, {"tax_minor": 1}, {"net_minor": 1}, {"taxes": ()}):
        with pytest.raises(DoesNotAddUp):
            replace(right, **wrong)  # type: ignore[arg-type]
    swapped = tuple(replace(each, rate="7" if each.rate == "19" else "19") for each in right.taxes)
    with pytest.raises(DoesNotAddUp):
        replace(right, taxes=swapped)
    for empty in ("", " ", "\u200b"):
        with pytest.raises(ValueError, match="without a word"):
            line(words=empty)
    assert taxes(right.lines) == right.taxes
