"""What may follow from a payment, and what does follow from one that has just changed; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.money import Money, asset
from core.purposes import CHECKS, OF_ORDERS, TO_WALLET, Purpose
from core.states import Payment as Status
from domain.payments import receipts
from models.payments import Payment
from providers.said import KeyedFact


class EffectKind(StrEnum):
    """Each is carried out by the module of this package that has its name."""

    ORDER_ADVANCE = "order_advance"
    WALLET_CREDIT = "wallet_credit"
    ENTITLEMENT = "entitlement"
    RECEIPT = "receipt"
    METHOD_VALIDATED = "method_validated"
    HOLD_RELEASE = "hold_release"
    TRIAL_GRANT = "trial_grant"
    REFUND_LETTER = "refund_letter"
    REFUND_FAILED_LETTER = "refund_failed_letter"
    INVOICE = "invoice"
    FINAL_INVOICE = "final_invoice"
    CREDIT_NOTE = "credit_note"
    CREDIT_NOTE_VOID = "credit_note_void"


# Nothing waits for them, so the worker carries them out in transactions of their own.
DEFERRED = frozenset(
    {
        EffectKind.RECEIPT,
        EffectKind.REFUND_LETTER,
        EffectKind.REFUND_FAILED_LETTER,
        EffectKind.FINAL_INVOICE,
        EffectKind.CREDIT_NOTE,
        EffectKind.CREDIT_NOTE_VOID,
    }
)
# What a payer is sent a receipt for: whatever they paid themselves.
RECEIPTED = OF_ORDERS | {Purpose.TOP_UP}


@dataclass(frozen=True)
class Wanted:
    """One effect to carry out. key: what may happen only once, for ever; amount: None where none is meant."""

    kind: EffectKind
    key: str
    amount: Money | None = None


def hears(payment: Payment) -> bool:
    """Tell whether the payer of a payment is written to: somebody we know, who paid it themselves."""
    return payment.purpose in RECEIPTED and payment.buyer_id is not None and not payment.demo


def following(payment: Payment, gained: Money, new_facts: Sequence[KeyedFact]) -> list[Wanted]:
    """Say what follows from the change of a payment that was brought to what its facts add up to.

    gained: what has newly arrived of it, zero when nothing has. The money itself is
    booked already: no effect is needed for the books to be right.
    """
    found: list[Wanted] = []
    if gained.minor:
        fact = receipts.arrival(new_facts)
        if payment.order_id is not None:
            found.append(Wanted(EffectKind.ORDER_ADVANCE, f"order:{fact.key}", gained))
        if payment.purpose in TO_WALLET:
            found.append(Wanted(EffectKind.WALLET_CREDIT, f"wallet:{fact.key}", gained))
        if payment.subscription_ref is not None:
            found.append(Wanted(EffectKind.ENTITLEMENT, f"entitlement:{fact.key}", gained))
        if hears(payment):
            found.append(Wanted(EffectKind.RECEIPT, f"receipt:{fact.key}", gained))
    return found + _of_check(payment)


def _of_check(payment: Payment) -> list[Wanted]:
    """Say what follows once from the check of a card that has proved it."""
    is_proved = payment.purpose in CHECKS and payment.status == Status.COMPLETED
    if not is_proved or payment.effect_state == "applied":
        return []
    found = [Wanted(EffectKind.METHOD_VALIDATED, f"validated:{payment.id}")]
    if payment.capturable_minor:
        held = Money(payment.capturable_minor, asset(payment.asset))
        found.append(Wanted(EffectKind.HOLD_RELEASE, f"release:{payment.id}", held))
    if payment.purpose == Purpose.CARD_VALIDATION:
        found.append(Wanted(EffectKind.TRIAL_GRANT, f"trial:{payment.id}"))
    return found
