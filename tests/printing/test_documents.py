"""A document is PDF/A-3 with its fonts and its invoice inside, the same bytes each time, whatever it says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from lxml import etree

from printing import wire
from printing.contents import (
    CREDIT_NOTE,
    Deducted,
    DoesNotAddUp,
    Party,
    Reference,
    Subtotal,
    Tax,
)
from printing.printers import Printer
from tests.printing import en16931
from tests.printing.inside import Inside, opened
from tests.printing.sheets import BUYER, SELLER, bill, certificate, line, statement

BEFORE = Reference("INV-2026-000007", date(2026, 10, 1))
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_ID = "{http://www.aiim.org/pdfa/ns/id/}"
_FX = "{urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#}"
_PROPERTY = "{http://www.aiim.org/pdfa/ns/property#}"


def assert_archival(found: Inside) -> None:
    """Hold a document against what PDF/A-3b asks for. Source: ISO 19005-3, clause 6."""
    assert found.document.pdf.startswith(b"%PDF-1.7\n%") and not found.reader.is_encrypted
    assert "/ID" in found.reader.trailer
    (intent,) = found.catalog["/OutputIntents"]
    assert intent["/S"] == "/GTS_PDFA1" and intent["/DestOutputProfile"].get_object().get_data()
    properties = etree.fromstring(found.xmp)
    assert len(properties.findall(f"{_RDF}RDF")) == 1
    said = {name: value for each in properties.iter() for name, value in each.items()}
    assert said[f"{_ID}part"] == "3" and said[f"{_ID}conformance"] == "B"
    forbidden = {"/JavaScript", "/JS", "/AA", "/OpenAction", "/Launch", "/Encrypt", "/SMask"}
    for each in found.objects():
        if isinstance(each, dict):
            assert not forbidden & set(each) or each.get("/SMask") == "/None"
            if each.get("/Subtype") == "/Link":
                assert each["/F"] == 4
    fonts = found.fonts()
    assert fonts and all("/FontFile2" in each or "/FontFile3" in each for each in fonts.values())
    assert found.glyphs() and b"\0\0" not in found.glyphs()


def test_an_invoice_is_archival_and_holds_its_xml(printer: Printer) -> None:
    found = opened(printer, bill([line(), line(2000, rate="7")]))
    assert_archival(found)
    assert found.attachments == {"factur-x.xml": found.document.xml}
    assert en16931.broken(found.document.xml) == []
    (attached,) = [reference.get_object() for reference in found.catalog["/AF"]]
    assert attached["/AFRelationship"] == "/Alternative" and attached["/UF"] == "factur-x.xml"
    assert attached["/EF"]["/F"].get_object()["/Subtype"] == "/text/xml"
    properties = etree.fromstring(found.xmp)
    said = {each.tag: each.text for each in properties.iter() if str(each.tag).startswith(_FX)}
    assert said == {
        f"{_FX}DocumentFileName": "factur-x.xml",
        f"{_FX}DocumentType": "INVOICE",
        f"{_FX}Version": "1.0",
        f"{_FX}ConformanceLevel": "EN 16931",
    }
    declared = {each.text for each in properties.iter(f"{_PROPERTY}name")}
    assert {f"{_FX}{name}" for name in declared} == set(said)


def test_what_the_standard_cannot_express_is_archival_without_an_xml(printer: Printer) -> None:
    for content in (bill(asset="USDT/6"), bill(buyer=None), certificate(), statement()):
        found = opened(printer, content)
        assert_archival(found)
        assert found.document.xml == b"" and not found.attachments
        assert "/AF" not in found.catalog and b"factur-x" not in found.xmp


def test_the_same_content_is_the_same_bytes_in_another_process(printer: Printer) -> None:
    body = wire.pack(bill([line(words=f"Page {no}, 設計 عربى") for no in range(30)]))
    first, other = printer.print_out(body), Printer()
    try:
        assert other.print_out(body) == first == printer.print_out(body)
    finally:
        other.close()
    assert printer.print_out(wire.pack(bill())) != first


def test_sums_read_as_their_currency_is_written(printer: Printer) -> None:
    for asset, said in (
        ("EUR/2", ("€1,234.56", "Amount, EUR")),
        ("JPY/0", ("¥123,456", "Amount, JPY")),
        ("KWD/3", ("KWD 123.456", "Amount, KWD")),
        ("USD/2", ("$1,234.56",)),
        ("CHF/2", ("CHF 1,234.56",)),
        ("USDT/6", ("USDT 0.123456",)),
    ):
        text = opened(printer, bill([line(123456, rate="0")], asset=asset)).text
        assert all(each in text.replace("\xa0", " ") for each in said), asset
    off = Deducted(BEFORE, (Tax("19", 5000, 950),))
    text = opened(printer, bill([line(15000)], deducted=[off])).text
    assert "Final invoice" in text and "−€50.00" in text and "€119.00" in text
    credit = bill(document=CREDIT_NOTE, of=BEFORE, reason="Returned", due_on=None)
    text = opened(printer, credit).text
    assert "Credit note" in text and "€178.50 credited" in text and "INV-2026-000007" in text
    assert "To pay" not in text


def test_a_long_table_breaks_over_pages_with_its_head_and_their_number(printer: Printer) -> None:
    found = opened(printer, bill([line(words=f"Part {no}") for no in range(120)]))
    assert len(found.pages) > 3
    rows: list[str] = []
    for number, text in enumerate(found.pages, start=1):
        assert f"Page {number} of {len(found.pages)}" in text
        here = re.findall(r"Part \d+", text)
        assert ("Unit price, EUR" in text) == bool(here)
        rows += here
    assert rows == [f"Part {no}" for no in range(120)]
    assert all("Invoice INV-2026-000123" in text for text in found.pages[1:])
    assert "To pay" in found.pages[-1] and re.search(r"Part \d+", found.pages[-1])


NAMES = {
    "NotoSansArabic": "محمد بن عبدالله للتجارة",
    "NotoSansHebrew": "דוד כהן ובניו",
    "NotoSansCJKNames": "株式会社山田 主式會社 株式会社",
    "NotoSansThai": "บริษัท สยาม จำกัด",
    "NotoSansDevanagari": "भारत ट्रेडिंग कंपनी",
    "NotoSansBengali": "বাংলা ট্রেডার্স",
    "NotoSansTamil": "தமிழ் நிறுவனம்",
    "NotoSansArmenian": "Հայաստան",
    "NotoSansGeorgian": "საქართველო",
    "Inter": "Łódź Ćević Ñandú Ελλάς Україна Đặng",
}


def test_names_in_many_scripts_are_drawn_with_fonts_of_our_own(printer: Printer) -> None:
    for font, name in NAMES.items():
        buyer = replace(BUYER, name=name, address=(f"{name} 12",))
        found = opened(printer, bill([line(words=f"{name} (7)")], buyer=buyer))
        assert any(each.startswith(font) for each in found.fonts()), (font, found.fonts())
        assert b"\0\0" not in found.glyphs(), font
        assert name.encode() in found.document.xml


def test_what_no_font_can_draw_and_what_turns_writing_round_stays_harmless(
    printer: Printer,
) -> None:
    strange = "a\u202eb\u2066c\x07d\x00e\u200bf \U0001f980 \ue000 g\ud800h"
    buyer = replace(BUYER, name=strange)
    found = opened(printer, bill([line(words=strange)], buyer=buyer, note=strange))
    assert b"\0\0" not in found.glyphs()
    assert "abcdef □ □ g?h" in found.text
    assert en16931.broken(found.document.xml) == []
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", found.document.xml.decode())


def test_a_document_of_a_test_says_so_on_each_page_and_a_real_one_does_not(
    printer: Printer,
) -> None:
    rows = [line(words=f"Part {no}") for no in range(60)]
    trial, real = opened(printer, bill(rows)), opened(printer, bill(rows, is_test=False))
    assert len(trial.pages) > 1
    assert all("Test document: no money is owed" in text for text in trial.pages)
    assert "Test document" not in real.text and b"Test document" not in real.document.xml


def test_it_leads_to_its_pay_page_and_nowhere_else(printer: Printer) -> None:
    url = "https://pay.example.com/pay/pl_8f2k3j4h5g6d7s8a9"
    assert opened(printer, bill(pay_url=url)).links() == {url}
    assert opened(printer, bill(pay_url=url, document=CREDIT_NOTE)).links() == set()
    assert opened(printer, bill(note="see https://example.org")).links() == set()
    with pytest.raises(ValueError, match="web address"):
        bill(pay_url="javascript:alert(1)")


def test_what_is_waived_stands_above_a_sum_of_nothing(printer: Printer) -> None:
    owed = bill()
    waived = replace(owed, credited_minor=2_000, written_off_minor=owed.total_minor - 2_000)
    text = opened(printer, waived).text
    for said in ("nothing is left to pay", "Credited", "−€20.00", "Written off", "€0.00"):
        assert said in text, said
    assert "paid in full" not in text and "due 6 December" not in text
    xml = opened(printer, waived).document.xml.decode()
    assert "DuePayableAmount>0.00<" in xml and "credited 20.00, written off" in xml
    void = opened(printer, replace(owed, is_void=True))
    assert "Void: nothing is to be paid." in void.document.xml.decode()


def test_a_certificate_shows_both_chains_the_signers_and_how_to_verify(printer: Printer) -> None:
    made = certificate(reopened=("Reopened on 3 December 2026 by Ada and Fin: a late invoice.",))
    text = opened(printer, made).text
    flat = text.replace("\n", "")
    for said in ("Close certificate", "November 2026", "Fin Ferrer", "Flo Fontaine", "10,432"):
        assert said in text
    for hashed in (*(chain.head for chain in made.chains), made.snapshot_sha256):
        assert hashed in flat
    assert "22 November 2026, 10:30:00 CET" in text and "Carried forward" in text
    assert "12,500.00" in text and "Reopened on 3 December 2026" in text


def test_a_statement_runs_from_its_opening_to_its_closing(printer: Printer) -> None:
    found = opened(printer, statement(60))
    assert len(found.pages) > 1 and "650.00" in found.pages[-1]
    assert found.text.count("Sale ") == 60 and "Opening balance" in found.pages[0]
    empty = opened(printer, statement(0, holder=Party("Bo")))
    assert "Nothing was booked" in empty.text and SELLER.name not in empty.text


def test_a_statement_shows_what_went_for_fees_and_adds_up(printer: Printer) -> None:
    parts = (Subtotal("Fees", 0, 1000), Subtotal("Exchange", 0, 2000))
    text = opened(printer, statement(4, subtotals=parts, prepared_by="House")).text
    for said in ("Fees", "10.00", "Exchange", "20.00", "All lines", "40.00", "House", "90.00"):
        assert said in text, said
    with pytest.raises(DoesNotAddUp, match="subtotals"):
        statement(2, subtotals=parts)
