"""Finding payouts at our bank: a person names the line that shows one, and it leaves `transit` for `cash`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound, invalid
from core.money import Money, asset
from domain import audit, calendar, pending
from domain.actors import Actor
from domain.books import accounts, ledger
from domain.reconciliation.payouts import RETURNED
from models.ledger import JournalEntry
from models.reconciliation import ProviderBooking, ProviderPayout
from providers.book_seam import BookingKind

KIND = "payout_matched"
# How far from the day it was expected a line is still likely to be the payout's.
NEAR_DAYS = 7


@dataclass(frozen=True)
class BankLine:
    """One line of a bank statement. account: our name for the bank account; reference: unique in it."""

    account: str
    reference: str
    amount: Money
    booked_on: date


@dataclass(frozen=True)
class Suggestion:
    """A payout that a line may show. score: 0 to 100; why: in words, for the person who decides."""

    payout: ProviderPayout
    score: int
    why: str


def match(
    session: Session, payout_id: str, line: BankLine, *, actor: Actor, source: str, note: str
) -> ProviderPayout:
    """Say that a bank line shows a payout: it moves from `transit` to the bank's `cash` account.

    A line that shows less than the payout leaves the rest in transit, where it stays visible.
    Writes: provider_payouts, journal, audit_log. Raises: NotFound; InvalidInput; Conflict when it is
    matched, came back, is not booked yet, or the line is used or shows more. Transaction: caller's.
    """
    payout = _get(session, payout_id)
    unit = asset(payout.asset)
    bank = accounts.named(f"cash:{line.account}")
    if bank is None:
        raise invalid("account", "A bank account's name is letters, digits, dots and dashes.")
    if line.amount.asset != unit:
        raise invalid("currency", f"The payout is in {unit.code}.")
    if line.amount.minor <= 0:
        raise invalid("amount", "A line that shows a payout brings money.")
    if not line.reference.strip():
        raise invalid("line", "Name the line as the bank does.")
    if line.amount.minor > payout.amount_minor:
        whole = Money(payout.amount_minor, unit).major()
        raise Conflict(
            f"The line shows {line.amount.major()} {unit.code}, the payout is over {whole}.",
            code="AMOUNT_EXCEEDED",
        )
    _assert_under_way(session, payout)
    _claim(session, payout, line, actor)
    entry_id = ledger.post(
        session,
        KIND,
        movements=[ledger.Movement(bank, accounts.transit(payout.provider), line.amount)],
        source_key=f"payout_matched:{payout.id}:{_times_matched(session, payout) + 1}",
        source=source,
        ties=_ties(payout),
        note=note,
        details={"line": line.reference, "bookedOn": str(line.booked_on)},
        effective_at=calendar.begin_of(line.booked_on),
    )
    session.execute(
        update(ProviderPayout).where(ProviderPayout.id == payout.id).values(entry_id=entry_id)
    )
    matched = _get(session, payout_id)
    _audit(
        session, "payout.match", matched, actor=actor, source=source, note=note, entry_id=entry_id
    )
    return matched


def unmatch(
    session: Session, payout_id: str, *, actor: Actor, source: str, note: str
) -> ProviderPayout:
    """Take a match back: its entry is reversed, and the payout is on its way again.

    Writes: provider_payouts, journal, audit_log. Raises: NotFound, Conflict. Transaction: caller's.
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
    reversal = ledger.reverse(session, entry_id, source=source, note=note)
    _audit(
        session, "payout.unmatch", payout, actor=actor, source=source, note=note, entry_id=reversal
    )
    return _get(session, payout_id)


def suggest(session: Session, line: BankLine, *, livemode: bool) -> list[Suggestion]:
    """List the payouts that a bank line may show, likeliest first; nothing is decided by it.

    Transaction: caller's, reads only.
    """
    about = timedelta(days=NEAR_DAYS)
    day = calendar.begin_of(line.booked_on)
    statement = (
        select(ProviderPayout)
        .where(
            ProviderPayout.livemode.is_(livemode),
            ProviderPayout.asset == str(line.amount.asset),
            ProviderPayout.matched_at.is_(None),
            ProviderPayout.status.not_in(RETURNED),
            ProviderPayout.amount_minor >= line.amount.minor,
            ProviderPayout.created_at.between(day - 4 * about, day + about),
        )
        .order_by(ProviderPayout.created_at.desc())
        .limit(200)
    )
    found = [_weighed(payout, line) for payout in session.scalars(statement)]
    likely = [each for each in found if each.score]
    return sorted(likely, key=lambda each: (-each.score, each.payout.id))[:5]


def _weighed(payout: ProviderPayout, line: BankLine) -> Suggestion:
    expected = calendar.day_of(payout.arrives_at or payout.created_at)
    apart = abs((line.booked_on - expected).days)
    short = payout.amount_minor - line.amount.minor
    near = max(0, 40 - 5 * apart)
    if short == 0:
        words = "the same amount" if apart else "the same amount, on the day it was expected"
        days = f", {apart} day{'s' if apart != 1 else ''} from when it was expected"
        return Suggestion(payout, 60 + near, words + (days if apart else ""))
    # A bank may keep a fee of its own; more than a hundredth is another payout.
    if short * 100 <= payout.amount_minor:
        missing = Money(short, line.amount.asset)
        words = f"{missing.major()} {missing.asset.code} less than the payout"
        return Suggestion(payout, near, words)
    return Suggestion(payout, 0, "another amount")


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
    """Tie the payout and the line to each other; of two who want either, one gets it."""
    now = clock.now()
    values = {
        "bank_account": line.account,
        "bank_line": line.reference,
        "matched_minor": line.amount.minor,
        "matched_by": actor.id,
        "matched_at": now,
        "updated_at": now,
    }
    free = update(ProviderPayout).where(
        ProviderPayout.id == payout.id, ProviderPayout.matched_at.is_(None)
    )
    try:
        with session.begin_nested():
            taken = session.scalar(free.values(values).returning(ProviderPayout.id))
    except IntegrityError as error:
        raise Conflict(
            "That bank line shows another payout already.", code="LINE_MATCHED"
        ) from error
    if taken is None:
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


def _audit(
    session: Session,
    act: str,
    payout: ProviderPayout,
    *,
    actor: Actor,
    source: str,
    note: str,
    entry_id: str,
) -> None:
    audit.write(
        session,
        act,
        actor=actor,
        object_kind="provider_payout",
        object_id=payout.id,
        source=source,
        reason=note,
        after={
            "line": payout.bank_line,
            "account": payout.bank_account,
            "matchedMinor": payout.matched_minor,
            "asset": payout.asset,
            "entryId": entry_id,
        },
    )
