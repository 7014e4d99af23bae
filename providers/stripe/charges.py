"""What a charge says beside which card it was: until when it is held, what was captured, that its hold lapsed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core import clock
from core.fold import Fact
from providers.seam import KeyedFact, Oddity, Reading
from providers.stripe.things import Thing, money, reference_of, thing, word


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
