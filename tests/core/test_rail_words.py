"""Every rail has every word, cards keep theirs, and nobody who pays from a bank account reads of a card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest

from core import rail_words
from core.fold import RANK
from core.rail_words import RailWords
from core.states import PaymentSub

RAILS = ("card", "bank", "crypto")
# What is said of one word of a rail: its own name and each word in it.
NEVER_AT_A_BANK = ("card", "3d secure", "3ds", "stripe", "issuer")


def words_of(rail: str) -> Iterator[tuple[str, str]]:
    said = rail_words.of(rail)
    for each in fields(RailWords):
        found = getattr(said, each.name)
        if isinstance(found, str):
            yield each.name, found
        elif found is not None:
            yield from ((f"{each.name}.{name}", word) for name, word in found.items())
    yield "arrives_sentence", said.arrives_sentence


@pytest.mark.parametrize("rail", RAILS)
def test_every_rail_has_every_word(rail: str) -> None:
    said = dict(words_of(rail))
    card = dict(words_of("card"))
    assert said.keys() - {"letter_line"} == card.keys()
    assert [name for name, word in said.items() if not word.strip()] == []


@pytest.mark.parametrize("rail", ["bank", "crypto"])
def test_who_pays_without_a_card_reads_of_none(rail: str) -> None:
    told = [
        (name, word)
        for name, word in words_of(rail)
        for never in NEVER_AT_A_BANK
        if never in word.lower()
    ]
    assert told == []


def test_a_rail_to_come_is_not_taken_for_a_bank() -> None:
    told = [name for name, word in words_of("crypto") if "their bank" in word or "transfer" in word]
    assert told == []
    assert rail_words.of("crypto") == rail_words.of("a rail of tomorrow")
    assert rail_words.of("bank") != rail_words.of("crypto") != rail_words.of("card")


def test_a_card_reads_as_it_always_has() -> None:
    card = rail_words.of("card")
    assert card.arrives_sentence == "Banks usually take 5 to 10 days to show it."
    assert card.payer_source == "the payer's card"
    assert card.sub_states[PaymentSub.REQUIRES_ACTION] == "waiting for 3D Secure"
    assert card.facts["attempt_failed"] == "Card declined"


def test_words_are_kept_for_facts_and_states_that_there_are() -> None:
    for rail in RAILS:
        said = rail_words.of(rail)
        assert set(said.sub_states) <= set(PaymentSub)
        assert set(said.facts) - set(RANK) <= {"charge_paid", "charge_failed"}


def test_one_kind_of_fact_is_known_by_the_words_of_every_rail() -> None:
    assert set(rail_words.fact_words("attempt_failed")) == {
        rail_words.of(rail).facts["attempt_failed"] for rail in RAILS
    }
