"""Starting a trial: a small hold proves a card and is let go, and the trial is granted once per person."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound, invalid
from core.purposes import Purpose
from core.states import Payment as Status
from core.strictjson import Json
from domain import database
from domain.actors import Actor
from domain.payments import kept_cards, transactions, trial_terms, vault
from domain.payments.intents import Begun
from domain.payments.transactions import TransactionWanted
from models.cards import PaymentMethod
from models.effects import Trial
from models.operations import Operation
from models.payments import Payment
from providers import registry

PENDING, GRANTED = "pending", "granted"
# How long a payer has to pass their bank's check; a hold left open longer is ended.
OPEN_SECONDS = 3600
DESCRIPTION = "Card check; nothing is charged"


@dataclass(frozen=True)
class TrialWanted:
    """What a person asks for. card: the provider's name of a kept card, None: their default one."""

    card: str | None = None
    provider: str = "stripe"
    demo: bool = False


def begin(session: Session, wanted: TrialWanted, *, actor: Actor, source: str) -> Begun:
    """Write the check of a card and its operation down, or give the one that proved it already.

    The person's row is locked, so that of two calls one finds what the other made.
    Writes: trials and as `transactions.begin`. Emits: as `transactions.begin`.
    Raises: InvalidInput without any card, NotFound for another's, Conflict TRIAL_ALREADY_GRANTED for
    another card than the one that granted it, RailNotConfigured, LostRace.
    Transaction: caller's; the provider is called after its commit.
    """
    vault.lock_person(session, actor.id)
    if (proved := _proved(session, actor.id)) is not None:
        return _again(session, proved, wanted)
    livemode = registry.get(wanted.provider).mode == "live"
    card = _card(session, wanted, actor, livemode=livemode)
    customer = kept_cards.customer_of(session, actor.id, card.provider, card.livemode)
    if customer is None:
        raise NotFound
    asked = _asked(actor.id, card, customer, demo=wanted.demo)
    begun = transactions.begin(session, asked, actor=actor, source=source)
    _note(session, begun.payment)
    return begun


def _asked(user_id: str, card: PaymentMethod, customer: str, *, demo: bool) -> TransactionWanted:
    hold = trial_terms.hold()
    request: dict[str, Json] = {
        "customer": customer,
        "card": card.id,
        "captureMethod": "manual",
        "amountMinor": hold.minor,
        "asset": str(hold.asset),
        "description": DESCRIPTION,
    }
    return TransactionWanted(
        Purpose.CARD_VALIDATION,
        user_id,
        "create_intent",
        hold,
        open_key=f"validation:{user_id}:{card.id}",
        request=request,
        method_id=card.id,
        card_brand=card.brand,
        card_last4=card.last4,
        open_seconds=OPEN_SECONDS,
        provider=card.provider,
        livemode=card.livemode,
        demo=demo,
    )


def _card(session: Session, wanted: TrialWanted, actor: Actor, *, livemode: bool) -> PaymentMethod:
    if wanted.card is not None:
        return kept_cards.find_card(session, actor.id, wanted.card, actor=actor)
    card = kept_cards.default_card(session, actor.id, livemode=livemode)
    if card is None:
        raise invalid("paymentMethodId", "There is no kept card yet. Set one up first.")
    return card


def find_trial(session: Session, user_id: str) -> Trial | None:
    """Give a person's trial, None when they never asked for one."""
    return session.get(Trial, user_id, populate_existing=True)


def _proved(session: Session, user_id: str) -> Payment | None:
    """Give the check that granted a trial, or that will as soon as its effect is carried out."""
    trial = find_trial(session, user_id)
    if trial is None:
        return None
    payment = session.get_one(Payment, trial.payment_id, populate_existing=True)
    return payment if trial.state == GRANTED or payment.status == Status.COMPLETED else None


def _again(session: Session, payment: Payment, wanted: TrialWanted) -> Begun:
    if wanted.card not in (None, payment.method_id):
        raise Conflict(
            "Your trial was granted with another card. There is one for each person.",
            code="TRIAL_ALREADY_GRANTED",
            details={"transactionId": payment.id},
        )
    made = select(Operation).where(Operation.business_key == f"create:{payment.id}")
    return Begun(payment, session.scalars(made).one(), None, is_new=False)


def _note(session: Session, payment: Payment) -> None:
    """Let the person's trial wait for the newest check of a card."""
    limit, now = trial_terms.limit(), clock.now()
    values: dict[str, object] = {
        "user_id": payment.buyer_id,
        "payment_id": payment.id,
        "state": PENDING,
        "limit_minor": limit.minor,
        "asset": str(limit.asset),
        "granted_at": None,
        "created_at": now,
        "updated_at": now,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    session.execute(dialect.insert(Trial).values(values).on_conflict_do_nothing())
    waits = (Trial.user_id == payment.buyer_id, Trial.state == PENDING)
    newest = {"payment_id": payment.id, "updated_at": now}
    session.execute(update(Trial).where(*waits).values(newest))


def grant(session: Session, payment: Payment) -> Trial | None:
    """Grant a person's trial for a card that was proved. Gives None when they have had theirs.

    Writes: trials. Transaction: caller's, with the payment locked.
    """
    _note(session, payment)
    now = clock.now()
    waits = (Trial.user_id == payment.buyer_id, Trial.state == PENDING)
    values = {"state": GRANTED, "payment_id": payment.id, "granted_at": now, "updated_at": now}
    done = session.execute(update(Trial).where(*waits).values(values).returning(Trial.user_id))
    if done.first() is None:
        return None
    return find_trial(session, str(payment.buyer_id))
