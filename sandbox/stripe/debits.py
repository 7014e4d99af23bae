"""SEPA test accounts and what each debit will do, days later in life and seconds later here."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from sandbox.stripe.errors import Obj, invalid

# Source: https://docs.stripe.com/payments/sepa-debit/accept-a-payment, "Test your integration".
# Keyed by what follows country and check digits, so that every country's variant is found.
_FAILS = {"370400440532013001", "1904300235473202"}
_SLOW = {"370400440532013003", "1904300235473204", "370400440532013002"}


def plan(iban: str) -> str:
    """Return succeed, succeed_slowly or fail."""
    account = _clean(iban)[4:]
    if account in _FAILS:
        return "fail"
    return "succeed_slowly" if account in _SLOW else "succeed"


def details(iban: str) -> Obj:
    """Return a payment method's `sepa_debit`. Raises: ApiError for a malformed IBAN."""
    clean = _clean(iban)
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", clean) or not _checks(clean):
        message = f"The IBAN you provided is invalid: {clean[:4]}…"
        raise invalid(message, "sepa_debit[iban]", code="invalid_bank_account_iban")
    return {
        "bank_code": clean[4:12],
        "branch_code": "",
        "country": clean[:2],
        "fingerprint": clean[-12:].lower(),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": clean[-4:],
    }


def utc_date(moment: int) -> date:
    """Return the UTC day of a time in seconds."""
    return datetime.fromtimestamp(moment, UTC).date()


def _clean(iban: str) -> str:
    return re.sub(r"\s", "", iban).upper()


def _checks(iban: str) -> bool:
    """Return whether the check digits are right. Source: ISO 13616, modulo 97."""
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1
