"""A statement for the sandbox, made up from what is there: so that importing and matching can be tried at once."""

from __future__ import annotations

from datetime import date
from xml.sax.saxutils import escape

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import bank_references
from core.money import Money, asset
from domain import calendar
from domain.reconciliation.payouts import RETURNED
from models.payments import Payment
from models.reconciliation import ProviderPayout
from models.refunds import Refund

_MOST = 6
_OPENING = 1_000_000
ACCOUNT = "sandbox-eur"
_IBAN = "DE89370400440532013000"
_UNIT = "EUR/2"
# Name of the other side, reference, end-to-end id, signed minor units.
Said = tuple[str, str, str, int]


def write(session: Session) -> bytes:
    """Write a CAMT.053 file of today: payments, refunds and payouts of the sandbox, and two strangers.

    Transaction: caller's, reads only.
    """
    today = calendar.today()
    entries = [*_payments(session), *_refunds(session), *_payouts(session)]
    entries += [
        ("Our Bank", "Account fee", "", -1_290),
        ("Somebody", "Thanks for the table", "", 4_200),
    ]
    moved = sum(minor for *_, minor in entries)
    lines = "".join(_entry(no, each, today) for no, each in enumerate(entries, start=1))
    ends = _balance("OPBD", _OPENING, today) + _balance("CLBD", _OPENING + moved, today)
    made = f"{today}T06:00:00"
    name = bank_references.make("|".join(f"{each[1]}{each[3]}" for each in entries))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">\n<BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>{name}</MsgId><CreDtTm>{made}</CreDtTm></GrpHdr>\n"
        f"<Stmt><Id>{name}</Id><CreDtTm>{made}</CreDtTm>"
        f"<Acct><Id><IBAN>{_IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>\n"
        f"{ends}{lines}</Stmt>\n</BkToCstmrStmt>\n</Document>\n"
    ).encode()


def _payments(session: Session) -> list[Said]:
    paid = (Payment.status == "completed", Payment.asset == _UNIT, Payment.direction == "in")
    statement = select(Payment).where(*paid, Payment.received_minor > 0)
    rows = session.scalars(statement.order_by(Payment.created_at.desc(), Payment.id).limit(_MOST))
    return [
        (
            "A buyer",
            f"Order {row.order_id or ''} {row.provider_reference or row.id}",
            row.bank_reference or row.id,
            row.amount_minor,
        )
        for row in rows
    ]


def _refunds(session: Session) -> list[Said]:
    done = (Refund.state == "succeeded", Refund.asset == _UNIT)
    statement = select(Refund).where(*done).order_by(Refund.created_at.desc(), Refund.id)
    return [
        ("A buyer", "Refund", row.id, -row.amount_minor)
        for row in session.scalars(statement.limit(2))
    ]


def _payouts(session: Session) -> list[Said]:
    waiting = (ProviderPayout.matched_at.is_(None), ProviderPayout.status.not_in(RETURNED))
    statement = select(ProviderPayout).where(*waiting, ProviderPayout.asset == _UNIT)
    rows = session.scalars(
        statement.order_by(ProviderPayout.created_at, ProviderPayout.id).limit(3)
    )
    return [
        (row.provider.capitalize(), f"PAYOUT {row.provider_reference}", "", row.amount_minor)
        for row in rows
    ]


def _balance(kind: str, minor: int, day: date) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{_amount(minor)}"
        f"<Dt><Dt>{day}</Dt></Dt></Bal>\n"
    )


def _amount(minor: int) -> str:
    side = "DBIT" if minor < 0 else "CRDT"
    shown = Money(abs(minor), asset(_UNIT)).major()
    return f'<Amt Ccy="EUR">{shown}</Amt><CdtDbtInd>{side}</CdtDbtInd>'


def _entry(no: int, said: Said, day: date) -> str:
    name, reference, end_to_end, minor = said
    side = "Cdtr" if minor < 0 else "Dbtr"
    own = f"<EndToEndId>{escape(end_to_end or 'NOTPROVIDED')}</EndToEndId>"
    return (
        f"<Ntry>{_amount(minor)}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt>"
        f"<ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>{day:%Y%m%d}-{no:03d}-{abs(minor)}</AcctSvcrRef>"
        f"<BkTxCd><Prtry><Cd>XX</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>{own}</Refs>"
        f"<RltdPties><{side}><Pty><Nm>{escape(name)}</Nm></Pty></{side}></RltdPties>"
        f"<RmtInf><Ustrd>{escape(' '.join(reference.split()))}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
    )
