"""The inbox: reading what is stored and applying it, one event in one transaction with one mark."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import NotFound, UnmappedProviderValue
from core.states import Inbound
from core.strictjson import Json
from domain import audit, crash, database, events, pending, queue
from domain.actors import system
from domain.cases import cases
from domain.cases.cases import Finding
from domain.delays import windows
from domain.inbox import workset
from domain.inbox.inbox_conflicts import body_place
from domain.payments import coupon_uses, settlement, vault
from domain.reconciliation import booking_turns
from domain.reconciliation.books import Book
from domain.secrets import keyring
from domain.transitions import Why, move_together
from models.inbound import InboundAttempt, InboundEvent
from models.payments import Payment
from providers import registry
from providers.card_seam import SaidCard
from providers.said import Reading

# The first is for an event that was applied while another transaction was naming its payment: neither saw
# the other's row.
UNMATCHED_SECONDS = (5, 60, 600, 3600, 24 * 3600)
# Between the tries that a notice of a late rail adds to these.
LATE_SECONDS = 6 * 3600
MOST_ATTEMPTS = 12


def stored_body(row: InboundEvent) -> bytes:
    """Open an event's body.

    Raises: NotFound when it was purged.
    """
    if row.body_sealed is None:
        raise NotFound(
            "The body of this event is kept no longer. Backfill from the provider instead."
        )
    return keyring.vault().open(row.body_sealed, purpose="inbound", place=body_place(row.id))


def read(row: InboundEvent) -> Reading:
    """Read what a stored event says.

    Raises: UnreadableDelivery, UnmappedProviderValue, NotFound
    """
    return registry.get(row.provider).read_event(stored_body(row))


class PaymentTaken(Exception):
    """Another transaction holds the payment; the event waits its turn."""


def find_payment(
    session: Session, row: InboundEvent, reading: Reading, *, waits: bool
) -> Payment | None:
    """Find and lock the payment that an event speaks of, by the provider's names, then by our id.

    Our id in the provider's metadata counts only while the payment has no other name of that kind.
    waits: wait for the lock instead of raising. Raises: PaymentTaken. Transaction: caller's.
    """
    livemode = row.mode == "live"
    if workset.is_batch(session):
        found = workset.find(session, row.provider, reading, livemode=livemode)
        if found is not None:
            return found
    condition = match(row, reading)
    if waits:
        return session.scalars(
            select(Payment)
            .where(condition)
            .with_for_update(of=Payment, key_share=True)
            .execution_options(populate_existing=True)
        ).first()
    # In a batch everything free was locked already, so what is still there is in other hands.
    payment = None if workset.is_batch(session) else queue.lock_payment(session, condition)
    if payment is None and session.scalar(select(Payment.id).where(condition)) is not None:
        raise PaymentTaken
    return payment


def match(row: InboundEvent, reading: Reading) -> ColumnElement[bool]:
    """Say which payment an event may speak of."""
    return workset.condition(row.provider, reading, livemode=row.mode == "live")


def apply(session: Session, row: InboundEvent, reading: Reading, *, why: Why, waits: bool) -> str:
    """Apply a reading to its payment and mark the event, in the caller's one transaction.

    Gives the verdict. Writes: inbound_events, inbound_attempts and whatever settlement does.
    Emits: inbound.processed, inbound.ignored and settlement's. Raises: PaymentTaken,
    IllegalTransition, LostRace. Transaction: caller's, with the event's row locked.
    """
    if reading.books:
        booking_turns.ask_for(session, Book(row.provider, row.mode == "live"))
    if reading.ignored is not None:
        conclude(session, row, Inbound.IGNORED, reading.ignored, why=why)
        return reading.ignored
    if reading.kept is not None:
        return _hear_of_card(session, row, reading.kept, why)
    payment = find_payment(session, row, reading, waits=waits)
    if payment is None and (unowned := workset.unowned(session, reading)) is not None:
        conclude(session, row, Inbound.IGNORED, unowned, why=why)
        return unowned
    if payment is None:
        return _park(session, row, reading, why)
    if payment.provider_reference is None and reading.references:
        _adopt_reference(session, payment, reading, why)
    named = set(reading.links) - workset.references_of(session, payment)
    applied = settlement.apply(session, payment, reading, why=why)
    # What spoke of it by such a name before it was known is matched now.
    if workset.is_batch(session):
        workset.of(session).named |= named
    elif named:
        rematch(session, named)
    _flag_second_event(session, row, payment, applied, why)
    state = Inbound.PROCESSED if applied.changed or applied.new_facts else Inbound.NO_EFFECT
    conclude(session, row, state, applied.verdict, why=why, payment=payment)
    return applied.verdict


def _hear_of_card(session: Session, row: InboundEvent, said: SaidCard, why: Why) -> str:
    """Apply what an event says of a kept card instead of a payment."""
    told = vault.hear(session, row.provider, said, why=why)
    if told is None:
        told = "a card that is kept for nobody of ours"
        conclude(session, row, Inbound.IGNORED, told, why=why)
        return told
    verdict = told or "nothing new: the card is known like that"
    conclude(session, row, Inbound.PROCESSED if told else Inbound.NO_EFFECT, verdict, why=why)
    return verdict


def _adopt_reference(session: Session, payment: Payment, reading: Reading, why: Why) -> None:
    """Learn the provider's name from an event that came before the answer to our own call."""
    reference = reading.references[0]
    if payment.method != "checkout":
        kind = workset.NAMED_BY[payment.method]
        settlement.link_reference(session, payment, payment.provider, reference, kind)
        coupon_uses.note_invoice(session, payment, reference)
        values = {"provider_reference": reference}
        move_together(session, payment, moves={}, values=values, why=why)


def _flag_second_event(
    session: Session,
    row: InboundEvent,
    payment: Payment,
    applied: settlement.Applied,
    why: Why,
) -> None:
    """Open a case when the same fact came under another event id of the same type (resolution C36)."""
    if applied.new_facts or not applied.repeated or why.is_replay:
        return
    keyed, told_by = applied.repeated[0]
    source = told_by.split(" at ", 1)[0]
    if not source.startswith("inbound:") or source == f"inbound:{row.id}":
        return
    first = session.get(InboundEvent, source.removeprefix("inbound:"))
    if first is None or first.type != row.type or first.provider_event_id == row.provider_event_id:
        return
    sentence = (
        f"{row.provider} told the same {row.type} twice, as {first.provider_event_id} and as"
        f" {row.provider_event_id}. It had one effect."
    )
    finding = Finding("DUPLICATE_CONFLICT", keyed.key, sentence, payment=payment, inbound_id=row.id)
    cases.open_case(session, finding, why=why)


def _park(session: Session, row: InboundEvent, reading: Reading, why: Why) -> str:
    """Keep an event whose object we do not know, and try again later; then a person looks."""
    verdict = (
        "no payment of ours has this reference yet; it is matched again as soon as one appears"
    )
    if row.attempts < len(UNMATCHED_SECONDS):
        due_at = clock.after(ids.jittered(UNMATCHED_SECONDS[row.attempts]))
    elif windows.is_within(session, row.provider, row.received_at):
        # Its rail is known to be late: what it speaks of may still appear, and nobody is called yet.
        due_at = clock.after(ids.jittered(LATE_SECONDS))
    else:
        due_at = clock.after(30 * 24 * 3600)
        subject = f"{row.provider}:{(reading.references or [row.id])[0]}"
        sentence = f"{row.type} for {row.object_reference} belongs to no payment of ours."
        cases.open_case(
            session, Finding("UNMATCHED", subject, sentence, inbound_id=row.id), why=why
        )
    conclude(session, row, Inbound.UNMATCHED, verdict, why=why, due_at=due_at)
    return verdict


def rematch_batch(session: Session) -> None:
    """Do `rematch` for all that the events of a batch have named, in one statement.

    Writes: inbound_events.due_at. Transaction: caller's.
    """
    named = workset.of(session).named
    if named:
        rematch(session, named)
        named.clear()


def rematch(session: Session, references: Iterable[str]) -> None:
    """Make parked events of these references due now; a new operation has just named them.

    Writes: inbound_events.due_at. Transaction: caller's.
    """
    found = session.connection().execute(
        update(InboundEvent)
        .where(
            InboundEvent.state == Inbound.UNMATCHED,
            InboundEvent.object_reference.in_(list(references)),
        )
        .values(due_at=clock.now())
    )
    if found.rowcount:
        database.mark(session, "work")


_EVENT = {
    Inbound.PROCESSED: "inbound.processed",
    Inbound.NO_EFFECT: "inbound.processed",
    Inbound.IGNORED: "inbound.ignored",
    Inbound.UNMATCHED: "inbound.received",
    Inbound.QUARANTINED: "inbound.quarantined",
    Inbound.FAILED: "inbound.failed",
    Inbound.DEAD: "inbound.dead",
}


def conclude(
    session: Session,
    row: InboundEvent,
    state: Inbound,
    verdict: str,
    *,
    why: Why,
    payment: Payment | None = None,
    due_at: object = None,
    error: str | None = None,
) -> None:
    """Mark an event with what became of it, and write its attempt.

    A replay of a processed event leaves it processed, whatever the replay did.
    Writes: inbound_events, inbound_attempts, event_log, audit_log. Transaction: caller's.
    """
    keeps = why.is_replay and row.state == Inbound.PROCESSED
    values: dict[str, object] = {
        "attempts": row.attempts + 1,
        "verdict": verdict,
        "last_error": error,
        "due_at": due_at or row.due_at,
        "payment_id": payment.id if payment else row.payment_id,
    }
    if state in (Inbound.PROCESSED, Inbound.NO_EFFECT, Inbound.IGNORED) and not keeps:
        values["processed_at"] = clock.now()
    to = row.state if keeps else state.value
    move_together(session, row, moves={"inbound": to}, values=values, why=why)
    attempt: dict[str, object] = {
        "id": ids.new("att"),
        "inbound_id": row.id,
        "no": row.attempts,
        "at": clock.now(),
        "outcome": state.value,
        "error": error,
        "actor": why.actor.id,
        "reason": why.reason,
        "is_replay": why.is_replay,
        "replay_key": why.once_key,
    }
    pending.later(session, InboundAttempt, attempt)
    body: dict[str, Json] = {
        "inboundId": row.id,
        "provider": row.provider,
        "providerType": row.type,
        "attempts": row.attempts,
    }
    about = events.about_staff(
        row.id, payment_id=row.payment_id, demo=bool(payment and payment.demo)
    )
    told = events.row(
        _EVENT[state], about, source=why.source, status=to, body=body, is_replay=why.is_replay
    )
    events.append(session, [told])
    audit.write(
        session,
        "inbound.replay" if why.is_replay else "inbound.apply",
        actor=why.actor,
        object_kind="inbound",
        object_id=row.id,
        source=why.source,
        reason=why.reason,
        after={"state": to, "outcome": state.value, "paymentId": row.payment_id},
    )


def by_worker(row: InboundEvent) -> Why:
    """Name the worker as who applies an event."""
    return Why(system("worker"), f"inbound:{row.id}")


def quarantine(session: Session, row: InboundEvent, error: Exception, *, why: Why) -> None:
    """Set an event aside that cannot be understood, with a case for a person.

    Writes: inbound_events, exception_cases. Transaction: caller's.
    """
    kind = "UNMAPPED_VALUE" if isinstance(error, UnmappedProviderValue) else "QUARANTINED"
    subject = row.id
    if isinstance(error, UnmappedProviderValue):
        subject = f"{error.provider_name}:{error.field}:{error.value}"
    conclude(session, row, Inbound.QUARANTINED, str(error), why=why, error=str(error))
    cases.open_case(session, Finding(kind, subject, str(error), inbound_id=row.id), why=why)


def fail(
    session: Session, row: InboundEvent, error: str, *, why: Why, not_before: int | None = None
) -> None:
    """Note a failed attempt: again later with backoff, in the end dead with a case; later on a late rail.

    not_before: for how many seconds whoever was asked wants to be left alone.
    Writes: inbound_events, inbound_attempts, exception_cases. Transaction: caller's.
    """
    attempt = row.attempts + 1
    if attempt < MOST_ATTEMPTS or windows.is_within(session, row.provider, row.received_at):
        due_at = queue.backoff(attempt)
        if not_before is not None:
            # Never sooner, and spread over half as long again: all who were turned away would come at once.
            due_at = max(due_at, clock.after(ids.jittered(not_before * 1.25)))
        conclude(session, row, Inbound.FAILED, error, why=why, error=error, due_at=due_at)
        return
    conclude(session, row, Inbound.DEAD, error, why=why, error=error)
    sentence = f"{row.type} could not be applied after {attempt} attempts: {error}"
    cases.open_case(session, Finding("DEAD_LETTER", row.id, sentence, inbound_id=row.id), why=why)


def before_commit() -> None:
    """Pass the crash point that lies between the work and its commit."""
    crash.point("inbox.before_commit")
