"""What a charge says beside which card it was: until when it is held, what was captured, that its hold lapsed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core import clock
from core.fold import CHARGE_FAILED, CHARGE_PAID, Fact
from providers.said import KeyedFact, Oddity, Reading
from providers.stripe.things import Thing, money, reference_of, thing, word

# How Stripe names charges that are no card's; only those fail after they were paid.
DEBIT = "py_"
_BECAME = {"succeeded": CHARGE_PAID, "failed": CHARGE_FAILED}


def hold_ends_at(charge: Thing) -> datetime | None:
    """Say until when an amount stays held on a card; None where a charge does not tell.

    Source: https://docs.stripe.com/payments/place-a-hold-on-a-payment-method (`capture_before`)
    """
    card = thing(thing(charge.get("payment_method_details")).get("card"))
    until = card.get("capture_before")
    return clock.from_unix(until) if isinstance(until, int) else None


def captured(subject: Thing, said_at: datetime, evidence: Reading) -> Reading:
    """Read a charge that was captured: what was held has arrived, as its intent says under the same key.

    evidence: the charge as it reads without what it brought.
    """
    intent, currency = reference_of(subject.get("payment_intent")), word(subject.get("currency"))
    if intent is None or currency is None:
        return evidence
    received = money(subject, "amount_captured").minor
    fact = Fact("succeeded", said_at, amount_minor=received)
    return replace(
        evidence,
        facts=(KeyedFact(f"stripe:{intent}:succeeded:{received}", fact),),
        asset_code=currency.upper(),
    )


def debit(subject: Thing, said_at: datetime, evidence: Reading) -> Reading:
    """Read a bank debit that was paid or failed, which may happen to the same one days apart; a card's
    charge is final once it is made.

    evidence: the charge as it reads without what became of it.
    Source: https://docs.stripe.com/payments/bank-debits (failures after success)
    """
    said, currency = debited(subject, said_at), word(subject.get("currency"))
    if not said or currency is None:
        return evidence
    return replace(evidence, facts=(*evidence.facts, *said), asset_code=currency.upper())


def debited(subject: Thing, said_at: datetime) -> tuple[KeyedFact, ...]:
    """Give what became of one debit; nothing of a card's charge, or of one that is under way."""
    own, kind = word(subject.get("id")), _BECAME.get(word(subject.get("status")) or "")
    if own is None or not own.startswith(DEBIT) or kind is None:
        return ()
    words = word(subject.get("failure_message")) if kind == CHARGE_FAILED else None
    fact = Fact(kind, said_at, money(subject, "amount").minor, code=own, message=words)
    return (KeyedFact(f"stripe:{own}:{kind}", fact),)


def paid_by(subject: Thing, status: str, said_at: datetime) -> tuple[KeyedFact, ...]:
    """Give what an intent says of the debit behind it: paid, once the intent has succeeded."""
    latest = subject.get("latest_charge")
    own = reference_of(latest)
    if own is None or not own.startswith(DEBIT):
        return ()
    told = debited(thing(latest), said_at)
    if status != "succeeded" or any(each.fact.kind == CHARGE_PAID for each in told):
        return told
    fact = Fact(CHARGE_PAID, said_at, money(subject, "amount").minor, code=own)
    return (KeyedFact(f"stripe:{own}:{CHARGE_PAID}", fact), *told)


def lapsed(evidence: Reading) -> Reading:
    """Read a charge whose hold ran out: how the payment ended, and why, is for its intent to say."""
    return replace(evidence, fetch="a hold has lapsed; its payment intent tells how that ended")


def partly_funded(subject: Thing, evidence: Reading) -> Reading:
    """Read an intent of which a transfer has paid a part: nothing is booked, and a person must see it.

    Source: https://docs.stripe.com/payments/bank-transfers (`amount_remaining`)
    """
    shown = thing(thing(subject.get("next_action")).get("display_bank_transfer_instructions"))
    told: Thing = {"currency": subject.get("currency"), "left": shown.get("amount_remaining")}
    asked, left = money(subject, "amount"), money(told, "left")
    sentence = (
        f"{(asked - left).major()} of {asked.major()} {asked.asset.code} was transferred to Stripe;"
        f" {left.major()} was missing then. Nothing is booked until all of it is there."
    )
    name = f"{word(subject.get('id'))}:{left.minor}"
    return replace(evidence, oddities=(Oddity("UNDERPAID", name, sentence, left),))
