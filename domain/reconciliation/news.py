"""What a provider's object says that is not known here: applied at once by a run that heals, else offered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock
from core import recon_kinds as kinds
from core.book_states import Difference as State
from core.errors import AppError, ProviderUnavailable, ProviderUnknown
from core.money import Money, asset
from domain import database
from domain.actors import system
from domain.cases import cases
from domain.cases.cases import Finding
from domain.control import settling
from domain.reconciliation import differences, hearing, runs, said
from domain.reconciliation.differences import Found
from domain.reconciliation.hearing import Heard
from domain.reconciliation.matching import Matched
from domain.transitions import Why
from models.disputes import Dispute
from models.payments import Payment
from models.reconciliation import ReconciliationRun
from models.refunds import Refund
from providers.deliveries import UnreadableDelivery
from providers.list_seam import Listing
from providers.said import Reading
from providers.seam import Rail

log = structlog.get_logger()


def why_of(run: ReconciliationRun, label: str) -> Why:
    """Say on whose behalf a run applies what was missed: whoever typed the command, or the worker by itself."""
    name = "operator" if run.cause == runs.Cause.COMMAND else "worker"
    return Why(system(name), runs.source_of(run), run.reason or f"compared with {label}'s list")


def take(
    rail: Rail, run: ReconciliationRun, what: Listing, matched: Sequence[Matched]
) -> list[Found]:
    """Apply or offer what a page brings that is new. Gives what is to be kept of it.

    Calls: the provider, for the whole truth of what is offered. Writes, Emits: as settlement, where the
    run heals. Raises: ProviderUnavailable, Paused. Transaction: opens its own, one for each.
    """
    found = []
    for each in matched:
        if each.is_news and each.payment is not None:
            found += list(_take_one(rail, run, what, each, each.payment))
        elif each.listed.reading.oddities and each.payment is None:
            found.append(_not_compared(each, "it cannot be read"))
    return found


def _take_one(
    rail: Rail, run: ReconciliationRun, what: Listing, each: Matched, payment: Payment
) -> Iterator[Found]:
    why = why_of(run, rail.label)
    try:
        if run.heals:
            _heal(run, what, each, payment, why=why)
        else:
            with database.reading() as session:
                found = _found(session, what, each, payment)
            truth = _truth(rail, payment, each.listed.reading)
            heard = hearing.rehearse(payment.id, truth, why=why)
            if heard.changed:
                yield _with(found, heard, State.OFFERED)
    except (settling.Paused, ProviderUnavailable, ProviderUnknown):
        raise
    except (AppError, SQLAlchemyError, UnreadableDelivery) as error:
        log.warning("reconcile.failed", subject=each.listed.name, error=type(error).__name__)
        yield _not_compared(each, runs.in_words(error))
    if each.listed.reading.oddities and not each.listed.reading.facts:
        yield _not_compared(each, each.listed.reading.oddities[0].sentence)


def _truth(rail: Rail, payment: Payment, reading: Reading) -> Reading:
    """Ask for all that is to be known of a payment, so that what is offered is the whole of it.

    What carries our id and has no name of ours yet is asked for by its own.
    """
    names = [payment.provider_reference, *reading.references]
    return rail.fetch(next(name for name in names if name))


def _heal(
    run: ReconciliationRun, what: Listing, each: Matched, payment: Payment, *, why: Why
) -> None:
    """Apply what was missed and note it on the run, in one transaction."""
    with database.transaction() as session:
        settling.assert_may_settle(session, actor=why.actor)
        found = _found(session, what, each, payment)
        heard = hearing.hear(session, payment.id, each.listed.reading, why=why)
        if heard.changed:
            differences.record(session, run, _with(found, heard, State.APPLIED))


def _with(found: Found, heard: Heard, state: State) -> Found:
    return replace(found, state=state, effect=heard.text[:2000], effect_hash=heard.hash)


def tell_oddities(session: Session, run: ReconciliationRun, matched: Sequence[Matched]) -> None:
    """Open the cases of what a looking run met and a person must see. Transaction: caller's."""
    why = Why(system("reconciliation"), runs.source_of(run))
    for each in matched:
        if each.payment is None:
            continue
        for odd in each.listed.reading.oddities:
            finding = Finding(
                odd.kind, odd.subject, odd.sentence, at_risk=odd.at_risk, payment=each.payment
            )
            cases.open_case(session, finding, why=why)


def _not_compared(each: Matched, why: str) -> Found:
    payment = each.payment
    made_at = each.listed.made_at or (payment.created_at if payment else None)
    return not_compared(each.listed.name, payment, why, made_at=made_at)


def not_compared(
    name: str, payment: Payment | None, why: str, *, made_at: datetime | None = None
) -> Found:
    """Note that something could not be compared, and why; the next run tries it again."""
    return Found(
        kind=kinds.NOT_COMPARED,
        subject=payment.id if payment else name,
        subject_at=made_at or clock.now(),
        ours=ours_of(payment) if payment else None,
        theirs=why[:500],
        payment=payment,
        reference=name,
        has_case=False,
    )


def _found(
    session: Session,
    what: Listing,
    each: Matched,
    payment: Payment,
) -> Found:
    """Say what was missed, before anything of it is applied: the kind and what each side says."""
    kind, subject, ours = _kind(session, what, each, payment)
    seen = said.seen(what, each.listed, payment, seen_at=payment.created_at)
    first = seen[0] if seen else None
    amount = said.amount_of(first.amount_minor, first.asset) if first else None
    return Found(
        kind=kind,
        subject=subject,
        subject_at=first.made_at if first else payment.created_at,
        ours=ours,
        theirs=said.in_words(first.state, amount) if first else None,
        at_risk=amount or Money(payment.amount_minor, asset(payment.asset)),
        payment=payment,
        reference=each.listed.name,
    )


def _kind(session: Session, what: Listing, each: Matched, payment: Payment) -> tuple[str, str, str]:
    """Choose the kind, the subject and our own words. payment: as it was before anything was applied."""
    reading = each.listed.reading
    if what == Listing.REFUNDS and reading.refunds:
        return _refund_kind(session, reading, payment)
    if what == Listing.DISPUTES and reading.disputes:
        reference = reading.disputes[0].reference
        known = session.scalars(
            select(Dispute).where(Dispute.provider_reference == reference)
        ).first()
        kind = kinds.DISPUTE_DIFFERS if known else kinds.DISPUTE_MISSING_HERE
        return kind, reference, said.in_words(known.status) if known else "unknown"
    amounts = [item.fact.amount_minor for item in reading.facts if item.fact.kind == "succeeded"]
    has_other = bool(amounts and payment.received_minor and amounts[0] != payment.received_minor)
    kind = kinds.AMOUNT_DIFFERS if has_other else kinds.STATUS_DIFFERS
    return kind, payment.id, ours_of(payment)


def _refund_kind(session: Session, reading: Reading, payment: Payment) -> tuple[str, str, str]:
    told = reading.refunds[0]
    known = session.scalars(
        select(Refund).where(
            Refund.payment_id == payment.id,
            (Refund.provider_reference == told.reference) | (Refund.id == (told.refund_id or "")),
        )
    ).first()
    if known is None:
        return kinds.REFUND_MISSING_HERE, told.reference, "unknown"
    amount = Money(known.amount_minor, asset(known.asset))
    return kinds.REFUND_DIFFERS, told.reference, said.in_words(known.state, amount)


def ours_of(payment: Payment) -> str:
    """Say where a payment of ours stands."""
    received = Money(payment.received_minor, asset(payment.asset))
    word = payment.status.replace("_", " ")
    if payment.capturable_minor:
        held = Money(payment.capturable_minor, received.asset)
        return f"{word}, {said.money(held)} held"
    return f"{word}, {said.money(received)} received" if received.minor else word
