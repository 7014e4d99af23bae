"""What is normal on each rail and in each currency: when money that was sent is final, in words and seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Normal:
    """When a payment is final if nothing is late. seconds: by when nearly all are, or None: not in seconds.

    business_days: by the end of so many working days instead, where the rail rests at weekends.
    """

    text: str
    seconds: int | None = None
    business_days: int | None = None


# Sources: https://docs.stripe.com/payments/payment-methods (cards: at once);
# https://www.wearepay.uk/what-we-do/payment-systems/faster-payment-system/ (usually at once, at most two hours);
# https://www.europeanpaymentscouncil.eu/what-we-do/sepa-instant-credit-transfer (ten seconds) and
# Directive (EU) 2015/2366, art. 83 (a credit transfer: by the end of the next business day)
_CARD = Normal("Confirmed within seconds; a 3D Secure check takes about a minute.", 5 * 60)
_BANK = Normal("Bank transfers take one to three working days.", business_days=3)
NORMAL: Mapping[tuple[str, str], Normal] = {
    ("card", ""): _CARD,
    ("bank", ""): _BANK,
    ("bank", "GBP"): Normal("Usually within minutes, at most two hours.", 2 * 3600),
    ("bank", "EUR"): Normal(
        "Within seconds as an instant transfer, otherwise by the end of the next working day.",
        business_days=1,
    ),
}


def normal(rail: str, code: str = "") -> Normal | None:
    """Say what is normal for a currency on a rail, else for the rail; None where nothing is known."""
    return NORMAL.get((rail, code)) or NORMAL.get((rail, ""))


def in_words(rail: str, codes: Collection[str] | None = None) -> str | None:
    """Say what is normal on a rail, currency by currency where they differ; None where nothing is known.

    codes: of the currencies that are meant; None: all.
    """
    own = {code: each for (name, code), each in NORMAL.items() if name == rail and code}
    meant = {code: each for code, each in own.items() if codes is None or code in codes}
    said = [f"{code}: {each.text[0].lower()}{each.text[1:]}" for code, each in meant.items()]
    general = NORMAL.get((rail, ""))
    if general is not None and (codes is None or set(codes) - set(own)):
        said.append(
            f"Otherwise: {general.text[0].lower()}{general.text[1:]}" if said else general.text
        )
    return " ".join(said) or None
