"""What tests of the bank desk share: statement files written in both formats, importing them, looking at lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from sqlalchemy import select

from core.money import Money, asset
from domain import database
from domain.actors import Actor
from domain.bank import importing, matching
from domain.bank.csv_maps import CsvMap
from domain.bank.importing import Wanted
from domain.bank.matching import Act, Target
from models.statements import BankLine, BankStatement

EUR = asset("EUR")
DAY = date(2026, 9, 22)
IBAN = "DE89370400440532013000"


@dataclass(frozen=True)
class Row:
    """One line of a file. minor: signed."""

    minor: int = 2_500
    reference: str = "Invoice 7"
    bank: str | None = None
    on: date = DAY
    end_to_end: str | None = None
    name: str | None = "Jane Doe"
    iban: str | None = "GB33BUKB20201555555555"
    status: str = "BOOK"


def major(minor: int) -> str:
    return Money(minor, EUR).major()


def camt(
    *rows: Row,
    opening: int = 10_000,
    closing: int | None = None,
    version: str = "08",
    number: str = IBAN,
    name: str = "STMT-1",
) -> bytes:
    """Write a CAMT.053 file whose balances are right, unless another closing one is given."""
    booked = sum(row.minor for row in rows if row.status == "BOOK")
    ends = (
        ("OPBD", opening, DAY),
        ("CLBD", opening + booked if closing is None else closing, DAY),
    )
    balances = "".join(
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{_amount(minor)}"
        f"<Dt><Dt>{day}</Dt></Dt></Bal>\n"
        for kind, minor, day in ends
    )
    entries = "".join(_entry(row, version) for row in rows)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        "<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-09-23T04:00:00+02:00</CreDtTm></GrpHdr>\n"
        f"<Stmt><Id>{escape(name)}</Id><CreDtTm>2026-09-23T04:00:00+02:00</CreDtTm>"
        f"<Acct><Id><IBAN>{number}</IBAN></Id><Ccy>EUR</Ccy></Acct>\n"
        f"{balances}{entries}</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def _amount(minor: int) -> str:
    side = "DBIT" if minor < 0 else "CRDT"
    return f'<Amt Ccy="EUR">{major(abs(minor))}</Amt><CdtDbtInd>{side}</CdtDbtInd>'


def _entry(row: Row, version: str) -> str:
    side = "Cdtr" if row.minor < 0 else "Dbtr"
    said = f"<Nm>{escape(row.name or '')}</Nm>"
    name = f"<Pty>{said}</Pty>" if version == "08" else said
    parties = f"<{side}>{name}</{side}>" if row.name else ""
    if row.iban:
        parties += f"<{side}Acct><Id><IBAN>{row.iban}</IBAN></Id></{side}Acct>"
    refs = (
        f"<Refs><EndToEndId>{escape(row.end_to_end)}</EndToEndId></Refs>" if row.end_to_end else ""
    )
    own = f"<AcctSvcrRef>{escape(row.bank)}</AcctSvcrRef>" if row.bank else ""
    text = f"<RmtInf><Ustrd>{escape(row.reference)}</Ustrd></RmtInf>" if row.reference else ""
    status = f"<Sts><Cd>{row.status}</Cd></Sts>" if version == "08" else f"<Sts>{row.status}</Sts>"
    return (
        f"<Ntry>{_amount(row.minor)}{status}"
        f"<BookgDt><Dt>{row.on}</Dt></BookgDt><ValDt><Dt>{row.on}</Dt></ValDt>{own}<BkTxCd/>"
        f"<NtryDtls><TxDtls>{refs}<RltdPties>{parties}</RltdPties>{text}</TxDtls></NtryDtls></Ntry>\n"
    )


MAPPING = CsvMap(
    currency="EUR",
    columns={
        "bookedOn": "Date",
        "amount": "Amount",
        "reference": "Reference",
        "bankReference": "Bank id",
        "endToEndId": "End to end",
        "counterparty": "Name",
        "counterpartyNumber": "IBAN",
        "balance": "Balance",
    },
)
NAMES = ("Date", "Amount", "Reference", "Bank id", "End to end", "Name", "IBAN", "Balance")


def sheet(*rows: Row, opening: int = 10_000) -> bytes:
    """Write a CSV that reads by `MAPPING`."""
    lines, balance = [",".join(NAMES)], opening
    for row in rows:
        balance += row.minor
        cells = (
            *(str(row.on), major(row.minor), row.reference, row.bank or ""),
            *(row.end_to_end or "", row.name or "", row.iban or "", major(balance)),
        )
        lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in cells))
    return ("\r\n".join(lines) + "\r\n").encode()


def bring(
    actor: Actor, body: bytes, *, account: str = "main", mapping: CsvMap | None = None
) -> BankStatement:
    """Import a file as somebody does: CSV where there is a mapping."""
    wanted = Wanted(account, "csv" if mapping else "camt053", body, mapping)
    checked = importing.check(wanted)
    with database.transaction() as session:
        return importing.put(session, checked, actor=actor, source="test")


def lines() -> Sequence[BankLine]:
    """Read the lines in the order of their amounts."""
    with database.reading() as session:
        statement = select(BankLine).order_by(BankLine.amount_minor, BankLine.line_key)
        return session.scalars(statement).all()


def only() -> BankLine:
    [found] = lines()
    return found


def match(
    actor: Actor, line_id: str, kind: str, target_id: str, *, note: str = "seen on the statement"
) -> BankLine:
    with database.transaction() as session:
        act = Act(actor, "test", note)
        return matching.match(session, line_id, Target(kind, target_id), act)


def unmatch(actor: Actor, line_id: str) -> BankLine | None:
    with database.transaction() as session:
        return matching.unmatch(session, line_id, Act(actor, "test", "another one"))
