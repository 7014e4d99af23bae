"""Test cards and how each behaves, Luhn and brand; published test numbers only, no state."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.stripe.declines import NON_TEST_CARD

SOURCE = "https://docs.stripe.com/testing"


@dataclass(frozen=True)
class SampleCard:
    """One published test card.

    `decline` names an entry of `declines.DECLINES`; `authentication` says when 3DS is asked: never,
    optional (only on request), on_session, unless_set_up (off-session passes after a setup), always.
    `refund` says what becomes of a refund later: pending (then it succeeds), fails (after it had
    succeeded), or nothing. `dispute` is the reason for which each charge is disputed, or `inquiry`;
    `fraud_record` says that the issuer warns of fraud.
    """

    number: str
    token: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: str | None = None
    authentication: str = "never"
    authentication_error: str | None = None
    cvc_check: str = "pass"
    risk: str = "normal"
    bypass_pending: bool = False
    refund: str | None = None
    dispute: str | None = None
    fraud_record: bool = False

    @property
    def last4(self) -> str:
        """Return the digits that may be shown."""
        return self.number[-4:]


def _named(rows: list[tuple[str, str, str, str, str]]) -> list[SampleCard]:
    return [SampleCard(n, t, brand=b, country=c, funding=f) for n, t, b, c, f in rows]


_BRANDS = _named(
    [
        ("4242424242424242", "visa", "visa", "US", "credit"),
        ("4000056655665556", "visa_debit", "visa", "US", "debit"),
        ("5555555555554444", "mastercard", "mastercard", "US", "credit"),
        ("2223003122003222", "mastercard_2series", "mastercard", "US", "credit"),
        ("5200828282828210", "mastercard_debit", "mastercard", "US", "debit"),
        ("5105105105105100", "mastercard_prepaid", "mastercard", "US", "prepaid"),
        ("378282246310005", "amex", "amex", "US", "credit"),
        ("371449635398431", "amex_2", "amex", "US", "credit"),
        ("6011111111111117", "discover", "discover", "US", "credit"),
        ("6011000990139424", "discover_2", "discover", "US", "credit"),
        ("6011981111111113", "discover_debit", "discover", "US", "debit"),
        ("3056930009020004", "diners", "diners", "US", "credit"),
        ("36227206271667", "diners_14digits", "diners", "US", "credit"),
        ("3566002020360505", "jcb", "jcb", "JP", "credit"),
        ("6200000000000005", "unionpay", "unionpay", "CN", "credit"),
        ("6200000000000047", "unionpay_debit", "unionpay", "CN", "debit"),
        ("6205500000000000004", "unionpay_19digits", "unionpay", "CN", "credit"),
        ("4000001240000000", "ca", "visa", "CA", "credit"),
        ("4000004840008001", "mx", "visa", "MX", "credit"),
        ("4000000760000002", "br", "visa", "BR", "credit"),
        ("4000000400000008", "at", "visa", "AT", "credit"),
        ("4000000560000004", "be", "visa", "BE", "credit"),
        ("4000002760000016", "de", "visa", "DE", "credit"),
        ("4000002500000003", "fr", "visa", "FR", "credit"),
        ("4000003800000008", "it", "visa", "IT", "credit"),
        ("4000007240000007", "es", "visa", "ES", "credit"),
        ("4000005280000002", "nl", "visa", "NL", "credit"),
        ("4000007560000009", "ch", "visa", "CH", "credit"),
        ("4000008260000000", "gb", "visa", "GB", "credit"),
        ("4000058260000005", "gb_debit", "visa", "GB", "debit"),
        ("4000003920000003", "jp", "visa", "JP", "credit"),
        ("4000000360000006", "au", "visa", "AU", "credit"),
    ]
)

_DECLINED = [
    SampleCard(number, token, decline=decline)
    for number, token, decline in [
        ("4000000000000002", "visa_chargeDeclined", "generic_decline"),
        ("4000000000009995", "visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("4000000000009987", "visa_chargeDeclinedLostCard", "lost_card"),
        ("4000000000009979", "visa_chargeDeclinedStolenCard", "stolen_card"),
        ("4000000000000069", "chargeDeclinedExpiredCard", "expired_card"),
        ("4000000000000127", "chargeDeclinedIncorrectCvc", "incorrect_cvc"),
        ("4000000000000119", "chargeDeclinedProcessingError", "processing_error"),
        (
            "4000000000006975",
            "visa_chargeDeclinedVelocityLimitExceeded",
            "card_velocity_exceeded",
        ),
    ]
] + [
    SampleCard("4100000000000019", "radarBlock", decline="fraudulent", risk="highest"),
    SampleCard("4000000000004954", "riskLevelHighest", risk="highest", decline="fraudulent"),
]

_PECULIAR = [
    SampleCard("4000000000000077", "bypassPending", bypass_pending=True),
    SampleCard("4000003720000278", "bypassPendingInternational", country="IE", bypass_pending=True),
    SampleCard("4000000000000341", "chargeCustomerFail", decline="generic_decline"),
    SampleCard("4000000000000101", "cvcCheckFail", cvc_check="fail"),
    SampleCard("4000000000009235", "riskLevelElevated", risk="elevated"),
    SampleCard("4000000000007726", "pendingRefund", refund="pending"),
    SampleCard("4000000000005126", "refundFail", refund="fails"),
]

# Source: https://docs.stripe.com/testing#disputes
_DISPUTED = [
    SampleCard("4000000000000259", "createDispute", dispute="fraudulent"),
    SampleCard(
        "4000000000002685", "createDisputeProductNotReceived", dispute="product_not_received"
    ),
    SampleCard("4000000000001976", "createDisputeInquiry", dispute="inquiry"),
    SampleCard("4000000000005423", "createIssuerFraudRecord", fraud_record=True),
]

_AUTHENTICATED = [
    SampleCard("4000000000003220", "threeDSecure2Required", authentication="always"),
    SampleCard("4000000000003063", "threeDSecureRequired", authentication="always"),
    SampleCard("4000000000003055", "threeDSecureOptional", authentication="optional"),
    SampleCard(
        "4000008400001629",
        "threeDSecureRequiredChargeDeclined",
        authentication="always",
        decline="generic_decline",
    ),
    SampleCard(
        "4000008400001280",
        "threeDSecureRequiredProcessingError",
        authentication="always",
        authentication_error="failed",
    ),
    SampleCard(
        "4000002500003155",
        "authenticationRequiredOnSetup",
        country="FR",
        authentication="unless_set_up",
    ),
    SampleCard("4000002760003184", "authenticationRequired", country="DE", authentication="always"),
    SampleCard(
        "4000003800000446",
        "authenticationRequiredSetupForOffSession",
        country="IT",
        authentication="on_session",
    ),
    SampleCard(
        "4000008260003178",
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        country="GB",
        authentication="always",
        decline="insufficient_funds",
    ),
]

SAMPLES = [*_BRANDS, *_DECLINED, *_PECULIAR, *_DISPUTED, *_AUTHENTICATED]
BY_NUMBER = {card.number: card for card in SAMPLES}
BY_TOKEN = {card.token: card for card in SAMPLES} | {
    alias: BY_NUMBER[number]
    for alias, number in [
        ("us", "4242424242424242"),
        ("chargeDeclined", "4000000000000002"),
        ("chargeDeclinedInsufficientFunds", "4000000000009995"),
        ("chargeDeclinedLostCard", "4000000000009987"),
        ("chargeDeclinedStolenCard", "4000000000009979"),
        ("visa_chargeDeclinedExpiredCard", "4000000000000069"),
        ("visa_chargeDeclinedIncorrectCvc", "4000000000000127"),
        ("visa_chargeDeclinedProcessingError", "4000000000000119"),
        ("visa_chargeDeclinedFraudulent", "4100000000000019"),
        ("chargeDeclinedFraudulent", "4100000000000019"),
        ("authenticationRequiredOnSetupForOffSession", "4000002500003155"),
    ]
}


def passes_luhn(number: str) -> bool:
    """Return whether the check digit is right. Source: ISO/IEC 7812-1 Annex B."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def sample_of(number: str) -> SampleCard:
    """Return the behaviour of a number; one that is no test card is declined when charged.

    Of a foreign number only the last digits are kept, for display.
    """
    known = BY_NUMBER.get(number)
    if known is not None:
        return known
    return SampleCard(number[-4:], "", brand=brand_of(number), decline=NON_TEST_CARD)


def asks_authentication(
    sample: SampleCard, *, off_session: bool, set_up: bool, requested: bool
) -> bool:
    """Return whether the issuer wants 3DS for this payment."""
    if sample.authentication == "unless_set_up":
        return not (off_session and set_up)
    if sample.authentication == "on_session":
        return not off_session
    return sample.authentication == "always" or (requested and sample.authentication == "optional")


def brand_of(number: str) -> str:
    """Return the network by the number's first digits."""
    two, four = number[:2], number[:4]
    if number.startswith("4"):
        return "visa"
    if two in ("34", "37"):
        return "amex"
    if "51" <= two <= "55" or "2221" <= four <= "2720":
        return "mastercard"
    if two in ("30", "36", "38", "39"):
        return "diners"
    brands = {"35": "jcb", "62": "unionpay", "60": "discover", "64": "discover", "65": "discover"}
    return brands.get(two, "unknown")
