"""Types of card actions: transactions, wallets, kept cards, trials, entitlements, disputes."""

from __future__ import annotations

from domain.event_types.fields import CURRENCY, MAJOR, PAYMENT, USER, EventType, Field, text

_TRANSACTION = {
    "transactionId": text(PAYMENT, "The transaction: the same id as its payment."),
    "transactionType": Field(
        "string",
        "payment",
        "Its type.",
        words=("payment", "coupon", "payment_method_validation"),
    ),
    "effect": Field(
        "string",
        "applied",
        "Whether what follows from its money was carried out.",
        words=("none", "applied", "failed"),
    ),
}
_WALLET = {
    "userId": text(USER, "Whose wallet."),
    "transactionId": text(PAYMENT, "The transaction behind it."),
    "amount": text("25.00", f"By how much. {MAJOR}"),
} | CURRENCY
_METHOD = {
    "userId": text(USER, "Whose card."),
    "paymentMethodId": text("pm_1SdK2m7q1r5t8w0x", "The card, as its provider calls it."),
    "transactionId": text(PAYMENT, "The transaction that proved it.", nullable=True),
}
_TRIAL = {
    "userId": text(USER, "Who may try."),
    "transactionId": text(PAYMENT, "The check of a card that granted it."),
    "limit": text("100.00", f"How much. {MAJOR}"),
} | CURRENCY
_ENTITLEMENT = {
    "subscriptionRef": text("sub-2041", "The consumer's own name of the subscription."),
    "period": text("2026-11", "The consumer's own name of the period."),
}
_DISPUTE = {
    "disputeId": text("dsp_01jd7m3fff0v5d3k8r6t9w1x2y3z", "The dispute."),
    "amount": text("25.00", f"What is disputed. {MAJOR}"),
    "evidenceDueAt": text("2026-12-05T23:59:59.000Z", "Until when to answer.", nullable=True),
    "outcome": text("won", "How it ended.", nullable=True),
} | CURRENCY
_REVERSED = {
    "cause": Field("string", "chargeback", "Why.", words=("chargeback", "late_failure", "reorg")),
    "amount": text("25.00", f"How much went away. {MAJOR}"),
    "lifecycle": text("Confirmed", "Where the payment stands now."),
    "previousLifecycle": text("Confirmed", "Where it stood before."),
} | CURRENCY


def _payment(
    name: str, meaning: str, status: str, fields: dict[str, Field], *, outbound: bool = True
) -> EventType:
    return EventType(name, meaning, "payment", status, fields, outbound=outbound)


TYPES: tuple[EventType, ...] = (
    _payment(
        "transaction.created",
        "A payment without an order was written down.",
        "pending",
        _TRANSACTION,
        outbound=False,
    ),
    _payment(
        "transaction.updated",
        "Its status, or that of its effect, has changed.",
        "completed",
        _TRANSACTION,
        outbound=False,
    ),
    _payment("wallet.credited", "A wallet holds more.", "completed", _WALLET),
    _payment("wallet.debited", "A wallet holds less.", "refunded", _WALLET),
    _payment("payment_method.validated", "A card was proved.", "completed", _METHOD),
    EventType("payment_method.changed", "Another card is the default.", "other", "active", _METHOD),
    EventType("payment_method.removed", "A card is kept no longer.", "other", "removed", _METHOD),
    _payment("trial.granted", "Somebody may try for free.", "completed", _TRIAL),
    _payment(
        "entitlement.granted",
        "A period of a subscription is paid for: provision it. Told once per period.",
        "completed",
        _ENTITLEMENT,
    ),
    _payment(
        "entitlement.revoked",
        "All that paid for a period was given back.",
        "refunded",
        _ENTITLEMENT,
    ),
    _payment("payment.reversed", "Money that was confirmed went away.", "completed", _REVERSED),
    _payment("dispute.opened", "A payer's bank takes money back.", "needs_response", _DISPUTE),
    _payment("dispute.updated", "A dispute has moved on.", "under_review", _DISPUTE),
    _payment("dispute.closed", "A dispute is decided.", "won", _DISPUTE),
)
