"""The settle path: the only code that turns facts into a payment's state, the order's, and postings.

Webhook, replay, the janitor and "ask the provider now" all come through `apply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.fold import Fact, Standing, standing
from core.money import Money, asset
from core.states import OPEN_PAYMENT, Escrow, PaymentSub, lifecycle
from core.states import Payment as Status
from core.strictjson import Json
from domain import audit, cases, database, events, ledger, order_progress
from domain.cases import Finding
from domain.transitions import Why, move_together
from models.payments import Payment, PaymentFact, ProviderReference
from providers.seam import KeyedFact, Reading

FINAL_CHECK_SECONDS = 15 * 60


@dataclass
class Applied:
    """What one reading did. verdict: a sentence that also says why nothing happened."""

    verdict: str
    changed: bool = False
    new_facts: list[KeyedFact] = field(default_factory=list)
    repeated: list[tuple[KeyedFact, str]] = field(default_factory=list)


def apply(session: Session, payment: Payment, reading: Reading, *, why: Why) -> Applied:
    """Add a reading's facts to what is known of a locked payment and carry out what follows.

    1. new facts by their permanent keys; 2. names and card for support; 3. oddities become cases;
    4. fold all facts; 5. move the payment, the order, and post, in this same transaction.
    Writes: payment_facts, provider_references, payments, orders, journal, event_log, audit_log.
    Emits: payment.*, order.*, exception.opened. Raises: IllegalTransition, LostRace.
    Transaction: caller's, with the payment row locked.
    """
    applied = Applied(verdict="")
    for keyed in reading.facts:
        _remember(session, payment, keyed, applied, why)
    touched = _note_names(session, payment, reading, why)
    for oddity in reading.oddities:
        finding = Finding(
            oddity.kind, oddity.subject, oddity.sentence, at_risk=oddity.at_risk, payment=payment
        )
        touched |= cases.open_case(session, finding, why=why) is not None
    if applied.new_facts and not _is_right_asset(session, payment, reading, why):
        applied.verdict = "the currency differs from the payment's; a case was opened"
        return applied
    if applied.new_facts:
        _carry_out(session, payment, applied, why)
        return applied
    applied.changed = touched
    applied.verdict = _why_nothing(applied, touched)
    return applied


def _remember(
    session: Session, payment: Payment, keyed: KeyedFact, applied: Applied, why: Why
) -> None:
    values = {
        "id": ids.new("fct"),
        "payment_id": payment.id,
        "fact_key": keyed.key,
        "kind": keyed.fact.kind,
        "amount_minor": keyed.fact.amount_minor,
        "code": keyed.fact.code,
        "message": keyed.fact.message,
        "source": why.source,
        "said_at": keyed.fact.said_at,
        "seen_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(PaymentFact).values(values).on_conflict_do_nothing()
    if session.execute(statement.returning(PaymentFact.id)).first() is not None:
        applied.new_facts.append(keyed)
        return
    known = session.scalars(select(PaymentFact).where(PaymentFact.fact_key == keyed.key)).one()
    applied.repeated.append((keyed, f"{known.source} at {clock.rfc3339(known.seen_at)}"))


def _why_nothing(applied: Applied, touched: bool) -> str:
    if applied.repeated:
        return f"already applied by {applied.repeated[0][1]}"
    return "noted for support; no state changes" if touched else "nothing new"


def link_reference(
    session: Session, payment: Payment, provider: str, reference: str, kind: str
) -> bool:
    """Remember what a provider calls this payment; a name that is taken stays where it is.

    Writes: provider_references. Transaction: caller's.
    """
    values = {
        "provider": provider,
        "reference": reference,
        "kind": kind,
        "payment_id": payment.id,
        "created_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(ProviderReference).values(values).on_conflict_do_nothing()
    return session.execute(statement.returning(ProviderReference.reference)).first() is not None


def _note_names(session: Session, payment: Payment, reading: Reading, why: Why) -> bool:
    touched = False
    for reference, kind in reading.links.items():
        touched |= link_reference(session, payment, payment.provider, reference, kind)
    card = {"card_brand": reading.card_brand, "card_last4": reading.card_last4}
    fresh: dict[str, object] = {
        name: value for name, value in card.items() if value and getattr(payment, name) != value
    }
    if fresh:
        move_together(session, payment, moves={}, values=fresh, why=why)
        touched = True
    return touched


def _is_right_asset(session: Session, payment: Payment, reading: Reading, why: Why) -> bool:
    own = asset(payment.asset)
    if reading.asset_code is None or reading.asset_code == own.code:
        return True
    finding = Finding(
        "RECON_DIFFERENCE",
        f"asset:{payment.id}",
        f"Asked for {own.code}, the provider reports {reading.asset_code}. Nothing was moved.",
        expected=own.code,
        found=reading.asset_code,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)
    return False


def folded(session: Session, payment_id: str) -> Standing:
    """Fold everything that is known of a payment. Transaction: caller's."""
    rows = session.scalars(select(PaymentFact).where(PaymentFact.payment_id == payment_id))
    return standing(
        Fact(row.kind, row.said_at, row.amount_minor, row.code, row.message) for row in rows
    )


def _carry_out(session: Session, payment: Payment, applied: Applied, why: Why) -> None:
    now = folded(session, payment.id)
    before = _snapshot(payment)
    gained = Money(max(0, now.received_minor - payment.received_minor), asset(payment.asset))
    if payment.status not in OPEN_PAYMENT and payment.status != Status.COMPLETED:
        applied.verdict = _after_the_end(session, payment, gained, applied, why)
        applied.changed = gained.minor > 0
        return
    moved = _move(session, payment, now, why)
    rows = _payment_events(payment, before, applied, why)
    if rows:
        spent = {"event_sequence": payment.event_sequence + len(rows)}
        move_together(session, payment, moves={}, values=spent, why=why)
    if gained.minor:
        _book(session, payment, gained, applied, why)
        rows += order_progress.receive(session, payment, gained, why=why)
    elif payment.status == Status.PROCESSING and before["status"] == Status.PENDING:
        rows += order_progress.detect(session, payment, why=why)
    _compare_amount(session, payment, why)
    events.append(session, rows)
    applied.changed = moved or bool(gained.minor)
    applied.verdict = _sentence(before, payment)
    audit.write(
        session,
        "payment.settle",
        actor=why.actor,
        object_kind="payment",
        object_id=payment.id,
        source=why.source,
        reason=why.reason,
        before=before,
        after=_snapshot(payment),
    )


def _snapshot(payment: Payment) -> dict[str, Json]:
    return {
        "status": payment.status,
        "subState": payment.sub_state,
        "escrowState": payment.escrow_state,
        "receivedMinor": payment.received_minor,
        "capturableMinor": payment.capturable_minor,
    }


def _sentence(before: Mapping[str, Json], payment: Payment) -> str:
    if before["status"] != payment.status:
        return f"payment {before['status']} → {payment.status}"
    if before["subState"] != payment.sub_state:
        return f"payment stays {payment.status}, now {payment.sub_state}"
    return f"payment stays {payment.status}"


def _move(session: Session, payment: Payment, now: Standing, why: Why) -> bool:
    """Bring the payment's columns to what the facts add up to, never back from completed."""
    if payment.status == Status.COMPLETED and now.status != Status.COMPLETED:
        return False
    moves = {"payment": now.status.value, "payment_sub": now.sub.value}
    if now.status == Status.COMPLETED:
        moves["escrow"] = Escrow.FUNDED.value if payment.order_id else payment.escrow_state
    values: dict[str, object] = {
        "received_minor": now.received_minor,
        "capturable_minor": now.capturable_minor,
        "failure_reason": now.failure_reason,
        "provider_code": now.code,
        "provider_message": now.message,
        "updated_at": clock.now(),
    }
    if now.status not in OPEN_PAYMENT:
        values |= {"open_key": None, "check_due_at": None, "check_count": 0}
    if now.status == Status.COMPLETED:
        # The signed snapshot was believed; the janitor asks the provider once more, at leisure.
        values["check_due_at"] = clock.after(ids.jittered(FINAL_CHECK_SECONDS))
    return move_together(session, payment, moves=moves, values=values, why=why)


def _book(session: Session, payment: Payment, gained: Money, applied: Applied, why: Why) -> None:
    """Post what arrived: the provider holds it for the buyer, and it is held for the order."""
    fact = next(keyed for keyed in applied.new_facts if keyed.fact.kind == "succeeded")
    funds = ledger.buyer_funds(payment.buyer_id, payment.id)
    movements = [ledger.Movement(ledger.clearing(payment.provider), funds, gained)]
    if payment.order_id:
        hold = ledger.escrow_hold(payment.order_id, payment.merchant_id)
        movements.append(ledger.Movement(funds, hold, gained))
    ledger.post(
        session,
        "deposit",
        movements=movements,
        source_key=fact.key,
        source=why.source,
        ties=ties(payment),
        effective_at=fact.fact.said_at,
    )


def ties(payment: Payment) -> ledger.Ties:
    """Tie a journal entry to a payment, its order and the provider's reference."""
    return ledger.Ties(
        order_id=payment.order_id,
        payment_id=payment.id,
        provider=payment.provider,
        provider_reference=payment.provider_reference,
        livemode=payment.livemode,
        demo=payment.demo,
    )


def _after_the_end(
    session: Session, payment: Payment, gained: Money, applied: Applied, why: Why
) -> str:
    """Keep late money visible and booked; an ended attempt is never revived (resolution C13)."""
    if not gained.minor:
        return f"arrived late, no effect: the payment had ended as {payment.status}"
    fact = next(keyed for keyed in applied.new_facts if keyed.fact.kind == "succeeded")
    movement = ledger.Movement(
        ledger.clearing(payment.provider), ledger.unapplied(payment.id), gained
    )
    ledger.post(
        session,
        "late_receipt",
        movements=[movement],
        source_key=fact.key,
        source=why.source,
        ties=ties(payment),
        effective_at=fact.fact.said_at,
    )
    values = {"received_minor": payment.received_minor + gained.minor, "updated_at": clock.now()}
    move_together(session, payment, moves={}, values=values, why=why)
    sentence = (
        f"{gained.major()} {gained.asset.code} arrived for a payment that had ended as"
        f" {payment.failure_reason or payment.status}. It is booked as unapplied."
    )
    finding = Finding("PAID_LATE", fact.key, sentence, at_risk=gained, payment=payment)
    cases.open_case(session, finding, why=why)
    return "paid late: booked as unapplied, a case was opened"


def _compare_amount(session: Session, payment: Payment, why: Why) -> None:
    """Open a case when what was received differs from what was asked; never write it off."""
    if payment.status != Status.COMPLETED or payment.received_minor == payment.amount_minor:
        return
    of = asset(payment.asset)
    asked, got = Money(payment.amount_minor, of), Money(payment.received_minor, of)
    kind = "OVERPAID" if asked < got else "UNDERPAID"
    difference = got - asked if asked < got else asked - got
    sentence = (
        f"Paid {got.major()} of {asked.major()} {of.code}, a difference of {difference.major()}."
    )
    finding = Finding(
        kind,
        f"{payment.id}:{got.minor}",
        sentence,
        expected=asked.major(),
        found=got.major(),
        at_risk=difference,
        payment=payment,
    )
    cases.open_case(session, finding, why=why)


def _payment_events(
    payment: Payment, before: Mapping[str, Json], applied: Applied, why: Why
) -> list[dict[str, object]]:
    kinds: list[tuple[str, dict[str, Json]]] = []
    old, old_sub = str(before["status"]), str(before["subState"])
    life: dict[str, Json] = {
        "lifecycle": lifecycle(payment.status, payment.failure_reason).value,
        "previousLifecycle": lifecycle(old, None).value,
    }
    of = asset(payment.asset)
    # Back to pending has no event of its own: the declined attempt that caused it is told below.
    if payment.status not in (old, Status.PENDING):
        kinds.append(_status_event(payment, life))
    if payment.sub_state != old_sub and payment.sub_state == PaymentSub.REQUIRES_ACTION:
        kinds.append(("payment.requires_action", {"kind": "3ds"}))
    if payment.capturable_minor != before["capturableMinor"] and payment.capturable_minor:
        held = Money(payment.capturable_minor, of)
        kinds.append(
            ("payment.authorized", {"amountCapturable": held.major(), "currency": of.code})
        )
    kinds += [
        ("payment.failed", life | _declined(keyed.fact.code, retryable=True))
        for keyed in applied.new_facts
        if keyed.fact.kind == "attempt_failed" and payment.status in OPEN_PAYMENT
    ]
    return [
        events.row(
            kind,
            events.about_payment(payment),
            source=why.source,
            sequence=payment.event_sequence + place,
            status=payment.status,
            body=body,
            is_replay=why.is_replay,
        )
        for place, (kind, body) in enumerate(kinds, start=1)
    ]


def _declined(code: str | None, *, retryable: bool) -> dict[str, Json]:
    return {
        "failureReason": "declined",
        "code": "PAYMENT_FAILED",
        "stripeCode": code,
        "retryable": retryable,
    }


def _status_event(payment: Payment, life: dict[str, Json]) -> tuple[str, dict[str, Json]]:
    of = asset(payment.asset)
    if payment.status == Status.COMPLETED:
        amounts: dict[str, Json] = {
            "amount": Money(payment.amount_minor, of).major(),
            "amountReceived": Money(payment.received_minor, of).major(),
            "currency": of.code,
        }
        return "payment.succeeded", life | amounts
    if payment.status == Status.FAILED and payment.failure_reason == "expired":
        return "payment.expired", life | {"reason": "expired"}
    if payment.status == Status.FAILED:
        return "payment.failed", life | _declined(payment.provider_code, retryable=False)
    if payment.status == Status.CANCELLED:
        return "payment.cancelled", life | {"reason": payment.failure_reason}
    return "payment.processing", life | {"confirmations": None}
