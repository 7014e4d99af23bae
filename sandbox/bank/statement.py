"""Account statements: ISO 20022 camt.053.001.08, and the same lines as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sandbox.bank import accounts, money
from sandbox.bank.world import Call
from sandbox.common.wire import Obj

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
BIC = "SBXADEFFXXX"
_COLUMNS = (
    *("booking_date", "value_date", "amount", "currency", "counterparty", "counterparty_iban"),
    *("reference", "end_to_end_id", "bank_reference", "balance"),
)


@dataclass(frozen=True)
class Statement:
    """What was booked on one account from one day to another, both included."""

    holder: str
    name: str
    currency: str
    since: date
    until: date
    opening: int
    lines: tuple[Obj, ...]
    made_at: datetime

    @property
    def closing(self) -> int:
        """Return the balance after the last line."""
        return self.opening + sum(int(line["amount"]) for line in self.lines)


def draw(call: Call, holder: str, currency: str, since: str | None, until: str | None) -> Statement:
    """Read a statement. Raises: ValueError for an unknown account or a wrong date."""
    if holder not in accounts.HOLDERS:
        raise ValueError(f"account is one of {', '.join(accounts.HOLDERS)}")
    lines = list(accounts.booked(call, holder, currency))
    now = datetime.fromtimestamp(call.world.clock.now(), UTC)
    first = _day(lines[0]) if lines else now.date()
    start = date.fromisoformat(since) if since else first
    end = date.fromisoformat(until) if until else now.date()
    before = sum(line["amount"] for line in lines if _day(line) < start)
    return Statement(
        holder=holder,
        name=call.settings.payee,
        currency=currency,
        since=start,
        until=end,
        opening=accounts.opening(call.world, holder) + before,
        lines=tuple(line for line in lines if start <= _day(line) <= end),
        made_at=now,
    )


def _day(line: Obj) -> date:
    return datetime.fromtimestamp(line["at"], UTC).date()


def as_csv(drawn: Statement) -> bytes:
    """Return the lines as CSV, each with the balance after it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    balance = drawn.opening
    for line in drawn.lines:
        balance += line["amount"]
        day = _day(line).isoformat()
        writer.writerow(
            [
                *(day, day, money.plain(line["amount"]), line["currency"], line["name"]),
                *(line["iban"], line["reference"], line["end_to_end"], line["id"]),
                money.plain(balance),
            ]
        )
    return out.getvalue().encode()


def as_camt053(drawn: Statement) -> bytes:
    """Return the statement as XML. Source: ISO 20022, camt.053.001.08."""
    document = Element("Document", xmlns=NAMESPACE)
    body = SubElement(document, "BkToCstmrStmt")
    made = drawn.made_at.isoformat(timespec="seconds")
    mark = f"{drawn.holder}-{drawn.currency}-{drawn.since:%Y%m%d}-{drawn.until:%Y%m%d}"
    head = SubElement(body, "GrpHdr")
    _text(head, "MsgId", f"MSG-{mark}"[:35])
    _text(head, "CreDtTm", made)
    statement = SubElement(body, "Stmt")
    _text(statement, "Id", mark[:35])
    _text(statement, "ElctrncSeqNb", str(drawn.until.toordinal()))
    _text(statement, "CreDtTm", made)
    period = SubElement(statement, "FrToDt")
    _text(period, "FrDtTm", f"{drawn.since.isoformat()}T00:00:00+00:00")
    _text(period, "ToDtTm", f"{drawn.until.isoformat()}T23:59:59+00:00")
    _account(statement, drawn)
    _balance(statement, drawn, "OPBD", drawn.opening, drawn.since)
    _balance(statement, drawn, "CLBD", drawn.closing, drawn.until)
    _summary(statement, drawn)
    for line in drawn.lines:
        _entry(statement, line)
    indent(document)
    drawn_out: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return drawn_out


def _text(parent: Element, path: str, text: str) -> Element:
    for name in path.split("/"):
        parent = SubElement(parent, name)
    parent.text = text
    return parent


def _amount(parent: Element, amount: int, currency: str) -> None:
    _text(parent, "Amt", money.plain(abs(amount))).set("Ccy", currency)
    _text(parent, "CdtDbtInd", "DBIT" if amount < 0 else "CRDT")


def _account(parent: Element, drawn: Statement) -> None:
    account = SubElement(parent, "Acct")
    _text(account, "Id/IBAN", accounts.iban(drawn.holder, drawn.currency))
    _text(account, "Ccy", drawn.currency)
    _text(account, "Ownr/Nm", drawn.name)
    _text(account, "Svcr/FinInstnId/BICFI", BIC)


def _balance(parent: Element, drawn: Statement, code: str, amount: int, day: date) -> None:
    balance = SubElement(parent, "Bal")
    _text(balance, "Tp/CdOrPrtry/Cd", code)
    _amount(balance, amount, drawn.currency)
    _text(balance, "Dt/Dt", day.isoformat())


def _summary(parent: Element, drawn: Statement) -> None:
    totals = SubElement(parent, "TxsSummry")
    for name, sign in (("TtlCdtNtries", 1), ("TtlDbtNtries", -1)):
        amounts = [line["amount"] for line in drawn.lines if line["amount"] * sign > 0]
        total = SubElement(totals, name)
        _text(total, "NbOfNtries", str(len(amounts)))
        _text(total, "Sum", money.plain(abs(sum(amounts))))


def _entry(parent: Element, line: Obj) -> None:
    amount, day = line["amount"], _day(line).isoformat()
    entry = SubElement(parent, "Ntry")
    _text(entry, "NtryRef", line["id"])
    _amount(entry, amount, line["currency"])
    _text(entry, "Sts/Cd", "BOOK")
    _text(entry, "BookgDt/Dt", day)
    _text(entry, "ValDt/Dt", day)
    _text(entry, "AcctSvcrRef", line["id"])
    family = SubElement(entry, "BkTxCd")
    domain = SubElement(family, "Domn")
    _text(domain, "Cd", "PMNT")
    kind = SubElement(domain, "Fmly")
    _text(kind, "Cd", "ICDT" if amount < 0 else "RCDT")
    _text(kind, "SubFmlyCd", "ESCT" if line["currency"] == "EUR" else "DMCT")
    details = SubElement(SubElement(entry, "NtryDtls"), "TxDtls")
    references = SubElement(details, "Refs")
    _text(references, "AcctSvcrRef", line["id"])
    _text(references, "EndToEndId", line["end_to_end"])
    _amount(details, amount, line["currency"])
    _parties(details, line)
    _text(details, "RmtInf/Ustrd", line["reference"])


def _parties(parent: Element, line: Obj) -> None:
    who = "Cdtr" if line["amount"] < 0 else "Dbtr"
    parties = SubElement(parent, "RltdPties")
    _text(parties, f"{who}/Pty/Nm", line["name"])
    number = SubElement(SubElement(parties, f"{who}Acct"), "Id")
    if line["iban"][:2].isalpha():
        _text(number, "IBAN", line["iban"])
    else:
        _text(number, "Othr/Id", line["iban"])
