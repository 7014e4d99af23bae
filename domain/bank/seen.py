"""A bank line as it is held against what may be behind it: its words, its amount, its day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from core.bank_references import HEAD, key_of
from core.money import Money, asset
from domain.bank import counterparties
from models.statements import BankLine

# Every name that we or a provider give has a digit or a low line in it; plain words have none.
_TOKEN = re.compile(r"(?=[A-Za-z-]*[0-9_])[A-Za-z0-9][A-Za-z0-9_-]{3,79}", re.ASCII)
# References of ours are found however a bank breaks them.
_OWN = re.compile(rf"(?={key_of(HEAD)}([0-9A-Z]{{14}}))", re.ASCII)
_MOST_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """A line as it is held against what may be behind it."""

    id: str
    booked_on: date
    amount: Money
    reference: str
    end_to_end_id: str | None
    reference_key: str
    counterparty: str | None
    livemode: bool

    def tokens(self) -> set[str]:
        """Give the words of the line that may be names of ours or of a provider."""
        text = f"{self.end_to_end_id or ''} {self.reference}"
        found = set(_TOKEN.findall(text)[:_MOST_TOKENS])
        return found | {HEAD + each for each in _OWN.findall(self.reference_key)[:_MOST_TOKENS]}


def seen_of(line: BankLine) -> Seen:
    """Read a row as it is held against others. Transaction: caller's, reads only."""
    return Seen(
        id=line.id,
        booked_on=line.booked_on,
        amount=Money(line.amount_minor, asset(line.asset)),
        reference=line.reference,
        end_to_end_id=line.end_to_end_id,
        reference_key=line.reference_key,
        counterparty=counterparties.open_line(line).name,
        livemode=line.livemode,
    )
