"""The other side of a bank line: its name and number, sealed; under the payer's key once we know whom it is about."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.person_seal import KeyDestroyed
from domain.secrets import person_keys
from domain.secrets.person_keys import Whose
from models.statements import BankLine

PURPOSE = "bank_line"


@dataclass(frozen=True)
class Counterparty:
    """Who stands on the other side, as the bank says it. number: an IBAN or what the bank has instead."""

    name: str | None = None
    number: str | None = None

    def masked(self) -> Counterparty:
        """Give what support may see: the first letter of the name, the end of the number."""
        name = f"{self.name[0]}…" if self.name else None
        number = f"…{self.number[-4:]}" if self.number and len(self.number) > 8 else None
        return Counterparty(name, number)


def place(line_id: str) -> str:
    """Name where the other side of a line is sealed."""
    return f"bank_lines|counterparty|{line_id}"


def seal(session: Session, whose: Whose | None, line_id: str, said: Counterparty) -> bytes | None:
    """Seal the other side of a line; None where the bank says nothing. Transaction: caller's."""
    if said.name is None and said.number is None:
        return None
    text = json.dumps([said.name, said.number])
    return person_keys.seal_text(session, whose, text, purpose=PURPOSE, place=place(line_id))


def open_line(line: BankLine) -> Counterparty:
    """Open the other side of a line; nobody, where it says none or its person was erased."""
    if line.counterparty_sealed is None:
        return Counterparty()
    try:
        text = person_keys.open_text(
            line, line.counterparty_sealed, purpose=PURPOSE, place=place(line.id)
        )
    except KeyDestroyed:
        return Counterparty()
    name, number = json.loads(text)
    return Counterparty(name, number)


def belongs_to(session: Session, line: BankLine, whose: Whose | None) -> None:
    """Seal the other side anew under the key of whom it turned out to be about.

    Writes: bank_lines, person_keys. Transaction: caller's.
    """
    said = open_line(line)
    if whose is not None:
        line.counterparty_sealed = seal(session, whose, line.id, said)
