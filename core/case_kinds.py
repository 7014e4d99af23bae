"""Every kind of exception case that can be met: who looks after it, how soon, what it means, what may be done.

Source: surface.md section 17, resolutions C1 and C36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """One way to settle a case."""

    ACCEPT = "accept"
    REFUND_DIFFERENCE = "refund_difference"
    REFUND_ALL = "refund_all"
    CREDIT = "credit"
    TOP_UP = "top_up"
    REISSUE = "reissue"
    WRITE_OFF = "write_off"
    LINK = "link"
    MARK = "mark"


class Team(StrEnum):
    """Who looks after a kind."""

    SUPPORT = "support"
    FINANCE = "finance"
    ENGINEERING = "engineering"


class Clock(StrEnum):
    """Which hours count towards a target."""

    BUSINESS = "business"
    ALWAYS = "always"


@dataclass(frozen=True)
class Kind:
    """One kind. hours: the target until it is settled; verbs: in the order they are offered."""

    label: str
    team: Team
    hours: int
    clock: Clock
    verbs: tuple[Verb, ...]
    means: str
    risks_money: bool = True


V, T = Verb, Team
_BUSINESS, _ALWAYS = Clock.BUSINESS, Clock.ALWAYS

KINDS: Mapping[str, Kind] = {
    "UNDERPAID": Kind(
        "Underpaid",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.TOP_UP, V.WRITE_OFF, V.REFUND_ALL, V.ACCEPT),
        "Less arrived than was asked for. What arrived is booked; the order waits for the rest.",
    ),
    "OVERPAID": Kind(
        "Overpaid",
        T.FINANCE,
        16,
        _BUSINESS,
        (V.REFUND_DIFFERENCE, V.CREDIT, V.REFUND_ALL, V.ACCEPT),
        "More arrived than was asked for. The buyer is served; the excess is held with the order.",
    ),
    "PAID_LATE": Kind(
        "Paid late",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.REFUND_ALL, V.CREDIT, V.REISSUE, V.ACCEPT),
        "Money arrived for an attempt that had ended. It is booked as unapplied and serves nobody.",
    ),
    "DUPLICATE_PAYMENT": Kind(
        "Paid twice",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.ACCEPT,),
        "Two receipts may stand for one payment. It is booked once; a second one is given back there.",
    ),
    "STUCK_PAID": Kind(
        "Stuck before final",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.MARK, V.REISSUE, V.ACCEPT),
        "The provider took the payment and has not said for days whether it is final.",
    ),
    "UNMATCHED": Kind(
        "Unmatched event",
        T.SUPPORT,
        8,
        _BUSINESS,
        (V.LINK, V.ACCEPT),
        "A provider told of something that belongs to no payment of ours.",
    ),
    "MARKED": Kind(
        "Marked by hand",
        T.FINANCE,
        24,
        _BUSINESS,
        (V.ACCEPT,),
        "Two people set this payment's state by hand; the provider has not said so.",
    ),
    "DUPLICATE_CONFLICT": Kind(
        "Told twice",
        T.ENGINEERING,
        8,
        _ALWAYS,
        (V.ACCEPT,),
        "A provider told the same fact under two names, or changed what it had told. It counted once.",
        risks_money=False,
    ),
    "DISPUTE": Kind(
        "Dispute",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.ACCEPT,),
        "The payer's bank asks for the money back. Never refund a payment that is disputed.",
    ),
    "EARLY_FRAUD_WARNING": Kind(
        "Early fraud warning",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.REFUND_ALL, V.ACCEPT),
        "The card's issuer expects a dispute. Refund it now to spare that, or accept the risk; until then nothing is released.",
    ),
    "PAYMENT_REVIEW": Kind(
        "Under review for fraud",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.REFUND_ALL, V.ACCEPT),
        "The provider wants a person to look at this payment. Approve or refund it; until then nothing is released.",
    ),
    "REFUND_FAILED": Kind(
        "Refund failed",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.REFUND_DIFFERENCE, V.ACCEPT),
        "Money that was to go back to the payer did not arrive there; it is still with us.",
    ),
    "LATE_FAILURE": Kind(
        "Failed after final",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.ACCEPT,),
        "The provider took back what it had called final.",
    ),
    "UNKNOWN_OUTCOME": Kind(
        "Outcome unknown",
        T.ENGINEERING,
        4,
        _ALWAYS,
        (V.REISSUE, V.MARK, V.ACCEPT),
        "A provider was asked for something and nobody knows whether it did it. It is still being asked.",
    ),
    "EFFECT_FAILED": Kind(
        "Effect failed",
        T.ENGINEERING,
        4,
        _ALWAYS,
        (V.ACCEPT,),
        "The money moved, and what should have followed from it did not.",
    ),
    "DEAD_LETTER": Kind(
        "Dead letter",
        T.ENGINEERING,
        4,
        _ALWAYS,
        (V.ACCEPT,),
        "A provider's event could not be applied and is tried no more. Replay it when the cause is gone.",
    ),
    "QUARANTINED": Kind(
        "Quarantined event",
        T.ENGINEERING,
        8,
        _ALWAYS,
        (V.ACCEPT,),
        "A signed event cannot be understood, or is of another account or mode. Nothing was applied.",
    ),
    "UNMAPPED_VALUE": Kind(
        "Unknown word of a provider",
        T.ENGINEERING,
        24,
        _ALWAYS,
        (V.ACCEPT,),
        "A provider used a word that our tables do not know. Nothing was guessed.",
        risks_money=False,
    ),
    "RECON_DIFFERENCE": Kind(
        "Differs from the provider",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.MARK, V.REISSUE, V.ACCEPT),
        "Our books and the provider's record say different things.",
    ),
    "PAYOUT_FAILED": Kind(
        "Payout failed",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.ACCEPT,),
        "A payout did not arrive and came back. Put the bank account right at the provider.",
    ),
    "REVERSAL_DUE": Kind(
        "Reversal due",
        T.FINANCE,
        24,
        _BUSINESS,
        (V.ACCEPT,),
        "A manual journal entry should have been reversed by now. Reverse it, or accept that it stays.",
    ),
    "RULE_STOPPED": Kind(
        "Rule stopped itself",
        T.FINANCE,
        24,
        _BUSINESS,
        (V.ACCEPT,),
        "People took back what a rule of the desk had decided, so it ended itself. Its cases wait for people.",
        risks_money=False,
    ),
    "DOCUMENT_FAILED": Kind(
        "Document not printed",
        T.ENGINEERING,
        8,
        _ALWAYS,
        (V.ACCEPT,),
        "An invoice or credit note could not be printed. The invoice itself stands; its document is missing.",
        risks_money=False,
    ),
    "INVARIANT_RED": Kind(
        "A rule of the books broke",
        T.ENGINEERING,
        1,
        _ALWAYS,
        (V.ACCEPT,),
        "What always holds of the books does not hold. Money out is frozen where it broke, until two people lift it.",
    ),
    "NIGHTLY_DIFFERENCE": Kind(
        "Differs in a nightly check",
        T.FINANCE,
        8,
        _BUSINESS,
        (V.ACCEPT,),
        "Two records of ours that must agree every night do not. Nothing was changed.",
    ),
    "FREEZE_BREACH": Kind(
        "Moved under a freeze",
        T.FINANCE,
        2,
        _ALWAYS,
        (V.ACCEPT,),
        "Money went out while a freeze held it. The fact is recorded; find out how it could happen.",
    ),
}

# Names that surface.md keeps for rails that are not here yet: to ask for them is no mistake.
LATER = frozenset({"LATE_CONFIRM", "REORGED", "WRONG_TOKEN", "PAYOUT_STUCK"})
# What those may do who resolve cases but decide nothing about money.
WITHOUT_MONEY = frozenset({Verb.LINK, Verb.REISSUE})
LONGEST_TARGET_HOURS = 2000
