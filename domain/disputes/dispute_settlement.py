"""What providers say of disputes, carried into the dispute, the books, the order's hold and its case.

Whatever the order in which it is heard, and however often: the dispute stands where the latest word puts
it, and each booking counts once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.disputes import CLOSED, contradicts, is_further, is_later
from core.fold import DISPUTE_REINSTATED, DISPUTE_WITHDRAWN
from core.money import asset
from domain import pending
from domain.cases import cases
from domain.cases.cases import Finding
from domain.disputes import dispute_books, dispute_cases, dispute_events
from domain.orders import release_holds
from domain.transitions import Why, move_together
from models.disputes import Dispute
from models.payments import Payment
from providers.said import SaidDispute

# How often the provider is asked about a dispute that no webhook speaks of.
CHECK_SECONDS = 6 * 3600


def ours(payment: Payment, said: Sequence[SaidDispute]) -> list[SaidDispute]:
    """Give what is said of a payment's disputes in its own currency; nothing else can be booked to it."""
    return [each for each in said if str(each.amount.asset) == payment.asset]


def hear(
    session: Session,
    payment: Payment,
    said: Sequence[SaidDispute],
    *,
    new_funds: Collection[str],
    why: Why,
) -> list[str]:
    """Apply what is said of a locked payment's disputes. Gives a sentence for each that changed anything.

    new_funds: the keys of bookings that were not known before. A dispute is written down when it is first
    heard of, by whichever word. Writes: disputes, payments, release_holds, orders, journal,
    exception_cases, event_log, audit_log. Emits: dispute.*, payment.reversed, exception.opened.
    Transaction: caller's.
    """
    # What a batch has kept back is sent first, so that rows are read as they are.
    pending.write_rows(session)
    told = []
    for each in said:
        if str(each.amount.asset) != payment.asset:
            _tell_other_asset(session, payment, each, why)
            continue
        if (sentence := _hear_one(session, payment, each, new_funds, why)) is not None:
            told.append(sentence)
    pending.write_rows(session)
    return told


def is_stale(session: Session, said: Sequence[SaidDispute]) -> bool:
    """Tell whether an older word says more of a dispute than what is known, so that the truth is asked for.

    Transaction: caller's, reads only.
    """
    names = [each.reference for each in said]
    known = {
        row.provider_reference: row
        for row in session.scalars(select(Dispute).where(Dispute.provider_reference.in_(names)))
    }
    return any(
        contradicts(each.status, each.said_at, known=row.status, known_at=row.status_at)
        for each in said
        if (row := known.get(each.reference)) is not None
    )


def _hear_one(
    session: Session, payment: Payment, said: SaidDispute, new: Collection[str], why: Why
) -> str | None:
    known = _find(session, said)
    if known is not None and known.payment_id != payment.id:
        return None
    dispute = known or _open(session, payment, said)
    was_closed = known is not None and known.status in CLOSED
    before = _shown(dispute)
    _advance(session, dispute, said, why)
    _move_funds(session, payment, dispute, said, new=new, why=why)
    is_changed = known is None or _shown(dispute) != before
    if not is_changed:
        return None
    dispute_books.book_loss(session, payment, dispute, why=why)
    is_closed = dispute.status in CLOSED
    if known is None:
        case_id = dispute_cases.open_for(session, payment, dispute, why=why)
        move_together(session, dispute, moves={}, values={"case_id": case_id}, why=why)
        dispute_events.tell(session, "dispute.opened", dispute, payment, why=why)
    hold = dispute_cases.hold_of(dispute)
    release_holds.place(session, payment, hold, is_on=not is_closed, why=why)
    dispute_cases.follow(session, dispute, has_ended=is_closed and not was_closed, why=why)
    if is_closed and not was_closed:
        dispute_events.tell(session, "dispute.closed", dispute, payment, why=why)
    elif known is not None:
        dispute_events.tell(session, "dispute.updated", dispute, payment, why=why)
    if not is_closed:
        due = {"check_due_at": clock.after(ids.jittered(CHECK_SECONDS))}
        move_together(session, payment, moves={}, values=due, why=why)
    return _verdict(before, dispute, is_new=known is None)


def _verdict(before: tuple[object, ...], dispute: Dispute, *, is_new: bool) -> str:
    now = dispute.status.replace("_", " ")
    if is_new:
        return f"dispute opened, {now}"
    was = str(before[0]).replace("_", " ")
    return f"dispute stays {now}" if was == now else f"dispute {was} → {now}"


def _find(session: Session, said: SaidDispute) -> Dispute | None:
    statement = select(Dispute).where(Dispute.provider_reference == said.reference)
    locked = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).first()


def _open(session: Session, payment: Payment, said: SaidDispute) -> Dispute:
    now = clock.now()
    dispute = Dispute(
        id=ids.new("dsp"),
        payment_id=payment.id,
        order_id=payment.order_id,
        merchant_id=payment.merchant_id,
        provider=payment.provider,
        provider_reference=said.reference,
        status=said.status,
        status_at=said.said_at,
        reason=said.reason,
        amount_minor=said.amount.minor,
        asset=payment.asset,
        withdrawn_minor=0,
        reinstated_minor=0,
        evidence_due_at=said.evidence_due_at,
        event_sequence=0,
        livemode=payment.livemode,
        demo=payment.demo,
        opened_at=said.opened_at,
        created_at=now,
        updated_at=now,
    )
    session.add(dispute)
    session.flush()
    return dispute


def _shown(dispute: Dispute) -> tuple[object, ...]:
    """Give what people see of a dispute; when it was last said so is not among it."""
    return (
        dispute.status,
        dispute.reason,
        dispute.amount_minor,
        dispute.evidence_due_at,
        dispute.evidence_submitted_at,
        dispute.closed_at,
        dispute.withdrawn_minor,
        dispute.reinstated_minor,
    )


def _earlier(known: datetime | None, said: datetime) -> datetime:
    return said if known is None else min(known, said)


def _advance(session: Session, dispute: Dispute, said: SaidDispute, why: Why) -> None:
    """Bring a dispute to the latest word; of an older one only what was not known is taken.

    What was asked for counts also where our clock is behind theirs, unless it says less: then it may
    have been overtaken on its way here.
    """
    later = is_later(said.status, said.said_at, than=dispute.status, known_at=dispute.status_at)
    later |= said.is_present and is_further(said.status, than=dispute.status)
    status = said.status if later else dispute.status
    due, reason = dispute.evidence_due_at, dispute.reason
    values: dict[str, object] = {
        "evidence_due_at": said.evidence_due_at or due if later else due or said.evidence_due_at,
        "reason": said.reason or reason if later else reason or said.reason,
    }
    if later:
        status_at = max(said.said_at, dispute.status_at)
        values |= {"status_at": status_at, "amount_minor": said.amount.minor}
    if said.submissions:
        values["evidence_submitted_at"] = _earlier(dispute.evidence_submitted_at, said.said_at)
    ended = dispute.closed_at if dispute.status == status else None
    if status not in CLOSED:
        values["closed_at"] = None
    elif said.status == status:
        values["closed_at"] = _earlier(ended, said.said_at)
    if all(getattr(dispute, name) == value for name, value in values.items()):
        values = {}
    else:
        values["updated_at"] = clock.now()
    move_together(session, dispute, moves={"dispute": status}, values=values, why=why)


def _move_funds(
    session: Session,
    payment: Payment,
    dispute: Dispute,
    said: SaidDispute,
    *,
    new: Collection[str],
    why: Why,
) -> None:
    """Post each booking that was not known, and count it."""
    for funds in said.funds:
        if funds.keyed.key not in new:
            continue
        dispute_books.book(session, payment, dispute, funds, why=why)
        kind, amount = funds.keyed.fact.kind, funds.amount
        if amount is None:
            continue
        if kind == DISPUTE_WITHDRAWN:
            total = {"withdrawn_minor": dispute.withdrawn_minor + amount.minor}
            move_together(session, dispute, moves={}, values=dict(total), why=why)
            dispute_events.tell_reversed(session, payment, amount, why=why)
        elif kind == DISPUTE_REINSTATED:
            total = {"reinstated_minor": dispute.reinstated_minor + amount.minor}
            move_together(session, dispute, moves={}, values=dict(total), why=why)


def _tell_other_asset(session: Session, payment: Payment, said: SaidDispute, why: Why) -> None:
    """Let a person see a dispute in another currency than its payment's; nothing of it is booked."""
    own = asset(payment.asset)
    sentence = (
        f"A dispute over {said.amount.major()} {said.amount.asset.code} names this payment in"
        f" {own.code}. Nothing was booked."
    )
    finding = Finding(
        "RECON_DIFFERENCE",
        f"dispute:{said.reference}",
        sentence,
        expected=own.code,
        found=said.amount.asset.code,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)
