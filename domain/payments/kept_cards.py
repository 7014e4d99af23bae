"""Cards that people keep with a provider: who it knows them as, which cards are theirs, whose may be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound, invalid
from core.states import Role
from domain import database
from domain.actors import Actor
from models.cards import PaymentMethod, ProviderCustomer
from models.payments import Payment
from models.people import User
from providers import registry

ACTIVE, REMOVED = "active", "removed"


def payer_of(session: Session, user_id: str | None, *, actor: Actor) -> str:
    """Say for whom somebody acts: buyers for themselves, merchants and staff for the buyer they name.

    Raises: InvalidInput when nobody is named, NotFound for anybody else. Transaction: caller's.
    """
    own = actor.id if actor.kind == "user" and not actor.is_staff else None
    if user_id in (None, own):
        if own is None:
            raise invalid("userId", "Name the person whose cards are meant.", code="required")
        return own
    user = session.get(User, user_id)
    is_buyer = user is not None and user.role == Role.BUYER
    if actor.role == Role.BUYER or user is None or not is_buyer:
        raise NotFound
    if user.state != "active" and not actor.is_staff:
        raise NotFound
    return user.id


def customer_of(session: Session, user_id: str, provider: str, livemode: bool) -> str | None:
    """Give the provider's name of a person, None when it does not know them yet."""
    row = session.get(ProviderCustomer, (user_id, provider, livemode))
    return row.reference if row is not None else None


@dataclass(frozen=True)
class Attempt:
    """Which try this is of what a customer is needed for, from 0, and when the first one began."""

    no: int
    since: datetime


def ensure_customer(
    user_id: str,
    provider: str,
    *,
    livemode: bool,
    demo: bool = False,
    attempt: Attempt | None = None,
) -> str:
    """Give the provider's name of a person, and make them known there once.

    The key of the call is the same for everybody who asks at the same time or after a crash, so the
    provider makes one customer; whoever comes second reads the row of the first. A provider may answer
    the same key with the same failure for a day, so a later attempt looks for what an earlier one made and
    then asks under a key of its own.
    Source: https://docs.stripe.com/api/idempotent_requests
    Writes: provider_customers. Calls: the provider, with no transaction open. Raises: the provider errors.
    Transaction: opens its own.
    """
    with database.reading() as session:
        if (known := customer_of(session, user_id, provider, livemode)) is not None:
            return known
    rail = registry.configured(provider, livemode=livemode)
    key = f"customer:{user_id}:{'live' if livemode else 'test'}"
    reference = None
    if attempt is not None and attempt.no:
        key += f":{attempt.no}:{int(attempt.since.timestamp())}"
        reference = rail.find_customer(user_id, since=attempt.since)
    if reference is None:
        reference = rail.create_customer(user_id, key=key, demo=demo)
    with database.transaction() as session:
        return remember_customer(session, user_id, provider, reference, livemode=livemode)


def remember_customer(
    session: Session, user_id: str, provider: str, reference: str, *, livemode: bool
) -> str:
    """Keep the provider's name of a person unless there is one already. Gives the one that is kept.

    Writes: provider_customers. Transaction: caller's.
    """
    values = {
        "user_id": user_id,
        "provider": provider,
        "livemode": livemode,
        "reference": reference,
        "created_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    session.execute(dialect.insert(ProviderCustomer).values(values).on_conflict_do_nothing())
    return customer_of(session, user_id, provider, livemode) or reference


def visible(user_id: str, actor: Actor | None) -> list[ColumnElement[bool]]:
    """Say which of a person's cards somebody may know of: a merchant those that it had to do with."""
    conditions: list[ColumnElement[bool]] = [
        PaymentMethod.user_id == user_id,
        PaymentMethod.state == ACTIVE,
    ]
    return conditions if actor is None else conditions + _known_to(user_id, actor)


def _known_to(user_id: str, actor: Actor) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if actor.livemode is not None:
        conditions.append(PaymentMethod.livemode.is_(actor.livemode))
    if actor.merchant_id is not None and actor.id != user_id:
        used = exists().where(
            Payment.buyer_id == user_id,
            Payment.method_id == PaymentMethod.id,
            Payment.merchant_id == actor.merchant_id,
        )
        conditions.append(used)
    return conditions


def find_card(
    session: Session, user_id: str, reference: str, *, actor: Actor | None = None
) -> PaymentMethod:
    """Give a card that a person keeps; its id is the provider's name of it.

    actor: who wants to use it; a merchant may use only cards of its own transactions.
    Raises: NotFound when it is unknown, another person's or removed. Transaction: caller's.
    """
    statement = select(PaymentMethod).where(PaymentMethod.id == reference, *visible(user_id, actor))
    card = session.scalars(statement).first()
    if card is None:
        raise NotFound
    return card


def get_card(session: Session, reference: str, *, actor: Actor) -> PaymentMethod:
    """Give a card that somebody may change, also one that is on its way out already.

    Raises: NotFound when it is unknown, foreign or removed. Transaction: caller's.
    """
    row = session.get(PaymentMethod, reference)
    if row is None or row.state == REMOVED:
        raise NotFound
    own = [PaymentMethod.id == reference, *_known_to(row.user_id, actor)]
    if actor.merchant_id is None and row.user_id != actor.id:
        raise NotFound
    if session.scalar(select(PaymentMethod.id).where(*own)) is None:
        raise NotFound
    return row


def list_cards(
    session: Session, user_id: str, *, actor: Actor | None = None
) -> list[PaymentMethod]:
    """List the cards that a person keeps, the default one first, then the newest."""
    statement = select(PaymentMethod).where(*visible(user_id, actor))
    order = (PaymentMethod.is_default.desc(), PaymentMethod.created_at.desc(), PaymentMethod.id)
    return list(session.scalars(statement.order_by(*order)))


def default_card(session: Session, user_id: str, *, livemode: bool) -> PaymentMethod | None:
    """Give the card that a person pays with unless they say otherwise."""
    statement = select(PaymentMethod).where(
        *visible(user_id, None), PaymentMethod.is_default, PaymentMethod.livemode.is_(livemode)
    )
    return session.scalars(statement).first()
