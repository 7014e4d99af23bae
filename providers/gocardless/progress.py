"""What GoCardless' events state by themselves: how far a payer or a bank is; never an amount, for none says one.

The same events are listed with what they are about, so both ways give the same facts under the same keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from core.fold import CHARGE_FAILED, Fact
from providers.gocardless import words
from providers.said import KeyedFact
from providers.values import Thing, instant, thing, word

NAME = "gocardless"
Stating = Callable[[str, Thing, datetime], KeyedFact]


def keyed(reference: str, suffix: str, fact: Fact) -> KeyedFact:
    """Give a fact its permanent key."""
    return KeyedFact(f"{NAME}:{reference}:{suffix}", fact)


def cause_of(event: Thing) -> str | None:
    """Give why something happened; the scheme's reason codes differ by bank and are not read."""
    return word(thing(event.get("details")).get("cause"), longest=64)


def _once(kind: str, suffix: str) -> Stating:
    return lambda reference, _, at: keyed(reference, suffix, Fact(kind, at))


def _each_time(kind: str) -> Stating:
    """State what may happen often, each by itself."""
    return lambda reference, _, at: keyed(reference, f"{kind}:{_moment(at)}", Fact(kind, at))


def _moment(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _attempt_failed(reference: str, event: Thing, at: datetime) -> KeyedFact:
    """End one attempt: the payer may begin again on the same page."""
    cause = cause_of(event) or word(event.get("action"), longest=64)
    fact = Fact("attempt_failed", at, code=cause, message=words.of_cause(cause))
    return keyed(reference, f"attempt_failed:{_moment(at)}", fact)


def _failed(reference: str, event: Thing, at: datetime) -> KeyedFact:
    cause = cause_of(event) or "failed"
    fact = Fact("failed", at, code=cause, message=words.of_cause(cause))
    return keyed(reference, "failed", fact)


def _charged_back(reference: str, event: Thing, at: datetime) -> KeyedFact:
    """State that the payer's bank took back all that the payment had brought."""
    fact = Fact(CHARGE_FAILED, at, code=reference, message=words.of_cause(cause_of(event)))
    return keyed(reference, CHARGE_FAILED, fact)


# Source: protocols 4C; https://developer.gocardless.com/api-reference/#events-billing-request-actions
OF_REQUESTS: Mapping[str, Stating] = {
    "bank_authorisation_visited": _each_time("awaiting_payer"),
    "bank_authorisation_authorised": _once("awaiting_bank", "authorised"),
    "bank_authorisation_denied": _attempt_failed,
    "bank_authorisation_failed": _attempt_failed,
    "bank_authorisation_expired": _attempt_failed,
    "payer_geo_blocked": _attempt_failed,
    "fulfilled": _once("awaiting_bank", "fulfilled"),
    "failed": _failed,
    "cancelled": _once("cancelled", "cancelled"),
}
# Source: https://developer.gocardless.com/api-reference/#events-payment-actions
OF_PAYMENTS: Mapping[str, Stating] = {
    "created": _once("awaiting_bank", "created"),
    "submitted": _once("awaiting_bank", "submitted"),
    "cancelled": _once("cancelled", "cancelled"),
    "charged_back": _charged_back,
}


def stated(
    reference: str, events: Iterable[Thing], stating: Mapping[str, Stating]
) -> list[KeyedFact]:
    """State what listed events of one object say, in whichever order they are listed."""
    facts: dict[str, KeyedFact] = {}
    for event in events:
        reader = stating.get(word(event.get("action")) or "")
        at = instant(event.get("created_at"))
        if reader is not None and at is not None:
            said = reader(reference, event, at)
            facts.setdefault(said.key, said)
    return list(facts.values())


def last(events: Iterable[Thing], action: str) -> Thing | None:
    """Find the latest of listed events with an action, or None."""
    found = [each for each in events if each.get("action") == action]
    return max(found, key=lambda each: word(each.get("created_at")) or "", default=None)
