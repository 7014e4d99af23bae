"""What differs on the pay page from rail to rail, as words for the person who pays. No routes, no states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PayWords:
    """The words of one rail. {label}: its provider, {merchant}: who asks, {text}: as each says.

    account: what pays, with "your"; asking: whom we ask while nothing is known; elsewhere: what is done on
    the provider's page, why, and the button that leads there; waiting: to somebody who came back from it;
    refused: an attempt that was refused and can be made again.
    """

    account: str
    asking: str
    assurance: str
    elsewhere_title: str
    elsewhere: str
    elsewhere_verb: str
    waiting_title: str
    waiting: str
    back: str
    refused_title: str
    refused: str
    again: str


_CARD = PayWords(
    account="your card",
    asking="the card network",
    assurance="Card details go straight to {label}, never through this site.",
    elsewhere_title="Pay on {label}'s page",
    elsewhere="{merchant} takes this payment on {label}'s own page.",
    elsewhere_verb="Pay on {label}",
    waiting_title="Waiting for your bank",
    waiting="We have not heard from your bank yet. It usually takes a few seconds. "
    "If you have not finished there, you can go back and pay.",
    back="Back to the payment",
    refused_title="The last card was declined",
    refused="The bank refused it. Nothing was charged. Try another card, or the same one again.",
    again="Try another card",
)
_BANK = PayWords(
    account="your bank account",
    asking="your bank",
    assurance="You agree at your own bank. Its password never passes through this site.",
    elsewhere_title="Pay from your bank account",
    elsewhere="Choose your bank, sign in there and agree. {label} leads you to it and back.",
    elsewhere_verb="Go to your bank",
    waiting_title="Awaiting your bank",
    waiting="We have not heard from your bank yet. If you agreed there, you need do nothing more; "
    "if you did not finish, you can go back to it.",
    back="Back to the payment",
    refused_title="Your bank did not go through with it",
    refused="We received nothing. You can try again, or choose another bank.",
    again="Try again",
)
_WORDS: Mapping[str, PayWords] = {"card": _CARD, "bank": _BANK}


def of(rail: str) -> PayWords:
    """Give a rail's words; a rail without any of its own is spoken of as a bank."""
    return _WORDS.get(rail, _BANK)
