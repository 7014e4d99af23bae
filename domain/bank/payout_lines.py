"""A bank line that shows a payout: the money leaves `transit` for `cash`, and comes back when the match is taken back."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound, invalid
from core.money import Money, asset
from domain import calendar, pending
from domain.actors import Actor
from domain.bank import bank_accounts
from domain.books import accounts, ledger
from domain.reconciliation.payouts import RETURNED
from models.ledger import JournalEntry
from models.reconciliation import ProviderBooking, ProviderPayout
from models.statements import BankLine
from providers.book_seam import BookingKind

KIND = "payout_matched"


def show(
    session: Session, payout_id: str, line: BankLine, *, actor: Actor, source: str, note: str
) -> str:
    """Move a payout from `transit` to the bank's `cash` account. Gives the entry.

    A line that shows less than the payout leaves the rest in transit, where it stays visible.
    Writes: provider_payouts, journal. Raises: NotFound, InvalidInput, Conflict. Transaction: caller's.
    """
    payout = _get(session, payout_id)
    unit = asset(payout.asset)
    if line.asset != payout.asset:
        raise invalid("currency", f"The payout is in {unit.code}.")
    if line.amount_minor <= 0:
        raise invalid("amount", "A line that shows a payout brings money.")
    amount = Money(line.amount_minor, unit)
    if amount.minor > payout.amount_minor:
        whole = Money(payout.amount_minor, unit).major()
        raise Conflict(
            f"The line shows {amount.major()} {unit.code}, the payout is over {whole}.",
            code="AMOUNT_EXCEEDED",
        )
    _assert_under_way(session, payout)
    _claim(session, payout, line, actor)
    entry_id = ledger.post(
        session,
        KIND,
        movements=[
            ledger.Movement(
                bank_accounts.of_name(line.account), accounts.transit(payout.provider), amount
            )
        ],
        source_key=f"payout_matched:{payout.id}:{_times_matched(session, payout) + 1}",
        source=source,
        ties=_ties(payout),
        note=note,
        details={"line": line.bank_reference or line.id, "bookedOn": str(line.booked_on)},
        effective_at=calendar.begin_of(line.booked_on),
    )
    session.execute(
        update(ProviderPayout).where(ProviderPayout.id == payout.id).values(entry_id=entry_id)
    )
    return entry_id


def hide(session: Session, payout_id: str, *, source: str, note: str) -> str:
    """Take it back: the entry is reversed in the open month, and the payout is on its way again.

    Gives the reversal. Writes: provider_payouts, journal. Raises: NotFound, Conflict.
    Transaction: caller's.
    """
    payout = _get(session, payout_id)
    entry_id = payout.entry_id
    free = {
        "entry_id": None,
        "bank_account": None,
        "bank_line": None,
        "matched_minor": None,
        "matched_by": None,
        "matched_at": None,
        "updated_at": clock.now(),
    }
    undone = update(ProviderPayout).where(
        ProviderPayout.id == payout.id, ProviderPayout.entry_id == entry_id
    )
    done = session.scalar(undone.values(free).returning(ProviderPayout.id))
    if entry_id is None or done is None:
        raise Conflict("That payout is matched to no bank line.")
    return ledger.reverse(session, entry_id, source=source, note=note)


def _get(session: Session, payout_id: str) -> ProviderPayout:
    own = select(ProviderPayout).where(ProviderPayout.id == payout_id)
    locked = own.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(locked).first()
    if found is None:
        raise NotFound
    return found


def _assert_under_way(session: Session, payout: ProviderPayout) -> None:
    if payout.status in RETURNED:
        raise Conflict("That payout came back; no line can show it.", code="PAYOUT_RETURNED")
    booked = select(ProviderBooking.id).where(
        ProviderBooking.provider == payout.provider,
        ProviderBooking.livemode.is_(payout.livemode),
        ProviderBooking.kind == BookingKind.PAYOUT.value,
        ProviderBooking.reference == payout.provider_reference,
    )
    if session.scalar(booked.limit(1)) is None:
        raise Conflict(
            "The provider's own booking of that payout is not known yet; it is read within minutes.",
            code="PAYOUT_NOT_BOOKED",
        )


def _claim(session: Session, payout: ProviderPayout, line: BankLine, actor: Actor) -> None:
    """Tie the payout to its line; of two who want it, one gets it."""
    now = clock.now()
    values = {
        "bank_account": line.account,
        "bank_line": line.bank_reference or line.id,
        "matched_minor": line.amount_minor,
        "matched_by": actor.id,
        "matched_at": now,
        "updated_at": now,
    }
    free = update(ProviderPayout).where(
        ProviderPayout.id == payout.id, ProviderPayout.matched_at.is_(None)
    )
    if session.scalar(free.values(values).returning(ProviderPayout.id)) is None:
        raise Conflict("That payout is matched to a bank line already.", code="ALREADY_MATCHED")


def _times_matched(session: Session, payout: ProviderPayout) -> int:
    pending.write_rows(session)
    prefix = f"payout_matched:{payout.id}:"
    keys = session.scalars(
        select(JournalEntry.source_key).where(JournalEntry.source_key.startswith(prefix))
    )
    return len(keys.all())


def _ties(payout: ProviderPayout) -> ledger.Ties:
    return ledger.Ties(
        provider=payout.provider,
        provider_reference=payout.provider_reference,
        livemode=payout.livemode,
        demo=payout.demo,
    )
