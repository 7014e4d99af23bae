"""Lists of payments at any size: the search box resolved by index first, pages by keyset; reading only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, false, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from core.errors import NotFound
from domain.actors import Actor
from domain.orders.order_queries import minors_of, orders_with_reference
from domain.payments.payments import LONGEST_PAGE, Page, PaymentFilter, conditions_of
from domain.secrets import keyring
from models.inbound import InboundEvent
from models.payments import Payment, PaymentNote, ProviderReference
from models.people import User
from providers import registry

# A name borne by more payments than this is no name.
MOST_NAMED = 1000

Source = Select[str] | Select[str | None]


def named(text: str) -> Select[str]:
    """Find payments by what any provider calls them; the key begins with the provider's name."""
    return select(ProviderReference.payment_id).where(
        ProviderReference.provider.in_(sorted(registry.PROVIDERS)),
        ProviderReference.reference == text,
    )


def _sources(text: str, actor: Actor) -> Iterable[Source]:
    """Give one indexed query per kind of name that a payment may be known by."""
    payments = select(Payment.id)
    yield payments.where(Payment.id == text)
    yield payments.where(Payment.public_id == text)
    yield payments.where(Payment.reference == text)
    yield payments.where(Payment.subscription_ref == text)
    yield payments.where(Payment.provider_reference == text)
    yield payments.where(Payment.order_id == text)
    yield payments.where(Payment.order_id.in_(orders_with_reference(text)))
    yield named(text)
    if text.startswith("evt_"):
        yield select(InboundEvent.payment_id).where(InboundEvent.provider_event_id == text)
    if text.startswith("not_"):
        yield select(PaymentNote.payment_id).where(PaymentNote.id == text)
    if "@" in text and actor.is_staff:
        index = keyring.vault().blind_index(text, purpose="email")
        people = select(User.id).where(User.email_index == index)
        yield payments.where(Payment.buyer_id.in_(people))


def matching(session: Session, text: str, *, actor: Actor) -> ColumnElement[bool]:
    """Turn the search box's text into a condition: ids, references, e-mail (staff), amount.

    Each kind of name is looked up by its own index first, so that no list is scanned.
    Transaction: caller's, reads only.
    """
    text = text.strip()
    every = union_all(*_sources(text, actor)).limit(MOST_NAMED)
    found = sorted({str(row[0]) for row in session.execute(every) if row[0]})
    parts: list[ColumnElement[bool]] = [Payment.id.in_(found)] if found else []
    if minors := minors_of(text):
        parts.append(_amount(session, minors))
    return or_(*parts) if parts else false()


def _amount(session: Session, minors: Sequence[int]) -> ColumnElement[bool]:
    """Choose how to find an amount: a rare one by its index, a common one by walking the list."""
    few = select(Payment.id).where(Payment.amount_minor.in_(minors)).limit(MOST_NAMED + 1)
    found = list(session.scalars(few))
    if len(found) <= MOST_NAMED:
        return Payment.id.in_(found)
    # Left to the index, SQLite would sort every payment of this amount for one page of them.
    return (Payment.amount_minor + 0).in_(minors)


def list_payments(
    session: Session, wanted: PaymentFilter, *, actor: Actor, page: Page
) -> tuple[list[Payment], tuple[datetime, str] | None]:
    """List payments, newest first, with where the next page begins.

    Transaction: caller's, reads only.
    """
    conditions = conditions_of(replace(wanted, q=None), actor=actor)
    if wanted.q and wanted.q.strip():
        conditions.append(matching(session, wanted.q, actor=actor))
    if page.before:
        conditions.append(tuple_(Payment.created_at, Payment.id) < page.before)
    limit = min(page.limit, LONGEST_PAGE)
    newest = (Payment.created_at.desc(), Payment.id.desc())
    statement = select(Payment).where(*conditions).order_by(*newest)
    rows = list(session.scalars(statement.limit(limit + 1)))
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (more.created_at, more.id) if more else None


def get_note(session: Session, note_id: str) -> PaymentNote:
    """Fetch a note; whoever may see its payment may see it.

    Raises: NotFound
    """
    note = session.get(PaymentNote, note_id)
    if note is None:
        raise NotFound
    return note
