"""Which currencies and amounts Stripe takes; whole minor units only."""

from __future__ import annotations

from sandbox.stripe import params
from sandbox.stripe.errors import Obj, invalid, missing

# Source: https://docs.stripe.com/currencies (presentment, zero-decimal and three-decimal lists).
CURRENCIES = frozenset(
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn"
    " bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd"
    " gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak"
    " lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd"
    " omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std"
    " szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar"
    " zmw".split()
)
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
# Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts.
_MINIMUM = {
    "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
_MAXIMUM = 99_999_999


def currency(sent: Obj) -> str:
    """Return the currency in lower case. Raises: ApiError for one that Stripe does not take."""
    code = params.required_text(sent, "currency").lower()
    if code not in CURRENCIES:
        supported = ", ".join(sorted(CURRENCIES))
        message = f"Invalid currency: {code}. Stripe currently supports these currencies: "
        raise invalid(message + supported, "currency")
    return code


def amount(sent: Obj, code: str, name: str = "amount") -> int:
    """Return an amount in minor units within the currency's bounds."""
    value = params.whole(sent, name)
    if value is None:
        raise missing(name)
    assert_chargeable(value, code, name)
    return value


def assert_chargeable(value: int, code: str, name: str = "amount") -> None:
    """Refuse an amount below the minimum, above the maximum, or finer than cards settle."""
    if value < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(message, name, code="parameter_invalid_integer")
    least = _MINIMUM.get(code, 1)
    if value < least:
        message = f"Amount must be at least {shown(least, code)}"
        raise invalid(message, name, code="amount_too_small")
    if value > _MAXIMUM:
        message = f"Amount must be no more than {shown(_MAXIMUM, code)}"
        raise invalid(message, name, code="amount_too_large")
    if code in THREE_DECIMAL and value % 10:
        message = f"Invalid integer: {value}. The last digit must be 0 in {code}."
        raise invalid(message, name, code="parameter_invalid_integer")


def shown(value: int, code: str) -> str:
    """Return an amount for people, such as `12.50 EUR`."""
    places = 0 if code in ZERO_DECIMAL else 3 if code in THREE_DECIMAL else 2
    if places == 0:
        return f"{value:,} {code.upper()}"
    unit = 10**places
    return f"{value // unit:,}.{value % unit:0{places}d} {code.upper()}"
