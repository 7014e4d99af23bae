"""Every event type that is told to the world: its fields, its alias, who gets it, a schema and an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.strictjson import Json
from domain.events import ALIASES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
AT = "2026-11-21T09:30:00.000Z"
PAYMENT, ORDER, MERCHANT, USER, INBOUND = (
    "pay_01jd7m2c4e0v5d3k8r6t9w1x2y3z",
    "ord_01jd7m2b9a0v5d3k8r6t9w1x2y3z",
    "mer_01jd7kzzzz0v5d3k8r6t9w1x2y3z",
    "usr_01jd7m0aaa0v5d3k8r6t9w1x2y3z",
    "inb_01jd7m2f7g0v5d3k8r6t9w1x2y3z",
)


@dataclass(frozen=True)
class Field:
    """One field of an event. type: as JSON Schema names it; words: the only values it takes."""

    type: str
    example: Json
    meaning: str
    nullable: bool = False
    words: tuple[str, ...] = ()

    def schema(self) -> dict[str, Json]:
        """Write it as JSON Schema."""
        kind: Json = [self.type, "null"] if self.nullable else self.type
        found: dict[str, Json] = {"type": kind, "description": self.meaning}
        if self.words:
            found["enum"] = [*self.words, *([None] if self.nullable else [])]
        return found


@dataclass(frozen=True)
class EventType:
    """One type. about: `payment`, `order`, `staff` or `other`; outbound: also sent to merchants' endpoints."""

    name: str
    meaning: str
    about: str
    status: str | None
    fields: Mapping[str, Field] = field(default_factory=dict)
    outbound: bool = False
    staff: bool = False

    @property
    def alias(self) -> tuple[str, str] | None:
        """The sources' hyphenated name and its own type, which ride along in the frame."""
        return ALIASES.get(self.name)


_LIFE = ("Pending", "Paid", "Confirmed", "Expired", "Failed", "Cancelled", "Released", "Refunded")
_MAJOR = "Decimal text in major units of `currency`."


def _text(example: str, meaning: str, *, nullable: bool = False) -> Field:
    return Field("string", example, meaning, nullable)


def _life(now: str, before: str) -> dict[str, Field]:
    return {
        "lifecycle": Field("string", now, "Where the payment stands now.", words=_LIFE),
        "previousLifecycle": Field("string", before, "Where it stood before.", words=_LIFE),
    }


_CURRENCY = {"currency": _text("EUR", "ISO 4217 code or token symbol.")}
_REQUEST = ("open", "payment", "processing", "seller_paid", "refunded", "cancelled")
_PAID = {
    "paid": _text("25.00", f"Confirmed so far. {_MAJOR}"),
    "outstanding": _text("100.00", f"Still to be paid. {_MAJOR}"),
    "requestStatus": Field(
        "string", "processing", "The purchase request's own state.", words=_REQUEST
    ),
} | _CURRENCY
_REASON = {"reason": _text("expired", "Why, in a word or a sentence.", nullable=True)}
_FAILED = {
    "failureReason": _text("declined", "Why: declined, expired and the like."),
    "code": _text("PAYMENT_FAILED", "The error code of the API."),
    "stripeCode": _text("insufficient_funds", "The provider's own code.", nullable=True),
    "retryable": Field("boolean", True, "Whether the same payment may be tried again."),
}
_INBOUND = {
    "inboundId": _text(INBOUND, "The stored event."),
    "provider": _text("stripe", "Who sent it."),
    "providerType": _text("payment_intent.succeeded", "The sender's name of its type."),
    "attempts": Field("integer", 1, "How often it was applied or tried."),
}
_KEY = {
    "keyId": _text("key_01jd7m1bbb0v5d3k8r6t9w1x2y3z", "The API key."),
    "prefix": _text("pd_test_4f9k2m7q1r5t8w0x", "Its public part."),
}
_PERSON = {
    "userId": _text(USER, "The person."),
    "what": _text("session", "What was made, changed or ended."),
}
_SESSION = {
    "sessionId": _text("ses_01jd7m1ccc0v5d3k8r6t9w1x2y3z", "The session or token that ended.")
}


def _order(name: str, meaning: str, status: str, fields: Mapping[str, Field]) -> EventType:
    return EventType(name, meaning, "order", status, fields, outbound=True)


def _payment(name: str, meaning: str, status: str, fields: Mapping[str, Field]) -> EventType:
    return EventType(name, meaning, "payment", status, fields, outbound=True)


def _staff(name: str, meaning: str, status: str, fields: Mapping[str, Field]) -> EventType:
    return EventType(name, meaning, "staff", status, fields, staff=True)


_AMOUNTS = {
    "amount": _text("25.00", f"Asked for. {_MAJOR}"),
    "amountReceived": _text("25.00", f"Received. {_MAJOR}"),
}
_NEW_ORDER = {
    "total": _text("125.00", _MAJOR),
    "deposit": _text("25.00", _MAJOR, nullable=True),
    "buyerId": _text(USER, "Who buys.", nullable=True),
    "sellerId": _text("usr_01jd7m0bbb0v5d3k8r6t9w1x2y3z", "Who sells.", nullable=True),
} | _CURRENCY
_NEW_PAYMENT = {
    "rail": _text("card", "By which rail."),
    "provider": _text("stripe", "Through whom."),
    "amount": _text("25.00", f"Asked for. {_MAJOR}"),
    "purpose": _text("deposit", "What it pays: deposit, balance and the like."),
    "direction": Field("string", "in", "Whether money comes in or goes out.", words=("in", "out")),
    "expiresAt": _text("2026-11-22T09:30:00.000Z", "When it is given up.", nullable=True),
} | _CURRENCY
_HELD = {"amountCapturable": _text("25.00", f"Held and not yet captured. {_MAJOR}")} | _CURRENCY
_CASE = {
    "caseId": _text("exc_01jd7m3ddd0v5d3k8r6t9w1x2y3z", "The exception case."),
    "kind": _text("UNDERPAID", "What is wrong."),
    "moneyAtRisk": _text("5.00", "Decimal text in major units.", nullable=True),
    "owner": _text(USER, "Who looks after it.", nullable=True),
    "verb": _text("resolve", "What was done about it.", nullable=True),
}
_NOTE = {
    "noteId": _text("not_01jd7m3eee0v5d3k8r6t9w1x2y3z", "The note; its text stays on the desk."),
    "actor": _text(USER, "Who wrote it."),
}
_CONFIRMATIONS = {
    "confirmations": Field("object", None, "Have and need, on a chain.", nullable=True)
}
_DETECTED = _PAID | {
    "requestStatus": Field("string", "payment", "The purchase request's state.", words=("payment",))
}

TYPES: tuple[EventType, ...] = (
    _order("order.created", "An order was made.", "AwaitingDeposit", _NEW_ORDER),
    _order("order.payment_detected", "Its funds are on their way.", "AwaitingDeposit", _DETECTED),
    _order("order.deposit_paid", "Its deposit is confirmed; work may start.", "DepositPaid", _PAID),
    _order("order.paid", "It is paid in full.", "Paid", _PAID),
    _order("order.cancelled", "It was cancelled.", "Cancelled", _REASON),
    _payment("payment.created", "A payment was asked for.", "pending", _NEW_PAYMENT),
    _payment(
        "payment.requires_action",
        "The payer must prove themselves.",
        "pending",
        {"kind": Field("string", "3ds", "What is asked.", words=("3ds",))},
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
        _life("Confirmed", "Pending") | _AMOUNTS | _CURRENCY,
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
    EventType("payment.noted", "Somebody wrote a note.", "payment", "completed", _NOTE, staff=True),
    EventType(
        "exception.opened", "Something needs a person.", "payment", "open", _CASE, outbound=True
    ),
    _staff("inbound.received", "A webhook was verified and stored.", "received", _INBOUND),
    _staff("inbound.processed", "A webhook was applied.", "processed", _INBOUND),
    _staff("inbound.failed", "Applying a webhook failed; it will be retried.", "failed", _INBOUND),
    _staff("inbound.ignored", "A webhook of a type that is not ours.", "ignored", _INBOUND),
    _staff(
        "inbound.quarantined", "A webhook that cannot be trusted as it is.", "quarantined", _INBOUND
    ),
    _staff("inbound.dead", "A webhook that failed too often.", "dead", _INBOUND),
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
        {"nonce": _text("q3Vb8n0p", "What the sender looks for.")},
    ),
)

BY_NAME: Mapping[str, EventType] = {kind.name: kind for kind in TYPES}

_COMMON: Mapping[str, Field] = {
    "id": _text("evt_01jd7m2g1h0v5d3k8r6t9w1x2y3z", "Names this event; for `Last-Event-ID`."),
    "type": _text("", "What happened."),
    "at": _text(AT, "When, RFC 3339 in UTC."),
    "sequence": Field("integer", 2, "Rises with each event of its payment, else of its object."),
    "paymentId": _text(PAYMENT, "The payment.", nullable=True),
    "orderId": _text(ORDER, "The order.", nullable=True),
    "status": _text("", "The state it led to.", nullable=True),
    "merchantId": _text(MERCHANT, "The merchant.", nullable=True),
    "isReplay": Field("boolean", False, "Whether a replay of an earlier event caused it."),
    "demo": Field("boolean", False, "Whether it belongs to the sandbox's demo traffic."),
}


def example(kind: EventType) -> dict[str, Json]:
    """Write a plausible event of a type, with every field it has."""
    found = {name: each.example for name, each in _COMMON.items()}
    found |= {"type": kind.name, "status": kind.status}
    if kind.about in ("staff", "other"):
        found |= {"paymentId": None, "orderId": None}
    if kind.about == "order":
        found["paymentId"] = None
    if kind.alias:
        found |= {"alias": kind.alias[0], "aliasType": kind.alias[1]}
    return found | {name: each.example for name, each in kind.fields.items()}


def schema(kind: EventType) -> dict[str, Json]:
    """Write the JSON Schema of a type; a later version may add fields, never take one away.

    Source: JSON Schema 2020-12
    """
    properties: dict[str, Json] = {name: each.schema() for name, each in _COMMON.items()}
    properties["type"] = {"const": kind.name, "description": kind.meaning}
    if kind.alias:
        properties["alias"] = {"const": kind.alias[0]}
        properties["aliasType"] = {"const": kind.alias[1]}
    properties |= {name: each.schema() for name, each in kind.fields.items()}
    required: list[Json] = [*properties]
    return {
        "$schema": DIALECT,
        "$id": f"{kind.name}.json",
        "title": kind.name,
        "description": kind.meaning,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
        "examples": [example(kind)],
    }


def wire(kind: EventType) -> dict[str, Json]:
    """Write a type as the API lists it."""
    return {
        "type": kind.name,
        "alias": kind.alias[0] if kind.alias else None,
        "aliasType": kind.alias[1] if kind.alias else None,
        "meaning": kind.meaning,
        "staff": kind.staff,
        "outbound": kind.outbound,
        "schema": schema(kind),
        "example": example(kind),
    }
