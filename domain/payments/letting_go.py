"""Letting go of a hold that has proved its card: the call, and what it means when the provider refuses."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import AppError, ProviderRefused
from core.money import Money, asset
from domain.cases import cases
from domain.cases.cases import Finding
from domain.transitions import Why
from models.operations import Operation
from models.payments import Payment
from providers.said import Reading
from providers.seam import Rail

KIND = "release_hold"
_OVER = frozenset({"cancelled", "succeeded"})


def call(rail: Rail, operation: Operation, payment: Payment) -> Reading:
    """End the hold at the provider; where it has ended already, its present truth is the answer.

    Calls: the provider. Raises: ProviderRefused when it stands and cannot be ended, the provider errors.
    """
    reference = str(payment.provider_reference)
    try:
        return rail.cancel(reference, key=operation.provider_key)
    except ProviderRefused:
        said = rail.fetch(reference)
        if not {keyed.fact.kind for keyed in said.facts} & _OVER:
            raise
        return said


def refused(
    session: Session, operation: Operation, payment: Payment, error: AppError, *, why: Why
) -> None:
    """Let a person see a hold that the provider does not let go.

    Writes: exception_cases. Emits: exception.opened. Transaction: caller's.
    """
    held = Money(payment.capturable_minor or payment.amount_minor, asset(payment.asset))
    sentence = (
        f"The hold of {held.major()} {held.asset.code} that proved a card could not be let go:"
        f" {error.message} The card stays proved. Cancel the hold at {payment.provider},"
        " or it ends by itself within a week."
    )
    finding = Finding(
        "EFFECT_FAILED",
        f"release:{payment.id}",
        sentence,
        at_risk=held,
        payment=payment,
        operation_id=operation.id,
    )
    cases.open_case(session, finding, why=why)
