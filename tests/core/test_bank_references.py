"""References are cleaned and checked as each scheme carries them; those that we make pass everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from core import bank_references, ids
from core.bank_references import SCHEMES
from core.errors import InvalidInput


def test_a_reference_of_ours_is_carried_by_every_scheme_and_always_the_same() -> None:
    made = set()
    for payment_id in [ids.new("pay") for _ in range(200)]:
        reference = bank_references.make(payment_id)
        assert reference == bank_references.make(payment_id)
        assert len(reference) <= 18
        # Nobody takes one sign of it for another.
        assert bank_references.key_of(reference) == reference
        for scheme in SCHEMES:
            checked = bank_references.check(reference, scheme)
            assert (checked.ok, checked.reference) == (True, reference)
        made.add(reference)
    assert len(made) == 200


@pytest.mark.parametrize("payment_id", ["pay_1", "pay_demo_0007", "pay_ü", "", "x" * 40])
def test_any_id_has_a_reference(payment_id: str) -> None:
    reference = bank_references.make(payment_id)
    assert len(reference) == 16 and bank_references.check(reference, "bacs").ok


@pytest.mark.parametrize(
    ("given", "scheme", "cleaned"),
    [
        ("  Rechnung   Müller ", "faster_payments", "Rechnung Muller"),
        ("Straße 7", "sepa", "Strasse 7"),
        ("invoice 7", "bacs", "INVOICE 7"),
        ("Order-7 / 2026", "generic", "Order-7 / 2026"),
        ("RF18 5390 0754 7034", "sepa", "RF18 5390 0754 7034"),
        ("x" * 140, "sepa", "x" * 140),
    ],
)
def test_what_is_harmless_is_cleaned(given: str, scheme: str, cleaned: str) -> None:
    checked = bank_references.check(given, scheme)
    assert (checked.ok, checked.reference) == (True, cleaned)


@pytest.mark.parametrize(
    ("given", "scheme", "words"),
    [
        ("", "sepa", "cannot be empty"),
        ("   ", "bacs", "cannot be empty"),
        ("x" * 19, "faster_payments", "19 characters; Faster Payments carries at most 18"),
        ("x" * 141, "sepa", "at most 140"),
        ("a*b", "sepa", r"does not carry: \*"),
        ("a+b", "bacs", r"does not carry: \+"),
        ("a?b", "generic", "does not carry"),
        ("日本", "sepa", "does not carry"),
        ("a\0b", "sepa", r"U\+0000"),
        ("/order", "sepa", "no slash at either end"),
        ("a//b", "sepa", "no two beside each other"),
        ("- .", "generic", "needs a letter or a digit"),
        ("RF19539007547034", "sepa", "check digits are wrong"),
    ],
)
def test_what_a_scheme_does_not_carry_is_said(given: str, scheme: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        bank_references.assert_carried(given, scheme)
    assert refused.value.code == "BANK_REFERENCE_INVALID"


@given(strategies.text(max_size=200), strategies.sampled_from(sorted(SCHEMES)))
def test_what_was_cleaned_stays_as_it_is(text: str, scheme: str) -> None:
    once = bank_references.check(text, scheme)
    again = bank_references.check(once.reference, scheme)
    assert once == again
    if once.ok:
        assert once.reference.isascii() and len(once.reference) <= SCHEMES[scheme].longest
