"""Money as whole minor units of an asset that carries its scale; the only room that knows decimals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext

# Source: ISO 4217 list one (SIX, 2026-01), minor unit column; every other active code has two.
_ZERO = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
_THREE = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_TWO = frozenset(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
    "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN "
    "QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "
    "TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG".split()
)
# Ledger scales stay at or under 9 so that sums fit int64 on both databases.
_TOKENS = {"USDT": 6, "USDC": 6, "PYUSD": 6, "DAI": 9, "ETH": 9, "BNB": 9, "MATIC": 9, "BTC": 8}
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)
LARGEST_MINOR = 2**63 - 1


@dataclass(frozen=True)
class Asset:
    """A currency or token with its ledger scale; written `EUR/2`."""

    code: str
    scale: int

    def __str__(self) -> str:
        return f"{self.code}/{self.scale}"


def _registry() -> dict[str, Asset]:
    scales = dict.fromkeys(_TWO, 2) | dict.fromkeys(_ZERO, 0) | dict.fromkeys(_THREE, 3) | _TOKENS
    return {code: Asset(code, scale) for code, scale in scales.items()}


ASSETS = _registry()


def asset(code: str) -> Asset:
    """Look an asset up by its code (`EUR`, any case) or its name (`EUR/2`).

    Raises: ValueError for a code that is not registered or a scale that is not its own.
    """
    name, _, scale = code.partition("/")
    found = ASSETS.get(name.upper())
    if found is None or (scale and scale != str(found.scale)):
        raise ValueError(f"{code!r} is not an asset we know")
    return found


@dataclass(frozen=True)
class Money:
    """An amount. minor: minor units of `asset`, signed, at most 63 bits."""

    minor: int
    asset: Asset

    def __post_init__(self) -> None:
        if abs(self.minor) > LARGEST_MINOR:
            raise ValueError("the amount is too large")

    def _same(self, other: Money) -> None:
        if self.asset != other.asset:
            raise ValueError(f"{self.asset} and {other.asset} cannot be combined")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.asset)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.asset)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.asset)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def major(self) -> str:
        """Write the amount in major units with exactly the asset's scale, such as `125.00`."""
        sign = "-" if self.minor < 0 else ""
        if self.asset.scale == 0:
            return f"{sign}{abs(self.minor)}"
        whole, part = divmod(abs(self.minor), 10**self.asset.scale)
        return f"{sign}{whole}.{part:0{self.asset.scale}d}"

    def as_decimal(self) -> Decimal:
        """Give the amount in major units, exactly."""
        return Decimal(self.major())

    def allocate(self, weights: Sequence[int]) -> list[Money]:
        """Split without losing a unit: largest remainder, earlier parts first on a tie.

        weights: non-negative, at least one positive.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError("weights must be non-negative and not all zero")
        shares = [divmod(self.minor * weight, total) for weight in weights]
        left = self.minor - sum(share for share, _ in shares)
        order = sorted(range(len(shares)), key=lambda place: (-shares[place][1], place))
        bonus = set(order[:left])
        return [
            Money(share + (place in bonus), self.asset) for place, (share, _) in enumerate(shares)
        ]


def zero(of: Asset) -> Money:
    """Give nothing of an asset."""
    return Money(0, of)


def parse(text: str, of: Asset) -> Money:
    """Read an amount in major units from its text, never through float.

    text: a plain decimal such as `125`, `125.5` or `125.00`; no exponent, sign only for minus.
    Raises: ValueError when it is no plain decimal, has more decimals than the asset, or is too large.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError("not a plain decimal number")
    try:
        with localcontext() as context:
            context.prec = 60
            scaled = Decimal(text).scaleb(of.scale)
            if scaled != scaled.to_integral_value():
                raise ValueError(f"{of.code} has {of.scale} decimals")
            return Money(int(scaled), of)
    except InvalidOperation as error:
        raise ValueError("not a plain decimal number") from error
