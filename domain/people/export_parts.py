"""What a copy of somebody's data is made of: each file, what its fields mean, and its rows, read as they are written.

Nobody else's data is in it: of an order's other side, of who acted at the desk, nothing is said but the role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from core.disputes import CLOSED
from core.money import Money, asset
from core.strictjson import Json
from domain.books import accounts
from domain.disputes import evidence
from domain.people import people
from models.audit import AuditRow
from models.cards import PaymentMethod
from models.disputes import Dispute
from models.invoices import Invoice
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment
from models.people import DeskSession, User
from models.proofs import Mail, Notice, Passkey
from models.refunds import Refund

Row = Mapping[str, Json]
CHUNK = 500
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One file. means: each field in plain words; rows: reads them, few at a time."""

    name: str
    title: str
    means: Mapping[str, str]
    rows: Callable[[Session, User], Iterator[Row]]


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _money(minor: int, name: str) -> str:
    money = Money(minor, asset(name))
    return f"{money.major()} {money.asset.code}"


def _read(session: Session, statement: Select[T]) -> Iterator[T]:
    return iter(session.scalars(statement.execution_options(yield_per=CHUNK)))


def _account(session: Session, user: User) -> Iterator[Row]:
    keys = session.scalars(select(Passkey).where(Passkey.user_id == user.id))
    yield {
        "userId": user.id,
        "email": people.email_of(user),
        "name": user.name,
        "role": user.role,
        "verification": user.kyc,
        "state": user.state,
        "createdAt": _at(user.created_at),
        "lastSeenAt": _at(user.seen_at),
        "passwordSetAt": _at(user.password_set_at),
        "codesFromAnAppSince": _at(user.totp_confirmed_at),
        "passkeys": [{"name": key.name, "createdAt": _at(key.created_at)} for key in keys],
        "notices": dict(user.notify or {}),
        "askedToBeErasedAt": _at(user.erasure_asked_at),
    }


def _sessions(session: Session, user: User) -> Iterator[Row]:
    for row in _read(session, select(DeskSession).where(DeskSession.user_id == user.id)):
        yield {
            "startedAt": _at(row.created_at),
            "lastSeenAt": _at(row.seen_at),
            "endedAt": _at(row.ended_at),
            "address": row.address,
            "browser": row.browser,
        }


def _orders(session: Session, user: User) -> Iterator[Row]:
    theirs = or_(Order.buyer_id == user.id, Order.seller_id == user.id)
    for row in _read(session, select(Order).where(theirs).order_by(Order.created_at)):
        is_buyer = row.buyer_id == user.id
        yield {
            "orderId": row.id,
            "you": "buyer" if is_buyer else "seller",
            "description": row.description,
            "state": row.status,
            "total": _money(row.total_minor, row.asset),
            "paid": _money(row.paid_minor, row.asset),
            # What the merchant notes beside an order is about its buyer, if about anybody.
            "notedByTheMerchant": dict(row.meta or {}) if is_buyer else None,
            "createdAt": _at(row.created_at),
        }


def _payments(session: Session, user: User) -> Iterator[Row]:
    theirs = or_(Payment.buyer_id == user.id, Payment.seller_id == user.id)
    for row in _read(session, select(Payment).where(theirs).order_by(Payment.created_at)):
        is_buyer = row.buyer_id == user.id
        yield {
            "paymentId": row.id,
            "you": "payer" if is_buyer else "seller",
            "orderId": row.order_id,
            "purpose": row.purpose,
            "state": row.status,
            "amount": _money(row.amount_minor, row.asset),
            "received": _money(row.received_minor, row.asset),
            "refunded": _money(row.refunded_minor, row.asset),
            "rail": row.rail,
            "cardBrand": row.card_brand if is_buyer else None,
            "cardLastDigits": row.card_last4 if is_buyer else None,
            "createdAt": _at(row.created_at),
        }


def _paid_by(user: User) -> Select[str]:
    return select(Payment.id).where(Payment.buyer_id == user.id)


def _refunds(session: Session, user: User) -> Iterator[Row]:
    statement = select(Refund).where(Refund.payment_id.in_(_paid_by(user)))
    for row in _read(session, statement.order_by(Refund.created_at)):
        yield {
            "refundId": row.id,
            "paymentId": row.payment_id,
            "amount": _money(row.amount_minor, row.asset),
            "state": row.state,
            "reason": row.reason,
            "createdAt": _at(row.created_at),
        }


def _disputes(session: Session, user: User) -> Iterator[Row]:
    statement = select(Dispute).where(Dispute.payment_id.in_(_paid_by(user)))
    for row in _read(session, statement.order_by(Dispute.created_at)):
        is_over = row.status in {each.value for each in CLOSED}
        written: dict[str, Json] = dict(evidence.open_draft(row).texts) if is_over else {}
        yield {
            "disputeId": row.id,
            "paymentId": row.payment_id,
            "amount": _money(row.amount_minor, row.asset),
            "state": row.status,
            "reason": row.reason,
            "writtenAboutIt": {name: text for name, text in written.items() if text},
            "openedAt": _at(row.opened_at),
        }


def _wallet(session: Session, user: User) -> Iterator[Row]:
    statement = (
        select(Posting, JournalEntry)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(Posting.address == accounts.wallet(user.id).address)
        .order_by(JournalEntry.id, Posting.line)
        .execution_options(yield_per=CHUNK)
    )
    for line, entry in session.execute(statement):
        yield {
            "entryId": entry.id,
            "kind": entry.kind,
            "amount": _money(-line.amount_minor, line.asset),
            "paymentId": entry.payment_id,
            "at": _at(entry.effective_at),
        }


def _cards(session: Session, user: User) -> Iterator[Row]:
    for row in _read(session, select(PaymentMethod).where(PaymentMethod.user_id == user.id)):
        yield {
            "brand": row.brand,
            "lastDigits": row.last4,
            "expires": f"{row.exp_month}/{row.exp_year}" if row.exp_month else None,
            "state": row.state,
            "keptBy": row.provider,
            "since": _at(row.created_at),
        }


def _letters(session: Session, user: User) -> Iterator[Row]:
    statement = select(Mail).where(Mail.user_id == user.id).order_by(Mail.created_at)
    for row in _read(session, statement):
        yield {
            "subject": row.subject,
            "kind": row.kind,
            "state": row.state,
            "writtenAt": _at(row.created_at),
            "sentAt": _at(row.sent_at),
        }


def _notices(session: Session, user: User) -> Iterator[Row]:
    for row in _read(session, select(Notice).where(Notice.user_id == user.id)):
        yield {"kind": row.kind, "at": _at(row.at), "toldAt": _at(row.told_at)}


def _invoices(session: Session, user: User) -> Iterator[Row]:
    for row in _read(session, invoices_of(user)):
        yield {
            "invoiceId": row.id,
            "number": row.number,
            "orderId": row.order_id,
            "state": row.status,
            "total": _money(row.total_minor, row.asset),
            "issuedOn": _day(row.issued_on),
        }


def invoices_of(user: User) -> Select[Invoice]:
    """Choose the invoices that bill somebody, oldest first."""
    own = select(Invoice).where(Invoice.buyer_id == user.id)
    return own.order_by(Invoice.created_at, Invoice.id)


def _audit(session: Session, user: User) -> Iterator[Row]:
    about = or_(AuditRow.actor == user.id, AuditRow.object_id == user.id)
    for row in _read(session, select(AuditRow).where(about).order_by(AuditRow.at)):
        is_own = row.actor == user.id
        yield {
            "at": _at(row.at),
            "what": row.action,
            "by": "you" if is_own else row.role,
            "about": row.object_kind,
            "id": row.object_id,
            "address": row.address if is_own else None,
            "refused": row.refused,
        }


_ID, _SUM = "our name for it", "in major units, with its currency"
PARTS: Sequence[Part] = (
    Part(
        "account",
        "Who you are to us",
        {
            "verification": "whether we checked who you are",
            "notices": "which mails you switched on or off",
        },
        _account,
    ),
    Part(
        "sessions",
        "Where you were signed in",
        {"address": "the network address", "browser": "what your browser said of itself"},
        _sessions,
    ),
    Part(
        "orders",
        "Orders that you bought or sold",
        {
            "orderId": _ID,
            "you": "which side you were",
            "total": _SUM,
            "notedByTheMerchant": "what the merchant's system noted beside it",
        },
        _orders,
    ),
    Part(
        "payments",
        "Payments of these orders, and others of yours",
        {"paymentId": _ID, "amount": _SUM, "rail": "how the money came"},
        _payments,
    ),
    Part(
        "refunds",
        "Money that went back to you",
        {"refundId": _ID, "reason": "what was given as the reason"},
        _refunds,
    ),
    Part(
        "disputes",
        "Payments that your bank took back",
        {"writtenAboutIt": "what was answered to your bank, once it is over"},
        _disputes,
    ),
    Part(
        "wallet",
        "Movements of your wallet",
        {"entryId": _ID, "amount": "what came in; what went out is below zero"},
        _wallet,
    ),
    Part(
        "cards",
        "Cards that are kept for you",
        {"keptBy": "who keeps it; we never have its number"},
        _cards,
    ),
    Part(
        "letters",
        "Mails we wrote to you",
        {"subject": "what it was called; what it said is deleted once it has left"},
        _letters,
    ),
    Part("notices", "Notices of the desk to you", {"kind": "what it told of"}, _notices),
    Part("invoices", "Invoices to you", {"number": "as printed on it", "total": _SUM}, _invoices),
    Part(
        "audit",
        "What you did, and what was done about you",
        {"by": "you, or in which role somebody else was", "address": "from where you did it"},
        _audit,
    ),
)
