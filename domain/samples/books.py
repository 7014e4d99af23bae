"""The books of a sample payment: what arrived, held for the order; balanced and sealed."""

from __future__ import annotations

from datetime import datetime

from core.money import Money
from domain import calendar
from domain.books import accounts, balances, ledger
from domain.books.accounts import Account
from domain.books.ledger import Movement
from domain.samples.bulk import Sheaf
from domain.samples.dice import Namer
from domain.samples.rows import Names, fact_key
from domain.samples.story import Attempt, Story
from models.ledger import AccountBalance, JournalEntry, JournalSeal, LedgerAccount, Posting


class Books:
    """Adds entries; remembers which accounts of this load are open."""

    def __init__(self, known: set[tuple[str, str]]) -> None:
        self._open = known
        self._kept: dict[tuple[str, str], dict[str, object]] = {}

    def add(
        self, sheaf: Sheaf, story: Story, attempt: Attempt, *, names: Names, namer: Namer
    ) -> tuple[str, str] | None:
        """Add the entry of what arrived. Gives its id and content hash, for the chain.

        Writes: ledger_accounts, journal_entries, postings, journal_seals, through the sheaf.
        """
        if not attempt.received_minor:
            return None
        amount = Money(attempt.received_minor, story.asset)
        funds = accounts.buyer_funds(story.buyer_id, names.payment)
        hold = accounts.escrow_hold(names.order, story.merchant_id)
        movements = [
            Movement(accounts.clearing("stripe"), funds, amount),
            Movement(funds, hold, amount),
        ]
        key = fact_key(names, "succeeded", attempt.amount_minor)
        at = attempt.told_at.replace(microsecond=attempt.told_at.microsecond // 1000 * 1000)
        return self._post(sheaf, movements, key=key, at=at, names=names, namer=namer)

    def _post(
        self,
        sheaf: Sheaf,
        movements: list[Movement],
        *,
        key: str,
        at: datetime,
        names: Names,
        namer: Namer,
    ) -> tuple[str, str]:
        entry_id = namer.at("jrn", at)
        lines = [
            line for pair, movement in enumerate(movements, 1) for line in _lines(pair, movement)
        ]
        head: dict[str, object] = {
            "id": entry_id,
            "kind": "deposit",
            "source_key": key,
            "source": names.source,
            "order_id": names.order,
            "payment_id": names.payment,
            "invoice_id": names.invoice,
            "provider": "stripe",
            "provider_reference": names.reference,
            "note": None,
            "reverses_id": None,
            "resolves_id": None,
            "details": {},
            "reversal_due_on": None,
            "period": calendar.month_of(at),
            "late_of": None,
            "livemode": False,
            "demo": True,
            "effective_at": at,
            "posted_at": at,
        }
        content = ledger.entry_hash(ledger.head_of(head), lines)
        for movement in movements:
            self._open_account(sheaf, movement.debit, movement.amount, at)
            self._open_account(sheaf, movement.credit, movement.amount, at)
            self._keep(sheaf, movement)
        sheaf.add(JournalEntry, head | {"content_hash": content})
        for place, (pair, address, unit, minor) in enumerate(lines, start=1):
            line: dict[str, object] = {"entry_id": entry_id, "line": place, "pair": pair}
            line |= {"address": address, "asset": unit, "amount_minor": minor}
            sheaf.add(Posting, line)
        seal: dict[str, object] = {"entry_id": entry_id, "postings": len(lines), "sealed_at": at}
        sheaf.add(JournalSeal, seal)
        return entry_id, content

    def _keep(self, sheaf: Sheaf, movement: Movement) -> None:
        """Keep what is held for the order; all of an order's payments are loaded together."""
        key = (movement.credit.address, str(movement.amount.asset))
        if not balances.is_kept(movement.credit.address):
            return
        if key not in self._kept:
            self._kept[key] = {"address": key[0], "asset": key[1], "balance_minor": 0, "version": 1}
            sheaf.add(AccountBalance, self._kept[key])
        held = self._kept[key]["balance_minor"]
        assert isinstance(held, int)  # for the type checker
        self._kept[key]["balance_minor"] = held + movement.amount.minor

    def _open_account(self, sheaf: Sheaf, account: Account, amount: Money, at: datetime) -> None:
        unit = str(amount.asset)
        if (account.address, unit) in self._open:
            return
        self._open.add((account.address, unit))
        row: dict[str, object] = {
            "address": account.address,
            "asset": unit,
            "kind": account.kind,
            "merchant_id": account.merchant_id,
            "created_at": at,
        }
        sheaf.add(LedgerAccount, row)


def _lines(pair: int, movement: Movement) -> list[tuple[int, str, str, int]]:
    unit, minor = str(movement.amount.asset), movement.amount.minor
    return [
        (pair, movement.debit.address, unit, minor),
        (pair, movement.credit.address, unit, -minor),
    ]
