"""Card numbers are found, secrets and personal fields masked, ordinary references left alone."""

from __future__ import annotations

import pytest

from core.redaction import MASK, holds_card_number, kept_headers, mask_text, redacted


@pytest.mark.parametrize(
    "text",
    ["4242424242424242", "pay with 4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005"]
    + ["6011111111111117", "3566002020360505"],
)
def test_a_card_number_is_found_in_free_text(text: str) -> None:
    assert holds_card_number(text)
    assert "4242424242424242" not in mask_text(text)


@pytest.mark.parametrize(
    "text",
    ["pay_01m7z19yprema4x2qeqvtpc98r7ves", "pi_3a8kIem8RWwz1qcRyKSEmV6MC", "4242424242424243"]
    + ["2026-11-21T12:00:00Z", "order 1234567890", "1700000000000", ""],
)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    assert not holds_card_number(text)


def test_personal_and_secret_fields_are_masked_at_any_depth() -> None:
    shown = redacted(
        {
            "id": "pi_1",
            "client_secret": "pi_1_secret_abc",
            "amount": 100,
            "charges": [
                {"billing_details": {"email": "bo@example.com"}, "note": "sk_test_abcdefgh12"}
            ],
        }
    )
    assert shown == {
        "id": "pi_1",
        "client_secret": MASK,
        "amount": 100,
        "charges": [{"billing_details": MASK, "note": MASK}],
    }


def test_credentials_are_not_among_the_kept_headers() -> None:
    kept = kept_headers(
        [("Stripe-Signature", "t=1"), ("Authorization", "x"), ("Cookie", "x"), ("X-Api-Key", "x")]
    )
    assert kept == {"Stripe-Signature": "t=1"}
