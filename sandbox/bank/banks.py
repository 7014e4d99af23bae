"""The four banks that a payer may choose from, and what each of them does; data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bank:
    """One bank of the rehearsal."""

    id: str
    name: str
    says: str
    sort_code: str
    is_slow: bool = False
    asks_code: bool = False
    refuses: bool = False


BANKS = {
    bank.id: bank
    for bank in (
        Bank("mock-instant-bank", "Instant Bank", "The money arrives at once.", "040004"),
        Bank("mock-slow-bank", "Slow Bank", "Accepts now, the money arrives later.", "040668",
             is_slow=True),
        Bank("mock-careful-bank", "Careful Bank", "Asks for a second code.", "200000",
             asks_code=True),
        Bank("mock-refusing-bank", "Refusing Bank", "Lets you agree, then refuses.", "609104",
             refuses=True),
    )
}  # fmt: skip
DEFAULT = "mock-instant-bank"
