"""The settle path: the only code that turns facts into a payment's state, the order's, and postings.

Webhook, replay, the janitor and "ask the provider now" all come through `apply`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from core import clock, ids
from core.fold import Standing, standing
from core.money import Money, asset
from core.purposes import CHECKS, ONE_SHOT
from core.states import OPEN_PAYMENT, Escrow
from core.states import Payment as Status
from domain import audit, events, pending
from domain.cases import cases
from domain.cases.cases import Finding
from domain.disputes import concerns, dispute_settlement
from domain.effects import effects, invoice, kinds
from domain.inbox import workset
from domain.invoices import opening
from domain.invoices.folios import share_of
from domain.orders import order_progress
from domain.payments import (
    captures,
    coupon_uses,
    differences,
    ends,
    payment_events,
    receipts,
    reversals,
    vault,
)
from domain.refunds import refund_settlement
from domain.transitions import Why, move_together
from models.payments import Payment, PaymentFact, ProviderReference
from providers.card_seam import SaidCard
from providers.said import KeyedFact, Reading, SaidRefund

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
    4. fold all facts; 5. move the payment, the order, and post; 6. the same for what was given back of it;
    7. let the order's invoices follow; all in this same transaction.
    Writes: payment_facts, provider_references, payments, refunds, orders, invoices, journal, event_log,
    audit_log. Emits: payment.*, refund.*, order.*, invoice.*, exception.opened. Raises: IllegalTransition,
    LostRace. Transaction: caller's, with the payment row locked.
    """
    before = share_of(payment)
    applied = _apply(session, payment, reading, why)
    if reading.refunds:
        _hear_refunds(session, payment, reading.refunds, applied, why)
    if reading.disputes or reading.concerns:
        _hear_disputes(session, payment, reading, applied, why)
    if said := reversals.hear(session, payment, why=why):
        applied.verdict, applied.changed = said, True
    if payment.order_id is not None and share_of(payment) != before:
        invoice.follow(session, payment, why=why)
    return applied


def _hear_disputes(
    session: Session, payment: Payment, reading: Reading, applied: Applied, why: Why
) -> None:
    """Apply what the payer's bank asks back, and what the provider distrusts."""
    heard = Applied(verdict="")
    for each in dispute_settlement.ours(payment, reading.disputes):
        for funds in each.funds:
            _remember(session, payment, funds.keyed, heard, why)
    new = {keyed.key for keyed in heard.new_facts}
    told = dispute_settlement.hear(session, payment, reading.disputes, new_funds=new, why=why)
    told += concerns.hear(session, payment, reading.concerns, why=why)
    if told:
        applied.verdict, applied.changed = "; ".join(told), True
    elif not applied.changed and not applied.new_facts:
        applied.verdict = "nothing new: what it says of the dispute is known, or older than that"


def _hear_refunds(
    session: Session, payment: Payment, said: Sequence[SaidRefund], applied: Applied, why: Why
) -> None:
    """Apply what was given back, once the payment itself is known to have received something."""
    if not payment.received_minor:
        # What is given back of a hold never arrived; and of a payment whose success is not known yet
        # the provider is asked first.
        applied.verdict = "nothing has arrived for this payment, so nothing of it was given back"
        return
    own = [each for each in said if str(each.amount.asset) == payment.asset]
    own = [each for each in own if not captures.is_let_go(payment, each)]
    heard = Applied(verdict="")
    for each in own:
        _remember(session, payment, each.keyed, heard, why)
    keys = {keyed.key for keyed in heard.new_facts}
    new = [each for each in own if each.keyed.key in keys]
    if new:
        applied.verdict = "; ".join(refund_settlement.hear(session, payment, new, why=why))
        applied.changed = True
    elif not applied.new_facts:
        applied.repeated += heard.repeated
        applied.verdict = _why_nothing(applied, applied.changed)


def _apply(session: Session, payment: Payment, reading: Reading, why: Why) -> Applied:
    applied = Applied(verdict="")
    # What is said in another currency is no fact of this payment: remembered, it would count with the next.
    is_right_asset = not reading.facts or _is_right_asset(session, payment, reading, why)
    if is_right_asset:
        for keyed in ends.as_asked(session, payment, reading.facts):
            _remember(session, payment, keyed, applied, why)
    touched, card = _names(session, payment, reading)
    if reading.card is not None and payment.purpose in CHECKS:
        card |= _keep_card(session, payment, reading.card)
    for oddity in reading.oddities:
        finding = Finding(
            oddity.kind, oddity.subject, oddity.sentence, at_risk=oddity.at_risk, payment=payment
        )
        touched |= cases.open_case(session, finding, why=why) is not None
    if not is_right_asset:
        applied.verdict = "the currency differs from the payment's; a case was opened"
        return applied
    if applied.new_facts:
        _carry_out(session, payment, applied, card, why)
        return applied
    if card:
        move_together(session, payment, moves={}, values=card, why=why)
    applied.changed = touched or bool(card)
    touched = applied.changed
    applied.verdict = _why_nothing(applied, touched)
    return applied


def _remember(
    session: Session, payment: Payment, keyed: KeyedFact, applied: Applied, why: Why
) -> None:
    """Add a fact to what is known; the payment is locked, and the key is unique for ever."""
    known = workset.facts_of(session, payment)
    if keyed.key in known:
        applied.repeated.append((keyed, known[keyed.key].told_by))
        return
    seen_at = clock.now()
    row: dict[str, object] = {
        "id": ids.new("fct"),
        "payment_id": payment.id,
        "fact_key": keyed.key,
        "kind": keyed.fact.kind,
        "amount_minor": keyed.fact.amount_minor,
        "code": keyed.fact.code,
        "message": keyed.fact.message,
        "source": why.source,
        "said_at": keyed.fact.said_at,
        "seen_at": seen_at,
    }
    pending.later(session, PaymentFact, row)
    known[keyed.key] = workset.Known(keyed.fact, f"{why.source} at {clock.rfc3339(seen_at)}")
    applied.new_facts.append(keyed)


def _why_nothing(applied: Applied, touched: bool) -> str:
    if applied.repeated:
        return f"already applied by {applied.repeated[0][1]}"
    return "noted for support; no state changes" if touched else "nothing new"


def link_reference(
    session: Session, payment: Payment, provider: str, reference: str, kind: str
) -> bool:
    """Remember what a provider calls this payment; a name that is taken stays where it is.

    Writes: provider_references. Transaction: caller's, with the payment row locked.
    """
    known = workset.references_of(session, payment)
    if reference in known:
        return False
    known.add(reference)
    workset.of(session).by_reference.setdefault((provider, reference), payment.id)
    row: dict[str, object] = {
        "provider": provider,
        "reference": reference,
        "kind": kind,
        "payment_id": payment.id,
        "created_at": clock.now(),
    }
    pending.later(session, ProviderReference, row)
    return True


def _names(session: Session, payment: Payment, reading: Reading) -> tuple[bool, dict[str, object]]:
    """Note new names for the payment; give whether there were any, and the card's columns to set."""
    linked = False
    for reference, kind in reading.links.items():
        linked |= link_reference(session, payment, payment.provider, reference, kind)
    card = {
        "card_brand": reading.card_brand,
        "card_last4": reading.card_last4,
        "receipt_url": reading.receipt_url,
        "hold_ends_at": reading.hold_ends_at if payment.status in OPEN_PAYMENT else None,
    }
    fresh: dict[str, object] = {
        name: value for name, value in card.items() if value and getattr(payment, name) != value
    }
    return linked, fresh


def _keep_card(session: Session, payment: Payment, said: SaidCard) -> dict[str, object]:
    """Note the card that a check has proved, with all that is said of it; give the columns to set."""
    if payment.buyer_id is None or payment.method_id not in (None, said.reference):
        return {}
    vault.keep(session, payment.buyer_id, payment.provider, said, livemode=payment.livemode)
    return {"method_id": said.reference} if payment.method_id is None else {}


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


def folded(session: Session, payment: Payment) -> Standing:
    """Fold everything that is known of a payment. Transaction: caller's."""
    facts = [known.fact for known in workset.facts_of(session, payment).values()]
    is_one_shot = payment.purpose in ONE_SHOT
    return standing(facts, is_check=payment.purpose in CHECKS, is_one_shot=is_one_shot)


def _carry_out(
    session: Session, payment: Payment, applied: Applied, card: dict[str, object], why: Why
) -> None:
    now = folded(session, payment)
    before = payment_events.snapshot(payment)
    confirmed = _confirm(session, payment, applied, why)
    gained = Money(max(0, now.received_minor - payment.received_minor), asset(payment.asset))
    # More for a payment that was refunded is held like what came before; it is whole no longer.
    is_open = payment.status in OPEN_PAYMENT or payment.status == Status.COMPLETED
    if not is_open and not (payment.status == Status.REFUNDED and gained.minor):
        applied.verdict = _after_the_end(session, payment, gained, applied, why)
        applied.changed = confirmed or gained.minor > 0
        return
    rows = _move(session, payment, now, applied=applied, card=card, why=why)
    coupon_uses.free_if_ended(session, payment)
    if gained.minor:
        opening.tie(session, payment, why=why)
        receipts.book(session, payment, gained, applied.new_facts, why=why)
    elif payment.status == Status.PROCESSING and before.status == Status.PENDING:
        rows += order_progress.detect(session, payment, why=why)
    wanted = kinds.following(payment, gained, applied.new_facts)
    rows += effects.carry_out(session, payment, wanted, why=why)
    rows += payment_events.transaction_rows(session, payment, before, why=why)
    differences.compare(session, payment, why=why)
    events.append(session, rows)
    after = payment_events.snapshot(payment)
    applied.changed = confirmed or after != before
    applied.verdict = _sentence(before, after)
    if taken := captures.let_go(session, payment):
        applied.verdict += f"; {taken.sentence} as asked"
    if confirmed:
        applied.verdict += "; what was marked by hand is confirmed"
    audit.write(
        session,
        "payment.settle",
        actor=why.actor,
        object_kind="payment",
        object_id=payment.id,
        source=why.source,
        reason=why.reason,
        before=before.wire(),
        after=after.wire(),
    )


def _confirm(session: Session, payment: Payment, applied: Applied, why: Why) -> bool:
    """Let the provider's word take the place of what people vouched for. Gives whether it did."""
    known = workset.facts_of(session, payment)
    new = {keyed.key for keyed in applied.new_facts}
    before = receipts.told(each.fact for key, each in known.items() if key not in new)
    if not before.by_hand:
        return False
    names = workset.references_of(session, payment) | {payment.provider_reference or ""}
    return receipts.confirm(
        session,
        payment,
        before=before,
        now=receipts.told(each.fact for each in known.values()),
        known=known,
        names=names,
        new_facts=applied.new_facts,
        why=why,
    )


def _sentence(before: payment_events.Snapshot, after: payment_events.Snapshot) -> str:
    if before.status != after.status:
        return f"payment {before.status} → {after.status}"
    if before.sub_state != after.sub_state:
        return f"payment stays {after.status}, now {after.sub_state}"
    return f"payment stays {after.status}"


def _move(
    session: Session,
    payment: Payment,
    now: Standing,
    *,
    applied: Applied,
    card: dict[str, object],
    why: Why,
) -> list[dict[str, object]]:
    """Bring the payment's columns to what the facts add up to, never back from completed.

    Gives the event rows that tell of it.
    """
    before = payment_events.snapshot(payment)
    moves: dict[str, str] = {}
    values: dict[str, object] = dict(card)
    if payment.status != Status.COMPLETED or now.status == Status.COMPLETED:
        moves, more = _target(payment, now)
        if now.capturable_minor and payment.hold_ends_at is None:
            values = {"hold_ends_at": captures.presumed_end(applied.new_facts)} | values
        values |= more
    move_together(session, payment, moves=moves, values=values, why=why)
    first = payment.event_sequence + 1
    rows = payment_events.rows(payment, before, applied.new_facts, why=why, first=first)
    if rows:
        spent = {"event_sequence": payment.event_sequence + len(rows)}
        move_together(session, payment, moves={}, values=spent, why=why)
    return rows


def _target(payment: Payment, now: Standing) -> tuple[dict[str, str], dict[str, object]]:
    """Say which states and columns a standing asks for."""
    moves = {"payment": now.status.value, "payment_sub": now.sub.value}
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
    if now.status == Status.FAILED and payment.purpose in ONE_SHOT:
        # The provider's own attempt may still be open; the janitor ends it there.
        values["check_due_at"] = clock.now()
    if now.status not in OPEN_PAYMENT:
        values["hold_ends_at"] = None
    if now.status == Status.COMPLETED:
        if payment.order_id is not None:
            moves["escrow"] = Escrow.FUNDED.value
        # The signed snapshot was believed; the janitor asks the provider once more, at leisure.
        values["check_due_at"] = clock.after(ids.jittered(FINAL_CHECK_SECONDS))
    return moves, values


def _after_the_end(
    session: Session, payment: Payment, gained: Money, applied: Applied, why: Why
) -> str:
    """Keep late money visible and booked; an ended attempt is never revived (resolution C13)."""
    if not gained.minor:
        _say_why(session, payment, why=why)
        return f"arrived late, no effect: the payment had ended as {payment.status}"
    said = receipts.book_late(session, payment, gained, applied.new_facts, why=why)
    values = {"received_minor": payment.received_minor + gained.minor, "updated_at": clock.now()}
    move_together(session, payment, moves={}, values=values, why=why)
    return said


def _say_why(session: Session, payment: Payment, *, why: Why) -> None:
    """Note why an ended attempt had failed, where its provider says so only afterwards."""
    now = folded(session, payment)
    if payment.status == now.status == Status.FAILED and now.code and not payment.provider_code:
        values: dict[str, object] = {"provider_code": now.code, "provider_message": now.message}
        move_together(session, payment, moves={}, values=values, why=why)
