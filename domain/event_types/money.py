"""Types of orders, payments, the inbox and people: what moves money in and who is there."""

from __future__ import annotations

from collections.abc import Mapping

from domain.event_types.fields import (
    CURRENCY,
    INBOUND,
    MAJOR,
    USER,
    EventType,
    Field,
    about_staff,
    text,
)

_LIFE = ("Pending", "Paid", "Confirmed", "Expired", "Failed", "Cancelled", "Released", "Refunded")


def _life(now: str, before: str) -> dict[str, Field]:
    return {
        "lifecycle": Field("string", now, "Where the payment stands now.", words=_LIFE),
        "previousLifecycle": Field("string", before, "Where it stood before.", words=_LIFE),
    }


_REQUEST = ("open", "payment", "processing", "seller_paid", "refunded", "cancelled")
_PAID = {
    "paid": text("25.00", f"Confirmed so far. {MAJOR}"),
    "outstanding": text("100.00", f"Still to be paid. {MAJOR}"),
    "requestStatus": Field(
        "string", "processing", "The purchase request's own state.", words=_REQUEST
    ),
} | CURRENCY
_REASON = {"reason": text("expired", "Why, in a word or a sentence.", nullable=True)}
_FAILED = {
    "failureReason": text("declined", "Why: declined, expired and the like."),
    "code": text("PAYMENT_FAILED", "The error code of the API."),
    "stripeCode": text("insufficient_funds", "The provider's own code.", nullable=True),
    "retryable": Field("boolean", True, "Whether the same payment may be tried again."),
}
_INBOUND = {
    "inboundId": text(INBOUND, "The stored event."),
    "provider": text("stripe", "Who sent it."),
    "providerType": text("payment_intent.succeeded", "The sender's name of its type."),
    "attempts": Field("integer", 1, "How often it was applied or tried."),
}
_KEY = {
    "keyId": text("key_01jd7m1bbb0v5d3k8r6t9w1x2y3z", "The API key."),
    "prefix": text("pd_test_4f9k2m7q1r5t8w0x", "Its public part."),
}
_PERSON = {
    "userId": text(USER, "The person."),
    "what": text("session", "What was made, changed or ended."),
}
_SESSION = {
    "sessionId": text("ses_01jd7m1ccc0v5d3k8r6t9w1x2y3z", "The session or token that ended.")
}


def _order(name: str, meaning: str, status: str, fields: Mapping[str, Field]) -> EventType:
    return EventType(name, meaning, "order", status, fields, outbound=True)


def _payment(name: str, meaning: str, status: str, fields: Mapping[str, Field]) -> EventType:
    return EventType(name, meaning, "payment", status, fields, outbound=True)


_AMOUNTS = {
    "amount": text("25.00", f"Asked for. {MAJOR}"),
    "amountReceived": text("25.00", f"Received. {MAJOR}"),
}
_NEW_ORDER = {
    "total": text("125.00", MAJOR),
    "deposit": text("25.00", MAJOR, nullable=True),
    "buyerId": text(USER, "Who buys.", nullable=True),
    "sellerId": text("usr_01jd7m0bbb0v5d3k8r6t9w1x2y3z", "Who sells.", nullable=True),
} | CURRENCY
_DEADLINE = {
    "depositDueAt": text("2026-11-23T09:30:00.000Z", "When its deposit is due now."),
    "previousDueAt": text("2026-11-22T09:30:00.000Z", "When it was due before."),
}
_NEW_PAYMENT = {
    "rail": text("card", "By which rail."),
    "provider": text("stripe", "Through whom."),
    "amount": text("25.00", f"Asked for. {MAJOR}"),
    "purpose": text("deposit", "What it pays: deposit, balance and the like."),
    "direction": Field("string", "in", "Whether money comes in or goes out.", words=("in", "out")),
    "expiresAt": text("2026-11-22T09:30:00.000Z", "When it is given up.", nullable=True),
} | CURRENCY
_HELD = {"amountCapturable": text("25.00", f"Held and not yet captured. {MAJOR}")} | CURRENCY
_CASE = {
    "caseId": text("exc_01jd7m3ddd0v5d3k8r6t9w1x2y3z", "The exception case."),
    "kind": text("UNDERPAID", "What is wrong."),
    "moneyAtRisk": text("5.00", "Decimal text in major units.", nullable=True),
    "owner": text(USER, "Who looks after it.", nullable=True),
    "verb": text("resolve", "What was done about it.", nullable=True),
}
_NOTE = {
    "noteId": text("not_01jd7m3eee0v5d3k8r6t9w1x2y3z", "The note; its text stays on the desk."),
    "actor": text(USER, "Who wrote it."),
}
_CONFIRMATIONS = {
    "confirmations": Field("object", None, "Have and need, on a chain.", nullable=True)
}
_DETECTED = _PAID | {
    "requestStatus": Field("string", "payment", "The purchase request's state.", words=("payment",))
}
_REFUNDED = {
    "requestStatus": Field(
        "string", "refunded", "The purchase request's state.", words=("refunded",)
    )
}
_GIVEN_BACK = {
    "amountRefunded": text("25.00", f"Given back in all. {MAJOR}"),
    "partial": Field("boolean", False, "Whether some of what was received was not given back."),
} | CURRENCY

TYPES: tuple[EventType, ...] = (
    _order("order.created", "An order was made.", "AwaitingDeposit", _NEW_ORDER),
    _order("order.payment_detected", "Its funds are on their way.", "AwaitingDeposit", _DETECTED),
    _order("order.deposit_paid", "Its deposit is confirmed; work may start.", "DepositPaid", _PAID),
    _order("order.paid", "It is paid in full.", "Paid", _PAID),
    _order("order.refunded", "All that was paid was given back.", "Refunded", _PAID | _REFUNDED),
    _order("order.cancelled", "It was cancelled.", "Cancelled", _REASON),
    _order(
        "order.deadline_extended",
        "Its deposit is due at another moment.",
        "AwaitingDeposit",
        _DEADLINE,
    ),
    _payment("payment.created", "A payment was asked for.", "pending", _NEW_PAYMENT),
    _payment(
        "payment.requires_action",
        "The payer must prove themselves.",
        "pending",
        {"kind": Field("string", "3ds", "What is asked.", words=("3ds", "bank", "payer"))},
    ),
    _payment(
        "payment.processing",
        "It is paid, and not final yet.",
        "processing",
        _life("Paid", "Pending") | _CONFIRMATIONS,
    ),
    _payment("payment.authorized", "Its amount is held on the card.", "pending", _HELD),
    _payment(
        "payment.succeeded",
        "It is confirmed.",
        "completed",
        _life("Confirmed", "Pending") | _AMOUNTS | CURRENCY,
    ),
    _payment(
        "payment.failed",
        "An attempt was declined, or the payment failed for good.",
        "pending",
        _life("Pending", "Pending") | _FAILED,
    ),
    _payment(
        "payment.expired", "Nobody paid in time.", "failed", _life("Expired", "Pending") | _REASON
    ),
    _payment(
        "payment.cancelled",
        "It was cancelled.",
        "cancelled",
        _life("Cancelled", "Pending") | _REASON,
    ),
    _payment(
        "payment.refunded",
        "What was given back of it has changed, also when a refund failed after all:"
        " `amountRefunded` is the present total.",
        "refunded",
        _life("Refunded", "Confirmed") | _GIVEN_BACK,
    ),
    EventType("payment.noted", "Somebody wrote a note.", "payment", "completed", _NOTE, staff=True),
    EventType(
        "exception.opened", "Something needs a person.", "payment", "open", _CASE, outbound=True
    ),
    about_staff("inbound.received", "A webhook was verified and stored.", "received", _INBOUND),
    about_staff("inbound.processed", "A webhook was applied.", "processed", _INBOUND),
    about_staff(
        "inbound.failed", "Applying a webhook failed; it will be retried.", "failed", _INBOUND
    ),
    about_staff("inbound.ignored", "A webhook of a type that is not ours.", "ignored", _INBOUND),
    about_staff(
        "inbound.quarantined", "A webhook that cannot be trusted as it is.", "quarantined", _INBOUND
    ),
    about_staff("inbound.dead", "A webhook that failed too often.", "dead", _INBOUND),
    EventType("user.created", "A person was added.", "other", None, _PERSON),
    EventType(
        "session.revoked", "A session or token was ended.", "other", None, _PERSON | _SESSION
    ),
    EventType("api_key.created", "An API key was made.", "other", "active", _KEY),
    EventType("api_key.revoked", "An API key was ended.", "other", "revoked", _KEY),
    EventType(
        "ops.probe",
        "The self-test's own event; only its sender receives it.",
        "other",
        None,
        {"nonce": text("q3Vb8n0p", "What the sender looks for.")},
    ),
)
