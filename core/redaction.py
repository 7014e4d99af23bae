"""What may be shown or logged of foreign data: personal and secret fields masked, card numbers found."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.strictjson import Json

MASK = "•••"
# Keys whose values are personal, secret or card data in the providers' documents.
_MASKED = frozenset(
    "client_secret secret api_key apikey password token authorization cookie email receipt_email "
    "phone name account_holder_name account_holder_type line1 line2 city postal_code state iban account_number "
    "sort_code nrb routing_number fingerprint number cvc exp_month exp_year ip ip_address customer_email "
    "customer_name customer_phone resource_token url hosted_invoice_url receipt_number individual tax_id "
    "billing_details shipping customer_details three_d_secure network_transaction_id".split()
)
_SECRET_TEXT = re.compile(
    r"\b(?:sk|rk|whsec|pd)_(?:live_|test_)?[A-Za-z0-9]{8,}|\b(?:pi|seti|cs|src)_[A-Za-z0-9_]+_secret_[A-Za-z0-9]+"
)
# Issuer prefixes of the networks: 4 Visa; 51-55, 2221-2720 Mastercard; 34, 37 Amex; 6011, 65 Discover; 35 JCB; 30, 36, 38 Diners; 62 UnionPay.
_CARD = re.compile(
    r"(?<![0-9A-Za-z_])(?:4|5[1-5]|2[2-7]|3[4-8]|30|6011|62|65)(?:[ -]?[0-9]){11,17}(?![0-9A-Za-z_])"
)


def is_luhn_valid(digits: str) -> bool:
    """Tell whether a digit string passes the card check digit.

    Source: ISO/IEC 7812-1 annex B
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def holds_card_number(text: str) -> bool:
    """Tell whether free text holds something shaped like a card number of a known issuer."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", match.group())
        if 13 <= len(digits) <= 19 and is_luhn_valid(digits):
            return True
    return False


def mask_text(text: str) -> str:
    """Mask secrets and card numbers inside one string."""

    def card(match: re.Match[str]) -> str:
        digits = re.sub(r"[ -]", "", match.group())
        return MASK if is_luhn_valid(digits) else match.group()

    return _CARD.sub(card, _SECRET_TEXT.sub(MASK, text))


def redacted(value: Json, keep: frozenset[str] = frozenset()) -> Json:
    """Copy a JSON value with personal, secret and card fields masked; keys in `keep` stay."""
    if isinstance(value, dict):
        return {
            key: MASK
            if key.lower() in _MASKED and key not in keep and item not in (None, "", [], {})
            else redacted(item, keep)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redacted(item, keep) for item in value]
    if isinstance(value, str):
        return mask_text(value)
    return value


_SECRET_HEADERS = frozenset(
    "authorization cookie set-cookie x-shkeeper-api-key x-api-key proxy-authorization x-csrf-token".split()
)


def kept_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Choose the headers of a webhook that are worth keeping, none of them a credential."""
    return {
        name: value[:1000]
        for name, value in headers
        if name.lower() not in _SECRET_HEADERS
        and name.lower().startswith(
            ("content-", "user-agent", "stripe-", "x-", "tl-", "webhook-", "host", "origin")
        )
    }
