"""Bank lines whose every word the payer wrote, for the database that is stained; one matched, one a draft away."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock, ids
from core.states import Role
from domain import calendar
from domain.actors import Actor
from domain.bank import counterparties, drafts
from domain.bank.counterparties import Counterparty
from models.payments import Payment
from models.statements import BankAccount, BankLine, BankStatement
from tests.security import hostile

PROSE = {
    "bank_lines": "bank_reference reference end_to_end_id note",
    "bank_statements": "bank_reference",
}


def add(session: Session, person: str, payment: Payment) -> None:
    """Add a statement with a line that shows a payment and one that shows nothing, and a file to be read."""
    now, today = clock.now(), calendar.today()
    actor = Actor(person, "user", Role.ADMIN, "x")
    session.add(BankAccount(name="main", mapping={}, created_at=now))
    statement = BankStatement(
        id=ids.new("bst"),
        account="main",
        format="csv",
        file_sha256="0" * 64,
        bank_reference="x",
        from_on=today,
        to_on=today,
        asset=payment.asset,
        lines=2,
        imported_by=actor.id,
        imported_at=now,
    )
    session.add(statement)
    session.flush()
    for number in range(2):
        line_id, is_matched = ids.new("bln"), number == 0
        said = Counterparty(hostile.STRINGS[number], hostile.STRINGS[-1])
        session.add(
            BankLine(
                id=line_id,
                account="main",
                statement_id=statement.id,
                no=number,
                line_key=str(number),
                bank_reference="x",
                booked_on=today,
                asset=payment.asset,
                amount_minor=100 + number,
                reference="x",
                end_to_end_id="x",
                reference_key="X",
                counterparty_sealed=counterparties.seal(session, None, line_id, said),
                state="matched" if is_matched else "unmatched",
                payment_id=payment.id if is_matched else None,
                match_no=int(is_matched),
                matched_by=actor.id if is_matched else None,
                matched_at=now if is_matched else None,
                note="x",
                created_at=now,
            )
        )
    names = "Date,Amount,Currency,Reference,Name"
    cells = ",".join(
        '"' + each.replace('"', '""').replace("\0", "") + '"' for each in hostile.STRINGS[:2]
    )
    drafts.keep(session, "main", f"{names}\n{today},1.00,EUR,{cells}\n".encode(), actor=actor)
