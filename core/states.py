"""Every state set with its legal moves, and every surface's spelling; printed to `docs/states.md`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from core import book_states, moves
from core.disputes import Status as Dispute
from core.errors import IllegalTransition


class Payment(StrEnum):
    """Source 003's seven values: the API contract."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    REFUNDED = "refunded"


class PaymentSub(StrEnum):
    """Where inside a status an attempt stands; for people and the /v1 surface."""

    NONE = "none"
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_ACTION = "requires_action"
    REQUIRES_CAPTURE = "requires_capture"
    AWAITING_BANK = "awaiting_bank"
    AWAITING_CONFIRMATIONS = "awaiting_confirmations"
    UNKNOWN_OUTCOME = "unknown_outcome"


class Lifecycle(StrEnum):
    """Source 004's words; derived by a versioned mapping, never written."""

    PENDING = "Pending"
    PAID = "Paid"
    CONFIRMED = "Confirmed"
    EXPIRED = "Expired"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    RELEASED = "Released"
    REFUNDED = "Refunded"


class Escrow(StrEnum):
    """Where the buyer's money is."""

    UNFUNDED = "unfunded"
    FUNDED = "funded"
    RELEASED = "released"
    REFUNDED = "refunded"
    PARTIALLY_RELEASED = "partially_released"
    SPLIT = "split"


class Order(StrEnum):
    """The marketplace's purchase request."""

    AWAITING_DEPOSIT = "awaiting_deposit"
    DEPOSIT_PAID = "deposit_paid"
    PAID = "paid"
    COMPLETED = "completed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PurchaseRequest(StrEnum):
    """The same order in source 003's words."""

    OPEN = "open"
    PAYMENT = "payment"
    PROCESSING = "processing"
    SELLER_PAID = "seller_paid"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


class Operation(StrEnum):
    """One act asked of a provider."""

    PREPARED = "prepared"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Inbound(StrEnum):
    """One event received from a provider."""

    RECEIVED = "received"
    PROCESSED = "processed"
    NO_EFFECT = "no_effect"
    IGNORED = "ignored"
    UNMATCHED = "unmatched"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    DEAD = "dead"


class Case(StrEnum):
    """One exception that a person must see."""

    OPEN = "open"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    CARRIED_FORWARD = "carried_forward"


class Approval(StrEnum):
    """One act that waits for a second person."""

    PENDING = "pending"
    APPROVED = "approved"
    EXECUTED = "executed"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Freeze(StrEnum):
    """A hold on money going out."""

    ACTIVE = "active"
    LIFTED = "lifted"
    EXPIRED = "expired"


class Refund(StrEnum):
    """Money on its way back to the payer."""

    PENDING_APPROVAL = "pending_approval"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class Card(StrEnum):
    """A card that a person keeps with a provider; one on its way out is used no more."""

    ACTIVE = "active"
    REMOVING = "removing"
    REMOVED = "removed"


class RuleState(StrEnum):
    """A rule of the exception desk over its life."""

    DRAFT = "draft"
    ENABLED = "enabled"
    DISABLED = "disabled"


class SecretVersion(StrEnum):
    """One value of a secret over its life."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"


class Mail(StrEnum):
    """One message to a person."""

    PENDING = "pending"
    FAILED = "failed"
    SENT = "sent"
    DEAD = "dead"


class Person(StrEnum):
    """Whether a person may come in."""

    ACTIVE = "active"
    LOCKED = "locked"
    DISABLED = "disabled"


class Role(StrEnum):
    """Who a person is to Paydesk."""

    BUYER = "buyer"
    SELLER = "seller"
    MERCHANT = "merchant"
    SUPPORT = "support"
    FINANCE = "finance"
    ADMIN = "admin"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


STAFF = frozenset({Role.SUPPORT, Role.FINANCE, Role.ADMIN, Role.ENGINEER, Role.AUDITOR})


class Kyc(StrEnum):
    """What is known of a buyer, seller or merchant; only approved may move money."""

    NONE = "none"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


# `pending` after `processing`, and `processing` after `completed`, need an exception case beside them.
MOVES: Mapping[str, moves.Moves] = {
    "payment": moves.table(
        {
            "pending": "processing completed failed cancelled",
            "processing": "completed failed cancelled pending",
            "completed": "released refunded processing failed",
            "failed": "",
            "cancelled": "",
            "released": "",
            "refunded": "completed",
        }
    ),
    "payment_sub": moves.to_any(PaymentSub),
    "escrow": moves.table(
        {
            "unfunded": "funded",
            "funded": "released refunded partially_released split unfunded",
            "partially_released": "released split",
            "released": "",
            "refunded": "funded",
            "split": "",
        }
    ),
    "order": moves.table(
        {
            "awaiting_deposit": "deposit_paid paid cancelled expired",
            "deposit_paid": "paid completed refunded",
            "paid": "completed refunded",
            "completed": "refunded",
            "refunded": "deposit_paid paid completed",
            "cancelled": "",
            "expired": "",
        }
    ),
    "operation": moves.table(
        {
            "prepared": "sent failed",
            "sent": "succeeded failed unknown",
            "unknown": "succeeded failed",
            "succeeded": "",
            "failed": "",
        }
    ),
    "inbound": moves.table(
        {
            "received": "processed no_effect ignored unmatched quarantined failed dead",
            "failed": "processed no_effect ignored unmatched quarantined dead",
            "unmatched": "processed no_effect ignored failed dead",
            "dead": "processed no_effect ignored unmatched",
            "quarantined": "processed no_effect ignored unmatched",
            "ignored": "processed no_effect",
            "no_effect": "processed",
            "processed": "",
        }
    ),
    "case": moves.table(
        {
            "open": "assigned resolved carried_forward",
            "assigned": "open resolved carried_forward",
            "carried_forward": "assigned resolved",
            "resolved": "open",
        }
    ),
    "approval": moves.table(
        {
            "pending": "approved refused expired cancelled",
            "approved": "executed",
            "executed": "",
            "refused": "",
            "expired": "",
            "cancelled": "",
        }
    ),
    "freeze": moves.table({"active": "lifted expired", "lifted": "", "expired": ""}),
    "refund": moves.table(
        {
            "pending_approval": "pending failed cancelled",
            "pending": "succeeded failed unknown cancelled",
            "unknown": "pending succeeded failed",
            "succeeded": "failed",
            "failed": "",
            "cancelled": "",
        }
    ),
    "card": moves.table({"active": "removing removed", "removing": "removed", "removed": ""}),
    "dispute": moves.to_any(Dispute),
    "case_rule": moves.table(
        {"draft": "enabled disabled", "enabled": "disabled", "disabled": "draft"}
    ),
    "secret_version": moves.table(
        {
            "pending": "active revoked",
            "active": "retiring retired revoked",
            "retiring": "active retired revoked",
            "retired": "active revoked",
            "revoked": "",
        }
    ),
    "mail": moves.table(
        {"pending": "failed sent dead", "failed": "sent dead", "sent": "", "dead": ""}
    ),
    "user": moves.table(
        {"active": "locked disabled", "locked": "active disabled", "disabled": "active"}
    ),
    **{kind: moves.table(rows) for kind, rows in book_states.MOVES.items()},
}


def assert_legal(kind: str, old: str, new: str) -> None:
    """Refuse a move that the table of `kind` does not have; staying put is legal.

    Raises: IllegalTransition
    """
    if old != new and new not in MOVES[kind][old]:
        raise IllegalTransition(kind, old, new)


OPEN_PAYMENT = frozenset({Payment.PENDING, Payment.PROCESSING})

MAPPING_VERSION = 1
_LIFECYCLE = {
    Payment.PENDING: Lifecycle.PENDING,
    Payment.PROCESSING: Lifecycle.PAID,
    Payment.COMPLETED: Lifecycle.CONFIRMED,
    Payment.FAILED: Lifecycle.FAILED,
    Payment.CANCELLED: Lifecycle.CANCELLED,
    Payment.RELEASED: Lifecycle.RELEASED,
    Payment.REFUNDED: Lifecycle.REFUNDED,
}


def lifecycle(status: str, failure_reason: str | None) -> Lifecycle:
    """Derive source 004's word from a payment's status under mapping version 1.

    Source: resolutions C1, C13 (failed with reason `expired` reads Expired)
    """
    if status == Payment.FAILED and failure_reason == "expired":
        return Lifecycle.EXPIRED
    return _LIFECYCLE[Payment(status)]


ORDER_ON_API = {
    Order.AWAITING_DEPOSIT: "AwaitingDeposit",
    Order.DEPOSIT_PAID: "DepositPaid",
    Order.PAID: "Paid",
    Order.COMPLETED: "Completed",
    Order.REFUNDED: "Refunded",
    Order.CANCELLED: "Cancelled",
    Order.EXPIRED: "Expired",
}

ESCROW_ON_API = {
    Escrow.UNFUNDED: "unfunded",
    Escrow.FUNDED: "funded",
    Escrow.PARTIALLY_RELEASED: "funded",
    Escrow.RELEASED: "released",
    Escrow.SPLIT: "released",
    Escrow.REFUNDED: "refunded",
}

ON_DESK: Mapping[str, Mapping[str, str]] = {
    "payment": {
        "pending": "Pending",
        "processing": "Paid, not final",
        "completed": "Confirmed",
        "failed": "Failed",
        "cancelled": "Cancelled",
        "released": "Released",
        "refunded": "Refunded",
        "expired": "Expired",
    },
    "order": {
        "awaiting_deposit": "Awaiting deposit",
        "deposit_paid": "Deposit paid",
        "paid": "Paid",
        "completed": "Completed",
        "refunded": "Refunded",
        "cancelled": "Cancelled",
        "expired": "Expired",
    },
}
