"""Reading CAMT.053: an XML statement, validated against its schema while it is read, entry by entry.

Nothing outside the file is ever fetched, no entity is expanded and no declaration of types is heeded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from lxml import etree

from core import money
from core.money import Asset, Money
from domain import calendar
from domain.bank import said
from domain.bank.said import Head, SaidLine, Take, unreadable

_SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
VERSIONS = ("02", "08")
_HERE = Path(__file__).with_name("xsd")
# Source: ISO 20022 external code set BalanceType1Code: opening booked, previously closed booked, closing booked.
_OPENING, _CLOSING = ("OPBD", "PRCD"), "CLBD"
_BOOKED = "BOOK"
_SAFE = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
# In memory together: one entry with all its transactions, and what is said around the entries.
_MOST_ELEMENTS = 100_000


@dataclass
class _Gathered:
    """What was read so far."""

    take: Take
    unit: Asset | None = None
    number: str | None = None
    name: str | None = None
    span: tuple[date, date] | None = None
    balances: dict[str, tuple[Money, date]] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    lines: int = 0
    left_out: int = 0
    moved: int = 0


def read(body: bytes, take: Take) -> Head:
    """Read a file, hand on each booked line, and prove that they lead from balance to balance.

    Raises: InvalidInput STATEMENT_UNREADABLE, BALANCE_MISMATCH
    Source: ISO 20022 camt.053.001.02 and .08, as in `xsd/`
    """
    space = _space_of(body)
    found = _Gathered(take)
    try:
        for element in _checked(body, space):
            if etree.QName(element).localname == "Ntry":
                _entry(found, Reader(element, space))
            else:
                _around(found, Reader(element, space))
                return _whole(found)
    except etree.XMLSyntaxError as error:
        raise _refused(error.msg, error.lineno) from error
    # The parser takes an early end for an end.
    raise unreadable("it ends in the middle.")


def _refused(sentence: str | None, line: int | None) -> Exception:
    plain = " ".join((sentence or "it is no XML.").split())
    for version in VERSIONS:
        plain = plain.replace("{" + _SPACE + version + "}", "")
    return unreadable(plain[:200], line=line if line and line > 0 else None)


def _space_of(body: bytes) -> str:
    """Look at the first element only: which version it is, and that no types are declared."""
    try:
        for _, root in etree.iterparse(BytesIO(body), events=("start",), **_SAFE):
            if root.getroottree().docinfo.internalDTD is not None:
                raise unreadable("a file with a DOCTYPE is not taken.")
            name = etree.QName(root)
            version = (name.namespace or "").removeprefix(_SPACE)
            if name.localname == "Document" and version in VERSIONS:
                return str(name.namespace)
            break
    except etree.XMLSyntaxError as error:
        raise _refused(error.msg, error.lineno) from error
    known = " and ".join(f"camt.053.001.{each}" for each in VERSIONS)
    raise unreadable(f"it is no statement of a version that is known: {known}.")


@cache
def _schema(version: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(_HERE / f"camt.053.001.{version}.xsd"))


def _assert_valid(schema: etree.XMLSchema, element: etree._Element) -> None:
    if not schema.validate(element):
        first = schema.error_log[0]
        raise _refused(first.message, first.line)


def _checked(body: bytes, space: str) -> Iterator[etree._Element]:
    """Give each entry of the one statement, checked, and at last the document without its entries.

    What was read is let go, so that a long file needs no more memory than a short one.
    """
    schema = _schema(space.removeprefix(_SPACE))
    document, statement, entry = (f"{{{space}}}{name}" for name in ("Document", "Stmt", "Ntry"))
    kept = before = statements = 0
    for event, element in etree.iterparse(BytesIO(body), events=("start", "end"), **_SAFE):
        parent = element.getparent()
        is_entry = element.tag == entry and parent is not None and parent.tag == statement
        if event == "start":
            kept, before = kept + 1, kept if is_entry else before
            statements += element.tag == statement
            if statements > 1:
                sentence = "it holds more than one statement; send them one by one."
                raise unreadable(sentence, line=element.sourceline)
            if kept > _MOST_ELEMENTS:
                raise unreadable("it says too much in one place.", line=element.sourceline)
        elif is_entry and parent is not None:
            _assert_valid(schema, element)
            yield element
            kept = before
            element.clear()
            while (last := element.getprevious()) is not None and last.tag == entry:
                parent.remove(last)
        elif element.tag == document and parent is None:
            for each in element.findall(f"{{{space}}}BkToCstmrStmt/{statement}/{entry}"):
                each.getparent().remove(each)
            _assert_valid(schema, element)
            yield element


def _around(found: _Gathered, document: Reader) -> None:
    [at] = document.every("BkToCstmrStmt/Stmt")
    found.name = said.text(at.text("Id"), at.line, longest=said.LONGEST_NAME)
    if at.find("FrToDt") is not None:
        found.span = at.day("FrToDt/FrDtTm"), at.day("FrToDt/ToDtTm")
    found.number = at.text("Acct/Id/IBAN") or at.text("Acct/Id/Othr/Id")
    for each in at.every("Bal"):
        kind = each.text("Tp/CdOrPrtry/Cd")
        if kind in (*_OPENING, _CLOSING):
            amount = each.amount()
            _assert_unit(found, amount, each)
            found.balances[kind] = amount, each.day("Dt")


@dataclass(frozen=True)
class Reader:
    """Reads an element of a version's namespace by paths of plain names."""

    element: etree._Element
    space: str

    @property
    def line(self) -> int:
        """The line of the file at which it begins."""
        return int(self.element.sourceline or 0)

    def find(self, path: str) -> etree._Element | None:
        """Find the first element on a path."""
        return self.element.find("/".join(f"{{{self.space}}}{part}" for part in path.split("/")))

    def every(self, path: str) -> list[Reader]:
        """Find all elements on a path."""
        full = "/".join(f"{{{self.space}}}{part}" for part in path.split("/"))
        return [Reader(each, self.space) for each in self.element.findall(full)]

    def text(self, path: str) -> str | None:
        """Read a text, None where it is missing."""
        found = self.find(path)
        return (found.text or "").strip() or None if found is not None else None

    def day(self, path: str) -> date:
        """Read a day, given as one or as an instant."""
        text = self.text(path) or self.text(f"{path}/Dt") or self.text(f"{path}/DtTm")
        try:
            if text and "T" in text:
                at = datetime.fromisoformat(text)
                return calendar.day_of(at) if at.tzinfo else at.date()
            # The schema's date may carry a zone, which says nothing of the day that the bank means.
            return date.fromisoformat((text or "")[:10])
        except (ValueError, OverflowError) as error:
            raise unreadable(f"{(text or '')[:40]!r} is no day.", line=self.line) from error

    def amount(self) -> Money:
        """Read an amount with its currency, negative where it is a debit."""
        amount = self.find("Amt")
        assert amount is not None  # the schema asks for it
        code, text = str(amount.get("Ccy")), (amount.text or "").strip()
        try:
            found = money.parse(text.lstrip("+"), money.asset(code))
        except ValueError as error:
            raise unreadable(f"{text[:40]!r} is no amount in {code}.", line=self.line) from error
        return -found if self.text("CdtDbtInd") == "DBIT" else found


def _assert_unit(found: _Gathered, amount: Money, at: Reader) -> None:
    if found.unit is None:
        found.unit = amount.asset
    if amount.asset != found.unit:
        raise unreadable(
            f"an amount in {amount.asset.code} on an account in {found.unit.code}.", line=at.line
        )


def _entry(found: _Gathered, at: Reader) -> None:
    amount = at.amount()
    _assert_unit(found, amount, at)
    if (at.text("Sts/Cd") or at.text("Sts")) != _BOOKED or not amount.minor:
        found.left_out += 1
        return
    found.lines += 1
    if found.lines > said.MOST_LINES:
        raise unreadable(f"a file has at most {said.MOST_LINES:,} lines.", line=at.line)
    if at.find("BookgDt") is None and at.find("ValDt") is None:
        raise unreadable("an entry that says no day.", line=at.line)
    value_on = at.day("ValDt") if at.find("ValDt") is not None else None
    booked_on = at.day("BookgDt") if at.find("BookgDt") is not None else value_on
    assert booked_on is not None  # one of the two is there
    found.days.add(booked_on)
    found.moved += amount.minor
    found.take(_line(found.lines, at, amount, (booked_on, value_on)))


def _line(no: int, at: Reader, amount: Money, days: tuple[date, date | None]) -> SaidLine:
    parts = at.every("NtryDtls/TxDtls")
    only = parts[0] if len(parts) == 1 else None
    side = "Dbtr" if amount.minor > 0 else "Cdtr"
    name = number = end_to_end = own = None
    if only is not None:
        name = only.text(f"RltdPties/{side}/Pty/Nm") or only.text(f"RltdPties/{side}/Nm")
        account = f"RltdPties/{side}Acct/Id"
        number = only.text(f"{account}/IBAN") or only.text(f"{account}/Othr/Id")
        end_to_end = only.text("Refs/EndToEndId")
        own = only.text("Refs/AcctSvcrRef")
    line = at.line
    return SaidLine(
        no=no,
        booked_on=days[0],
        value_on=days[1],
        amount=amount,
        reference=said.text(" ".join(_remittance(at, parts)), line),
        end_to_end_id=said.given(end_to_end, line),
        bank_reference=said.given(at.text("AcctSvcrRef") or own, line),
        counterparty=said.given(name, line),
        number=said.given(number, line),
    )


def _remittance(at: Reader, parts: list[Reader]) -> Iterator[str]:
    """Give what the payer wrote; of an entry of many transactions all that they say."""
    is_any = False
    for part in parts:
        found = [each.element.text or "" for each in part.every("RmtInf/Ustrd")]
        found += [each.element.text or "" for each in part.every("RmtInf/Strd/CdtrRefInf/Ref")]
        if len(parts) > 1:
            found += [each.element.text or "" for each in part.every("Refs/EndToEndId")]
        is_any = is_any or bool(found)
        yield from found
    if not is_any:
        yield at.text("AddtlNtryInf") or ""


def _whole(found: _Gathered) -> Head:
    opening = next((found.balances[kind] for kind in _OPENING if kind in found.balances), None)
    closing = found.balances.get(_CLOSING)
    if found.unit is None or opening is None or closing is None:
        raise unreadable("it says no opening (OPBD) or no closing balance (CLBD).")
    if opening[0].minor + found.moved != closing[0].minor:
        raise said.mismatch(opening[0], found.moved, closing[0])
    days = found.days | ({closing[1]} if found.span is None else set(found.span))
    return Head(
        format="camt053",
        unit=found.unit,
        from_on=min(days),
        to_on=max(days),
        lines=found.lines,
        left_out=found.left_out,
        opening=opening[0],
        closing=closing[0],
        number=found.number,
        bank_reference=found.name,
    )
