"""What erasing somebody would do: what stands in the way, what goes, what stays, why and until when. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from core.book_states import Invoice as InvoiceState
from core.disputes import CLOSED
from core.money import Money, asset
from core.states import OPEN_PAYMENT, Approval, Case, Refund
from core.states import Order as OrderState
from domain.books import accounts
from domain.people import legal_holds
from domain.secrets import person_keys
from models.audit import AuditRow
from models.base import Base
from models.cards import PaymentMethod
from models.cases import Attachment, ExceptionCase
from models.control import Approval as ApprovalRow
from models.disputes import Dispute
from models.inbound import InboundEvent
from models.invoices import Invoice
from models.ledger import AccountBalance, JournalEntry
from models.orders import Order
from models.payments import Payment
from models.people import DeskSession, User
from models.personal import PersonKey
from models.proofs import Mail, Notice
from models.refunds import Refund as RefundRow

_OPEN_REFUND = (Refund.PENDING_APPROVAL, Refund.PENDING, Refund.UNKNOWN)
_OPEN_CASE = (Case.OPEN, Case.ASSIGNED)
_OPEN_INVOICE = (InvoiceState.OPEN, InvoiceState.PENDING_PAYMENT, InvoiceState.PAID)
_OVER = (OrderState.COMPLETED, OrderState.REFUNDED, OrderState.CANCELLED, OrderState.EXPIRED)


@dataclass(frozen=True)
class Block:
    """One thing that stands in the way. code: stable; said: a sentence; href: where it is ended."""

    code: str
    said: str
    href: str | None = None


@dataclass(frozen=True)
class Line:
    """One kind of data. count None: it is there or not. why: and until when, of what stays."""

    name: str
    count: int | None = None
    why: str | None = None


@dataclass(frozen=True)
class Outlook:
    """All of it."""

    blocks: Sequence[Block]
    goes: Sequence[Line]
    stays: Sequence[Line]


def payments_of(user_id: str) -> ColumnElement[bool]:
    """Give the condition of the payments that somebody is a party of."""
    return or_(Payment.buyer_id == user_id, Payment.seller_id == user_id)


def _theirs(user_id: str) -> Select[str]:
    return select(Payment.id).where(payments_of(user_id))


def _count(session: Session, model: type[Base], *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def _said(count: int, one: str, more: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {more}"


def blocks(session: Session, user: User) -> list[Block]:
    """List what has to end first. Transaction: caller's, reads only."""
    return [
        *_of_money(session, user.id),
        *_of_work(session, user.id),
        *(
            Block(
                "LEGAL_HOLD",
                f"A legal hold stands on {each.object_kind} {each.object_id}.",
                "/retention",
            )
            for each in legal_holds.of_person(session, user.id)
        ),
    ]


def _of_money(session: Session, user_id: str) -> Iterator[Block]:
    payments = f"/payments?q={user_id}"
    theirs = _theirs(user_id)
    is_open = Payment.status.in_([each.value for each in OPEN_PAYMENT])
    if count := _count(session, Payment, payments_of(user_id), is_open):
        yield Block("PAYMENT_OPEN", f"{_said(count, 'payment is', 'payments are')} open.", payments)
    unended = RefundRow.state.in_([each.value for each in _OPEN_REFUND])
    if count := _count(session, RefundRow, RefundRow.payment_id.in_(theirs), unended):
        yield Block(
            "REFUND_OPEN", f"{_said(count, 'refund is', 'refunds are')} on the way.", "/refunds"
        )
    undecided = Dispute.status.not_in([each.value for each in CLOSED])
    if count := _count(session, Dispute, Dispute.payment_id.in_(theirs), undecided):
        yield Block(
            "DISPUTE_OPEN", f"{_said(count, 'dispute is', 'disputes are')} open.", "/disputes"
        )
    asks = (Invoice.status.in_([each.value for each in _OPEN_INVOICE]),)
    owed = Invoice.total_minor - Invoice.allowed_minor - Invoice.written_off_minor
    unpaid = or_(owed > Invoice.paid_minor, Invoice.confirmed_minor < Invoice.paid_minor)
    if count := _count(session, Invoice, Invoice.buyer_id == user_id, *asks, unpaid):
        said = f"{_said(count, 'invoice is', 'invoices are')} not paid; void or collect first."
        yield Block("INVOICE_UNPAID", said, "/invoices")
    yield from _of_wallet(session, user_id)


def _of_wallet(session: Session, user_id: str) -> Iterator[Block]:
    own = accounts.wallet(user_id)
    addresses = [own.address, accounts.reserved(own).address]
    statement = select(AccountBalance).where(
        AccountBalance.address.in_(addresses), AccountBalance.balance_minor != 0
    )
    for row in session.scalars(statement.order_by(AccountBalance.address, AccountBalance.asset)):
        held = Money(row.balance_minor, asset(row.asset))
        said = f"The wallet holds {held.major()} {held.asset.code}; give it back first."
        yield Block("WALLET_NOT_EMPTY", said, f"/users/{user_id}/wallet")


def _of_work(session: Session, user_id: str) -> Iterator[Block]:
    theirs = _theirs(user_id)
    waits = ApprovalRow.state == Approval.PENDING.value
    about = or_(
        ApprovalRow.object_id == user_id,
        ApprovalRow.requested_by == user_id,
        ApprovalRow.payment_id.in_(theirs),
    )
    if count := _count(session, ApprovalRow, waits, about):
        said = f"{_said(count, 'approval waits', 'approvals wait')} for a decision."
        yield Block("APPROVAL_PENDING", said, "/approvals")
    is_open = ExceptionCase.state.in_([each.value for each in _OPEN_CASE])
    about = or_(ExceptionCase.payment_id.in_(theirs), ExceptionCase.owner_id == user_id)
    if count := _count(session, ExceptionCase, is_open, about):
        yield Block("CASE_OPEN", f"{_said(count, 'case is', 'cases are')} open.", "/exceptions")


def look(session: Session, user: User) -> Outlook:
    """Say all that erasing somebody would do. Transaction: caller's, reads only."""
    found = [line for line in _goes(session, user) if line.count != 0]
    stays = [line for line in _stays(session, user) if line.count != 0]
    return Outlook(blocks(session, user), found, stays)


def _goes(session: Session, user: User) -> list[Line]:
    theirs = _theirs(user.id)
    has_body = InboundEvent.body_sealed.is_not(None)
    files = (Attachment.object_id.in_(theirs), Attachment.sealed.is_not(None))
    evidence = (Dispute.payment_id.in_(theirs), Dispute.evidence_sealed.is_not(None))
    return [
        Line("Name and e-mail address"),
        Line("Password, codes and passkeys"),
        Line(
            "Sign-ins and tokens, with addresses",
            _count(session, DeskSession, DeskSession.user_id == user.id),
        ),
        Line("Letters to them", _count(session, Mail, Mail.user_id == user.id)),
        Line("Notices to them", _count(session, Notice, Notice.user_id == user.id)),
        Line(
            "Kept cards, at the provider too",
            _count(
                session,
                PaymentMethod,
                PaymentMethod.user_id == user.id,
                PaymentMethod.state == "active",
            ),
        ),
        Line("Evidence written about them", _count(session, Dispute, *evidence)),
        Line("Files put to their payments", _count(session, Attachment, *files)),
        Line(
            "What providers told of their payments",
            _count(session, InboundEvent, InboundEvent.payment_id.in_(theirs), has_body),
        ),
    ]


def _stays(session: Session, user: User) -> list[Line]:
    theirs = _theirs(user.id)
    years = select(PersonKey.year).where(
        PersonKey.user_id == user.id,
        PersonKey.purpose == person_keys.BOOKS,
        PersonKey.destroyed_at.is_(None),
    )
    found = [
        _of_year(session, user.id, year) for year in session.scalars(years.order_by(PersonKey.year))
    ]
    going_on = _count(
        session,
        Order,
        Order.buyer_id == user.id,
        Order.status.not_in([each.value for each in _OVER]),
    )
    return [
        *found,
        Line(
            "Payments, without a name",
            _count(session, Payment, payments_of(user.id)),
            "Records of money: amounts, states, the provider's names. They name usr_ ids only.",
        ),
        Line(
            "Orders that go on",
            going_on,
            "Their money is held or on its way; they end without their buyer's name.",
        ),
        Line(
            "Entries of the journal",
            _count(session, JournalEntry, JournalEntry.payment_id.in_(theirs)),
            "Part of the chain; amounts and ids only.",
        ),
        Line(
            "Entries of the audit log",
            _count(
                session, AuditRow, or_(AuditRow.actor == user.id, AuditRow.object_id == user.id)
            ),
            "Part of the chain: who did what, by id, and from which network address. No name, no e-mail.",
        ),
    ]


def _of_year(session: Session, user_id: str, year: int) -> Line:
    count = _count(
        session,
        Invoice,
        Invoice.buyer_id == user_id,
        Invoice.issued_on.between(*person_keys.year_of(year)),
    )
    until = person_keys.kept_until(year)
    why = (
        f"Tax law keeps invoices until {until.isoformat()} (GDPR article 17(3)(b)). Until then finance, auditors, "
        "admins and the merchant read them; then their key is destroyed."
    )
    return Line(f"What invoices of {year} say of them", count or None, why)
