"""For how long what is kept about people is kept, and why: one table of rules, each with what is due and how it goes.

A rule drops a batch at a time; what a legal hold covers, and what still has work to do, is never due.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from config import Settings
from core import clock
from core.retention import Retention
from core.states import OPEN_PAYMENT, Inbound, Mail
from domain import calendar
from domain.people import legal_holds
from domain.secrets import person_keys
from models.base import Base
from models.inbound import InboundEvent
from models.payments import Payment
from models.people import DeskSession, SignInAttempt, User
from models.personal import DataExport, LegalHold, PersonKey
from models.proofs import Mail as MailRow
from models.proofs import Notice
from models.statements import BankLine

BATCH = 500
_ATTEMPT_DAYS = 1
_BY = "system:retention"
_terms: list[Retention] = [Retention()]


def configure(settings: Settings) -> None:
    """Take from the settings for how long things are kept."""
    _terms[:] = [settings.retention]


def terms() -> Retention:
    """Give for how long things are kept on this installation."""
    return _terms[0]


@dataclass(frozen=True)
class Rule:
    """One kind of data. keeps: for how long, in words; why: in a sentence; setting: what changes it.

    due: the condition of the rows that may go; name, a word, stays for ever.
    """

    name: str
    label: str
    keeps: Callable[[Retention], str]
    why: str
    setting: str | None
    model: type[Base]
    due: Callable[[], ColumnElement[bool]]
    held: Callable[[], ColumnElement[bool]]
    drop: Callable[[Session, int], int]


def _before(days: int) -> datetime:
    return clock.now() - timedelta(days=days)


def _key(model: type[Base]) -> InstrumentedAttribute[str]:
    found: InstrumentedAttribute[str] = model.id  # type: ignore[attr-defined]
    return found


def _some(model: type[Base], due: ColumnElement[bool], limit: int) -> ColumnElement[bool]:
    """Choose a batch. Whoever comes second finds its rows dropped, by the condition that is asked again."""
    key = _key(model)
    chosen = select(key).where(due).order_by(key).limit(limit)
    return and_(key.in_(chosen), due)


def _deleting(
    model: type[Base], due: Callable[[], ColumnElement[bool]]
) -> Callable[[Session, int], int]:
    def drop(session: Session, limit: int) -> int:
        statement = delete(model).where(_some(model, due(), limit)).returning(_key(model))
        options = {"synchronize_session": False}
        return len(session.execute(statement, execution_options=options).all())

    return drop


def _emptying(
    model: type[Base], values: dict[str, object], due: Callable[[], ColumnElement[bool]]
) -> Callable[[Session, int], int]:
    def drop(session: Session, limit: int) -> int:
        chosen = _some(model, due(), limit)
        statement = update(model).where(chosen).values(values).returning(_key(model))
        options = {"synchronize_session": False}
        return len(session.execute(statement, execution_options=options).all())

    return drop


_APPLIED = tuple(
    each.value
    for each in (
        Inbound.PROCESSED,
        Inbound.NO_EFFECT,
        Inbound.IGNORED,
        Inbound.QUARANTINED,
        Inbound.DEAD,
    )
)


def _bodies_old() -> ColumnElement[bool]:
    return and_(
        InboundEvent.received_at < _before(terms().inbound_days),
        InboundEvent.body_sealed.is_not(None),
        InboundEvent.state.in_(_APPLIED),
    )


def _bodies() -> ColumnElement[bool]:
    return and_(_bodies_old(), legal_holds.frees_payment(InboundEvent.payment_id))


def _client_secrets_old() -> ColumnElement[bool]:
    return and_(
        Payment.created_at < _before(terms().payment_days),
        Payment.client_secret_sealed.is_not(None),
        Payment.status.not_in([each.value for each in OPEN_PAYMENT]),
    )


def _client_secrets() -> ColumnElement[bool]:
    return and_(_client_secrets_old(), legal_holds.frees_payment(Payment.id))


def _letters_old() -> ColumnElement[bool]:
    ended = MailRow.state.in_((Mail.SENT.value, Mail.DEAD.value))
    return and_(MailRow.created_at < _before(terms().mail_days), ended)


def _letters() -> ColumnElement[bool]:
    return and_(_letters_old(), legal_holds.frees_user(MailRow.user_id))


def _notices_old() -> ColumnElement[bool]:
    return Notice.told_at < _before(terms().mail_days)


def _notices() -> ColumnElement[bool]:
    return and_(_notices_old(), legal_holds.frees_user(Notice.user_id))


def _sessions_old() -> ColumnElement[bool]:
    return DeskSession.created_at < _before(terms().session_days)


def _sessions() -> ColumnElement[bool]:
    return and_(_sessions_old(), legal_holds.frees_user(DeskSession.user_id))


def _attempts() -> ColumnElement[bool]:
    return SignInAttempt.at < _before(_ATTEMPT_DAYS)


def _exports() -> ColumnElement[bool]:
    return and_(DataExport.state == "ready", DataExport.expires_at <= clock.now())


def _books_old() -> ColumnElement[bool]:
    return and_(
        PersonKey.purpose == person_keys.BOOKS,
        PersonKey.key_sealed.is_not(None),
        PersonKey.year <= person_keys.last_year_over(calendar.today()),
    )


def _books() -> ColumnElement[bool]:
    theirs = or_(Payment.buyer_id == PersonKey.user_id, Payment.seller_id == PersonKey.user_id)
    on_payment = (
        select(LegalHold.id)
        .join(Payment, LegalHold.object_id == Payment.id)
        .where(LegalHold.open_key.is_not(None), theirs)
    )
    return and_(_books_old(), legal_holds.frees_user(PersonKey.user_id), ~on_payment.exists())


def _destroy_books(session: Session, limit: int) -> int:
    statement = select(PersonKey).where(_books()).order_by(PersonKey.id).limit(limit)
    rows = session.scalars(statement.with_for_update(skip_locked=True)).all()
    for row in rows:
        why = f"the books of {row.year} were kept until {person_keys.kept_until(row.year)}"
        person_keys.destroy(session, row, by=_BY, why=why)
    return len(rows)


def _others_old() -> ColumnElement[bool]:
    last = person_keys.year_of(person_keys.last_year_over(calendar.today()))[1]
    return and_(BankLine.counterparty_sealed.is_not(None), BankLine.booked_on <= last)


def _others() -> ColumnElement[bool]:
    return and_(_others_old(), legal_holds.frees_payment(BankLine.payment_id))


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


RULES: Sequence[Rule] = (
    Rule(
        "inbound_bodies",
        "What providers told us, word by word",
        lambda found: _days(found.inbound_days),
        "To apply an event again. Its row, checksum and effects stay; what still waits to be applied keeps its body.",
        "INBOUND_RETENTION_DAYS",
        InboundEvent,
        _bodies,
        _bodies_old,
        _emptying(InboundEvent, {"body_sealed": None}, _bodies),
    ),
    Rule(
        "client_secrets",
        "Secrets with which a browser pays",
        lambda found: _days(found.payment_days),
        "Of payments that have ended nobody needs them.",
        "PAYMENT_RETENTION_DAYS",
        Payment,
        _client_secrets,
        _client_secrets_old,
        _emptying(Payment, {"client_secret_sealed": None}, _client_secrets),
    ),
    Rule(
        "mails",
        "Letters that left, or never will",
        lambda found: _days(found.mail_days),
        "To answer whether somebody was written to. What a letter said goes the moment it has left.",
        "MAIL_RETENTION_DAYS",
        MailRow,
        _letters,
        _letters_old,
        _deleting(MailRow, _letters),
    ),
    Rule(
        "notices",
        "Notices to staff",
        lambda found: _days(found.mail_days),
        "Told once; nobody reads them again.",
        "MAIL_RETENTION_DAYS",
        Notice,
        _notices,
        _notices_old,
        _deleting(Notice, _notices),
    ),
    Rule(
        "sessions",
        "Sign-ins and tokens, with address and browser",
        lambda found: _days(found.session_days),
        "To see who was signed in from where. No session and no token lives longer.",
        "SESSION_RETENTION_DAYS",
        DeskSession,
        _sessions,
        _sessions_old,
        _deleting(DeskSession, _sessions),
    ),
    Rule(
        "sign_in_attempts",
        "Refused sign-ins",
        lambda _: _days(_ATTEMPT_DAYS),
        "To slow down who guesses. They name nobody in the clear.",
        None,
        SignInAttempt,
        _attempts,
        _attempts,
        _deleting(SignInAttempt, _attempts),
    ),
    Rule(
        "exports",
        "Copies of their data that people asked for",
        lambda found: _days(found.export_days),
        "To be fetched; a new one can be asked for at any time.",
        "EXPORT_RETENTION_DAYS",
        DataExport,
        _exports,
        _exports,
        _emptying(DataExport, {"state": "expired", "sealed": None, "open_key": None}, _exports),
    ),
    Rule(
        "bank_others",
        "Who stood on the other side of our bank lines",
        lambda found: f"{found.invoice_years} years from the end of the year",
        "Statements belong to the books. What the bank booked stays, whose account it was goes.",
        "INVOICE_RETENTION_YEARS",
        BankLine,
        _others,
        _others_old,
        _emptying(BankLine, {"counterparty_sealed": None}, _others),
    ),
    Rule(
        "books_keys",
        "Keys to what invoices of a year say of their buyers",
        lambda found: f"{found.invoice_years} years from the end of the year",
        "Tax law asks for invoices that long, and the purpose ends with it (GDPR articles 5(1)(e) and 17(3)(b)).",
        "INVOICE_RETENTION_YEARS",
        PersonKey,
        _books,
        _books_old,
        _destroy_books,
    ),
)


@dataclass(frozen=True)
class Standing:
    """How one rule stands now. due: rows that the next run drops; on_hold: rows a legal hold keeps."""

    rule: Rule
    due: int
    on_hold: int


def standing(session: Session) -> list[Standing]:
    """Count what is due and what is on hold, of every rule. Transaction: caller's, reads only."""
    found = []
    for rule in RULES:
        due = _count(session, rule.model, rule.due())
        found.append(Standing(rule, due, _count(session, rule.model, rule.held()) - due))
    return found


def _count(session: Session, model: type[Base], condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(model).where(condition)) or 0


def erased_count(session: Session) -> int:
    """Count the people who were erased. Transaction: caller's, reads only."""
    return _count(session, User, User.erased_at.is_not(None))
