"""Which currency the account keeps a charge in, and at which rate it is exchanged for that; whole minor units."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sandbox.stripe.errors import Obj
from sandbox.stripe.money import THREE_DECIMAL, ZERO_DECIMAL
from sandbox.stripe.world import Call

# What a unit is worth in US dollars; near enough to the truth, and the same for every rehearsal.
_WORTH = {
    "aud": "0.66", "bhd": "2.65", "brl": "0.18", "cad": "0.73", "chf": "1.13", "cny": "0.14",
    "czk": "0.043", "dkk": "0.145", "eur": "1.085", "gbp": "1.27", "hkd": "0.128", "huf": "0.0028",
    "inr": "0.012", "isk": "0.0072", "jod": "1.41", "jpy": "0.0067", "krw": "0.00073",
    "kwd": "3.25", "mxn": "0.055", "myr": "0.22", "nok": "0.094", "nzd": "0.61", "omr": "2.6",
    "pln": "0.25", "ron": "0.22", "sek": "0.096", "sgd": "0.74", "thb": "0.028", "tnd": "0.32",
    "try": "0.03", "ugx": "0.00027", "usd": "1", "zar": "0.054",
}  # fmt: skip
_OTHERS = "0.1"
_KEPT = "rates"
_RATE_PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class Settled:
    """What is kept of an amount. rate: None where nothing was exchanged."""

    amount: int
    currency: str
    rate: str | None

    @property
    def shown_rate(self) -> float | None:
        """The rate as Stripe writes it into its JSON."""
        return None if self.rate is None else float(self.rate)


def settle(call: Call, amount: int, currency: str) -> Settled:
    """Exchange an amount unless the account has a bank account in its currency.

    Source: https://docs.stripe.com/currencies/conversions
    """
    settles = call.world.settings.settles
    if currency in settles:
        return Settled(amount, currency, None)
    to = settles[0]
    rate = (_worth(call, currency) / _worth(call, to)).quantize(_RATE_PLACES)
    major = Decimal(amount) / _unit(currency) * rate
    kept = int((major * _unit(to)).to_integral_value(ROUND_HALF_UP))
    return Settled(kept, to, format(rate.normalize(), "f"))


def set_rates(call: Call, rates: Obj) -> dict[str, str]:
    """Change what units are worth from now on, as the market does. Writes: the rates."""
    known = _set(call) | {code.lower(): str(Decimal(str(worth))) for code, worth in rates.items()}
    call.store.put(_KEPT, {"id": _KEPT, "created": call.now, "rates": json.dumps(known)})
    return known


def _set(call: Call) -> dict[str, str]:
    kept = call.store.find(_KEPT, _KEPT)
    found: dict[str, str] = json.loads(kept["rates"]) if kept else {}
    return found


def _worth(call: Call, currency: str) -> Decimal:
    return Decimal(_set(call).get(currency) or _WORTH.get(currency, _OTHERS))


def _unit(currency: str) -> int:
    return 1 if currency in ZERO_DECIMAL else 1000 if currency in THREE_DECIMAL else 100
