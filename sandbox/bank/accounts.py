"""Bank accounts of the rehearsal: who holds them, their numbers, what was booked on them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import NAMESPACE_URL, UUID, uuid5

from sandbox.bank.world import CURRENCIES, GOCARDLESS, TRUELAYER, Call, World
from sandbox.common.ids import random_text
from sandbox.common.wire import Obj

BOOKING = "booking"
# Our own account at our own bank; the providers' accounts are called as their wires.
BANK = "bank"
HOLDERS = (BANK, TRUELAYER, GOCARDLESS)
# What our account held before the rehearsal began, in minor units.
BANK_OPENING = 1_000_000
_COUNTRY = {"EUR": "DE", "GBP": "GB"}
_DUE = "due"


def key(holder: str, currency: str) -> str:
    """Return the name under which an account's bookings are kept."""
    return f"{holder}:{currency}"


def opening(world: World, holder: str) -> int:
    """Return what an account held before anything was booked."""
    return BANK_OPENING if holder == BANK else world.settings.float_minor


def balance(call: Call, holder: str, currency: str) -> int:
    """Return what an account holds, in minor units."""
    with call.store.locked() as db:
        row = db.execute(
            "SELECT COALESCE(SUM(json_extract(body, '$.amount')), 0) FROM objects"
            " WHERE kind = ? AND parent = ?",
            (BOOKING, key(holder, currency)),
        ).fetchone()
    return opening(call.world, holder) + int(row[0])


def book(
    call: Call,
    holder: str,
    subject: Obj,
    amount: int,
    *,
    kind: str,
    name: str,
    iban: str,
    reference: str,
    is_due: bool = False,
) -> Obj:
    """Book money onto (or, negative, off) an account.

    `is_due`: the next payout of this account takes it along. Writes: a booking.
    """
    account = key(holder, subject["currency"])
    booking: Obj = {
        "id": f"BKG{random_text(13)}",
        "account": account,
        "amount": amount,
        "currency": subject["currency"],
        "kind": kind,
        "at": call.world.clock.now(),
        "created": call.ms,
        "name": name,
        "iban": iban,
        "reference": reference,
        "end_to_end": subject["id"].replace("-", "")[:35],
        "subject": subject["id"],
        "_parent": account,
        "_label": _DUE if is_due else None,
    }
    return call.store.put(BOOKING, booking)


def due(call: Call, holder: str, currency: str) -> list[Obj]:
    """Return what the next payout takes along, oldest first."""
    return list(call.store.of(BOOKING, key(holder, currency), label=_DUE))


def booked(call: Call, holder: str, currency: str) -> Iterator[Obj]:
    """Yield every booking of an account, oldest first."""
    return call.store.of(BOOKING, key(holder, currency))


def take(call: Call, booking: Obj, payout: str) -> None:
    """Note with which payout a booking went."""
    call.store.put(BOOKING, booking | {"payout": payout, "_label": payout})


def merchant_account_id(currency: str) -> str:
    """Return the id of TrueLayer's merchant account in a currency; the same on every machine."""
    return str(uuid5(NAMESPACE_URL, f"sandbox-bank-merchant-account-{currency}"))


def currency_of(merchant_account: str) -> str | None:
    """Return the currency of a merchant account, or None for an id that is none."""
    return next((c for c in CURRENCIES if merchant_account_id(c) == merchant_account), None)


def numbers(name: str, currency: str, sort_code: str = "040004") -> Obj:
    """Return an account's sort code, number and IBAN, made from a name so that they stay the same."""
    digits = f"{UUID(str(uuid5(NAMESPACE_URL, f'account-{name}-{currency}'))).int % 10**10:010d}"
    country = _COUNTRY[currency]
    bban = f"SBXA{sort_code}{digits[:8]}" if country == "GB" else f"99{sort_code}{digits}"
    return {"sort_code": sort_code, "account_number": digits[:8], "iban": _iban(country, bban)}


def iban(holder: str, currency: str) -> str:
    """Return the IBAN of our account, or of a provider's."""
    return str(numbers(holder, currency)["iban"])


def identifiers(found: Obj, currency: str) -> list[Obj]:
    """Return account numbers as TrueLayer lists them."""
    by_iban: Obj = {"type": "iban", "iban": found["iban"]}
    if currency != "GBP":
        return [by_iban]
    own = {name: found[name] for name in ("sort_code", "account_number")}
    return [{"type": "sort_code_account_number"} | own, by_iban]


def _iban(country: str, bban: str) -> str:
    """Put the check digits before a BBAN. Source: ISO 13616, ISO 7064 MOD 97-10."""
    text = "".join(str(int(letter, 36)) for letter in f"{bban}{country}00")
    return f"{country}{98 - int(text) % 97:02d}{bban}"
