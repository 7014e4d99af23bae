"""Object-level reconciliation: every payment compared with the provider's own list; what was missed is healed.

Webhooks may be lost for ever; the provider's objects are not. The list is the second way to the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock
from core.errors import AppError, ProviderRefused
from core.money import Money, asset
from core.states import Payment as Status
from core.strictjson import Json
from domain import database
from domain.actors import Actor
from domain.cases import cases
from domain.cases.cases import Finding
from domain.inbox import workset
from domain.payments import settlement
from domain.transitions import Why
from models.payments import Payment
from providers.seam import Rail, Reading

# What was made while the list was being read may be missing from it.
YOUNG = timedelta(minutes=2)
MONEY_ARRIVED = (Status.COMPLETED, Status.RELEASED, Status.REFUNDED)
_CHUNK = 200
log = structlog.get_logger()


@dataclass
class Reconciled:
    """What a run found, in payments of ours except `unknown`. changes: a sentence per healed payment.

    compared = equal + healed + missing + failed; unknown: objects that are not ours; missing: ours
    that the provider does not know; different: new cases of money that differs. refunds: refunds of
    ours that were compared, refunds_healed: of these, of which something had been missed; the same
    for disputes.
    """

    compared: int = 0
    equal: int = 0
    healed: int = 0
    unknown: int = 0
    missing: int = 0
    different: int = 0
    failed: int = 0
    refunds: int = 0
    refunds_healed: int = 0
    disputes: int = 0
    disputes_healed: int = 0
    changes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def wire(found: Reconciled) -> dict[str, Json]:
    """Write what a run found as the command and the desk show it."""
    return {
        "compared": found.compared,
        "equal": found.equal,
        "healed": found.healed,
        "unknown": found.unknown,
        "missing": found.missing,
        "different": found.different,
        "failed": found.failed,
        "refunds": found.refunds,
        "refundsHealed": found.refunds_healed,
        "disputes": found.disputes,
        "disputesHealed": found.disputes_healed,
        "changes": list(found.changes),
        "problems": list(found.problems),
    }


def reconcile(
    rail: Rail,
    *,
    since: datetime,
    actor: Actor,
    progress: Callable[[Reconciled], None] = lambda _: None,
) -> Reconciled:
    """Compare what the provider lists since then with what we hold, and apply what was missed.

    1. each listed object is applied to its payment, like an event, in a transaction of its own;
    2. each payment of ours that was not listed is asked for by its name; absence opens a case;
    3. each refund, then each dispute, is applied to its payment.
    Calls: the provider, with no transaction open. Writes, Emits: as settlement, and cases.
    Raises: ProviderUnavailable, ProviderRefused when the list cannot be read. Transaction: opens its own.
    """
    began = clock.now()
    why = Why(actor, f"reconcile:{rail.name}", f"compared with {rail.label}'s list")
    found, seen = Reconciled(), set[str]()
    for reading in rail.list_payments(since=since):
        seen.update(reading.references)
        _compare(rail, reading, found, why)
        progress(found)
    for payment_id, reference in _unlisted(rail, since, began - YOUNG, seen):
        _ask(rail, payment_id, reference, found, why)
        progress(found)
    for reading in rail.list_refunds(since=since):
        _compare_refund(rail, reading, found, why)
        progress(found)
    for reading in rail.list_disputes(since=since):
        _compare_dispute(rail, reading, found, why)
        progress(found)
    return found


def _compare_refund(rail: Rail, reading: Reading, found: Reconciled, why: Why) -> None:
    """Apply one listed refund to its payment; one that we did not ask for is adopted there."""
    applied = _hear(rail, reading, [each.reference for each in reading.refunds], found, why)
    found.refunds += applied is not None
    found.refunds_healed += applied is not None and applied.changed


def _compare_dispute(rail: Rail, reading: Reading, found: Reconciled, why: Why) -> None:
    """Apply one listed dispute to its payment: what no event told is heard here."""
    applied = _hear(rail, reading, [each.reference for each in reading.disputes], found, why)
    found.disputes += applied is not None
    found.disputes_healed += applied is not None and applied.changed


def _hear(
    rail: Rail, reading: Reading, names: Sequence[str], found: Reconciled, why: Why
) -> settlement.Applied | None:
    """Apply what is listed beside payments. Gives None when it is none of ours, or when it failed."""
    try:
        with database.transaction() as session:
            payment = _find(session, rail, reading)
            if payment is None:
                return None
            applied = settlement.apply(session, payment, reading, why=why)
    except (AppError, SQLAlchemyError) as error:
        _note(found, ", ".join(names), error)
        return None
    if applied.changed:
        found.changes.append(f"{payment.id}: {applied.verdict}")
    return applied


def _compare(rail: Rail, reading: Reading, found: Reconciled, why: Why) -> None:
    """Apply one listed object; a failure is counted and does not keep the others from being compared."""
    try:
        with database.transaction() as session:
            payment = _find(session, rail, reading)
            if payment is None:
                found.unknown += 1
                return
            verdict = _apply(session, payment, reading, why)
            found.different += _tell_difference(session, rail, payment, reading, why)
    except (AppError, SQLAlchemyError) as error:
        _fail(found, ", ".join(reading.references), error)
        return
    found.compared += 1
    if verdict is None:
        found.equal += 1
    else:
        found.healed += 1
        found.changes.append(verdict)


def _fail(found: Reconciled, name: str, error: Exception) -> None:
    found.compared += 1
    found.failed += 1
    _note(found, name, error)


def _note(found: Reconciled, name: str, error: Exception) -> None:
    log.warning("reconcile.failed", subject=name, error=type(error).__name__)
    said = error.message if isinstance(error, AppError) else type(error).__name__
    found.problems.append(f"{name}: {said}")


def _find(session: Session, rail: Rail, reading: Reading) -> Payment | None:
    """Find and lock the payment that an object belongs to: by the names we know, then by our id in it."""
    ours = workset.condition(rail.name, reading, livemode=rail.mode == "live")
    statement = select(Payment).where(ours).with_for_update(of=Payment, key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def _apply(session: Session, payment: Payment, reading: Reading, why: Why) -> str | None:
    """Apply a reading to its locked payment. Gives a sentence when that healed something, else None."""
    before = _said(payment)
    applied = settlement.apply(session, payment, reading, why=why)
    return None if _said(payment) == before else f"{payment.id}: {applied.verdict}"


def _said(payment: Payment) -> tuple[object, ...]:
    names = ("status", "sub_state", "received_minor", "capturable_minor", "provider_code")
    return tuple(getattr(payment, name) for name in names)


def _tell_difference(
    session: Session, rail: Rail, payment: Payment, reading: Reading, why: Why
) -> int:
    """Open a case when we have booked money that the provider's object does not speak of."""
    amounts = [keyed.fact.amount_minor for keyed in reading.facts if keyed.fact.kind == "succeeded"]
    theirs = amounts[0] if amounts else None
    # Of an open session the payment intent tells more; it is listed too.
    if payment.status not in MONEY_ARRIVED or (theirs or 0) == payment.received_minor:
        return 0
    if theirs is None and (not reading.facts or payment.method == "checkout"):
        return 0
    of = asset(payment.asset)
    ours = Money(payment.received_minor, of)
    said = Money(theirs, of).major() if theirs is not None else "nothing"
    finding = Finding(
        "RECON_DIFFERENCE",
        f"confirm:{payment.id}",
        f"Booked {ours.major()} {of.code} as received; {rail.label} now says {said}.",
        expected=ours.major(),
        found=said,
        at_risk=ours,
        payment=payment,
    )
    return int(cases.open_case(session, finding, why=why) is not None)


def _unlisted(
    rail: Rail, since: datetime, until: datetime, seen: set[str]
) -> Iterator[tuple[str, str]]:
    """List our payments of the window that have a name at the provider which it did not list."""
    after = ""
    while True:
        statement = (
            select(Payment.id, Payment.provider_reference, Payment.meta)
            .where(
                Payment.provider == rail.name,
                Payment.livemode.is_(rail.mode == "live"),
                Payment.provider_reference.is_not(None),
                Payment.created_at >= since,
                Payment.created_at < until,
                Payment.id > after,
            )
            .order_by(Payment.id)
            .limit(_CHUNK)
        )
        with database.reading() as session:
            rows = session.execute(statement).all()
        for payment_id, reference, meta in rows:
            # Rows of `data load` never were at any provider.
            if reference not in seen and meta.get("sample") is not True:
                yield payment_id, str(reference)
        if len(rows) < _CHUNK:
            return
        after = rows[-1].id


def _ask(rail: Rail, payment_id: str, reference: str, found: Reconciled, why: Why) -> None:
    """Ask for a payment that was not listed; only a refusal proves that the provider lacks it."""
    try:
        reading = rail.fetch(reference)
    except ProviderRefused as error:
        found.compared += 1
        found.missing += 1
        _tell_missing(rail, payment_id, reference, error, why)
        return
    except AppError as error:
        _fail(found, payment_id, error)
        return
    _compare(rail, reading, found, why)


def _tell_missing(rail: Rail, payment_id: str, reference: str, error: AppError, why: Why) -> None:
    with database.transaction() as session:
        payment = session.get_one(Payment, payment_id)
        amount = Money(payment.amount_minor, asset(payment.asset))
        finding = Finding(
            "RECON_DIFFERENCE",
            f"missing:{payment_id}",
            f"{rail.label} does not know {reference}: {error.message}",
            expected=reference,
            found="nothing",
            at_risk=amount,
            payment=payment,
        )
        cases.open_case(session, finding, why=why)
