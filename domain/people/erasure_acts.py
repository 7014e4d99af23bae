"""What erasing somebody does to the rows about them, each step by itself; `erasure.py` decides and calls them all."""

from __future__ import annotations

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session

from core import clock
from core.states import Card, Inbound, Person
from core.strictjson import Json
from domain.invoices import content, sheets
from domain.payments import vault
from domain.people import people, sessions
from domain.secrets import keyring, person_keys
from domain.transitions import Why, move
from models.cards import PaymentMethod
from models.cases import Attachment, ExceptionCase
from models.disputes import Dispute
from models.idempotency import IdempotencyKey
from models.inbound import InboundEvent
from models.invoices import Invoice
from models.payments import Payment
from models.people import DeskSession, User
from models.personal import DataExport
from models.proofs import AccountLink, Challenge, Mail, Notice, Passkey

_WHY_FILE = "The person was erased."
_NAMELESS = "erased"
# What has still to be applied keeps its body.
_APPLIED = tuple(each.value for each in (Inbound.PROCESSED, Inbound.NO_EFFECT, Inbound.IGNORED))


def settle_books(session: Session, user: User) -> None:
    """Write down what invoices from before there were sheets say of a buyer, while it is still known.

    Writes: invoices, person_keys. Transaction: caller's.
    """
    plain = select(Invoice).where(Invoice.buyer_id == user.id, Invoice.sealed.is_(None))
    for invoice in session.scalars(plain.order_by(Invoice.id)):
        whose = person_keys.books_of(user.id, invoice.issued_on)
        place = f"invoices|sealed|{invoice.id}"
        invoice.sealed = sheets.seal(session, content.sheet_of(session, invoice), whose, place)
    session.flush()


def end_access(session: Session, user: User, *, why: Why) -> None:
    """End every session and token, and let go of every kept card, at the provider too.

    Writes: desk_sessions, revoked_tokens, payment_methods, event_log, audit_log.
    Emits: session.revoked. Raises: Conflict METHOD_IN_USE. Transaction: caller's.
    """
    sessions.end_all(session, user.id, actor=why.actor)
    statement = select(PaymentMethod).where(
        PaymentMethod.user_id == user.id, PaymentMethod.state == Card.ACTIVE.value
    )
    for card in session.scalars(statement.order_by(PaymentMethod.id)).all():
        vault.remove(session, card, why=why)


def _paid_by(user_id: str) -> Select[str]:
    return select(Payment.id).where(Payment.buyer_id == user_id)


def drop(session: Session, user: User, *, by: str) -> dict[str, Json]:
    """Delete or empty whatever holds something of theirs. Gives how many rows of what people ask about.

    Writes: passkeys, challenges, account_links, notices, mails, idempotency_keys, desk_sessions,
    inbound_events, payments, disputes, data_exports, attachments. Transaction: caller's.
    """
    found: dict[str, Json] = {}
    for model in (Passkey, Challenge, AccountLink, Notice, Mail):
        gone = delete(model).where(model.user_id == user.id).returning(model.id)
        found[model.__tablename__] = len(session.execute(gone).all())
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.principal == user.id))
    nowhere: dict[str, object] = {"address": None, "browser": None}
    session.execute(update(DeskSession).where(DeskSession.user_id == user.id).values(nowhere))
    found["inbound_bodies"] = _drop_bodies(session, user.id)
    paid = _paid_by(user.id)
    for statement in (
        update(Payment).where(Payment.buyer_id == user.id).values(client_secret_sealed=None),
        update(Dispute).where(Dispute.payment_id.in_(paid)).values(evidence_sealed=None),
        update(DataExport)
        .where(DataExport.user_id == user.id, DataExport.open_key.is_not(None))
        .values(state="expired", sealed=None, open_key=None, due_at=None),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    found["attachments"] = _drop_files(session, user.id, by=by)
    return found


def _drop_bodies(session: Session, user_id: str) -> int:
    statement = (
        update(InboundEvent)
        .where(
            InboundEvent.payment_id.in_(_paid_by(user_id)),
            InboundEvent.body_sealed.is_not(None),
            InboundEvent.state.in_(_APPLIED),
        )
        .values(body_sealed=None)
        .returning(InboundEvent.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.execute(statement).all())


def _drop_files(session: Session, user_id: str, *, by: str) -> int:
    """Remove the files that staff put to their payments, disputes and cases; rows and hashes stay."""
    paid = _paid_by(user_id)
    disputes = select(Dispute.id).where(Dispute.payment_id.in_(paid))
    cases = select(ExceptionCase.id).where(ExceptionCase.payment_id.in_(paid))
    about = (
        Attachment.object_id.in_(paid),
        Attachment.object_id.in_(disputes),
        Attachment.object_id.in_(cases),
    )
    statement = (
        update(Attachment)
        .where(or_(*about), Attachment.removed_at.is_(None))
        .values(
            sealed=None,
            live_key=None,
            name=_NAMELESS,
            removed_at=clock.now(),
            removed_by=by,
            removed_reason=_WHY_FILE,
        )
        .returning(Attachment.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.execute(statement).all())


def empty(session: Session, user: User, *, why: Why) -> None:
    """Leave of the account its id, role and states: no name, no address, nothing to come in with.

    The address may sign up anew; neither it nor the person is found by it any more.
    Writes: users, state_changes. Transaction: caller's, with the person locked.
    """
    if user.state != Person.DISABLED:
        move(session, "user", user, to=Person.DISABLED.value, why=why)
    place = f"users|email|{user.id}"
    user.email_sealed = keyring.seal_text("", purpose="email", place=place)
    user.email_index = user.person_index = f"erased:{user.id}"
    user.name = people.ERASED
    user.password_hash = user.password_set_at = None
    user.totp_sealed = user.totp_pending_sealed = None
    user.totp_last_counter = user.totp_confirmed_at = None
    user.notify, user.theme, user.seen_at = {}, None, None
    user.erased_at = clock.now()
    session.flush()
