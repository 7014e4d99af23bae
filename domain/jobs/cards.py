"""Kept cards that are due: what is not known of them is asked for, the provider told of the default, or to let go."""

from __future__ import annotations

import structlog
from sqlalchemy import select, update

from core import clock, ids
from core.errors import AppError
from core.purposes import Purpose
from core.states import Card
from domain import crash, database, queue
from domain.actors import system
from domain.cases import cases
from domain.cases.cases import Finding
from domain.payments import kept_cards, vault
from domain.transitions import Why
from models.cards import PaymentMethod
from models.payments import Payment
from providers import registry
from providers.card_seam import SaidCard

TENDING = system("cards")
LEASE_SECONDS = 60
# From then on somebody sees that a card which its owner removed is still kept at the provider.
CASE_ATTEMPTS = 5
log = structlog.get_logger()


def tend_next() -> bool:
    """Look after one card that is due. Gives False when none is.

    Calls: the provider. Writes: payment_methods and what `vault` does. Transaction: opens its own.
    """
    with database.transaction() as session:
        due = select(PaymentMethod).where(PaymentMethod.due_at <= clock.now())
        first = due.order_by(PaymentMethod.due_at).limit(1).with_for_update(skip_locked=True)
        card = session.scalars(first).first()
        if card is None:
            return False
        card.attempts += 1
        card.due_at = clock.after(LEASE_SECONDS)
        session.flush()
    crash.point("cards.after_lease")
    try:
        tend(card)
    except AppError as error:
        log.warning("card.untended", card=card.id, error=error.code)
        _later(card, error)
    return True


def tend(card: PaymentMethod) -> None:
    """Bring the provider and us to agree on a card: let it go there, or learn what it says of it.

    Calls: the provider, with no transaction open. Writes: payment_methods and what `vault` does.
    Raises: the provider errors. Transaction: opens its own.
    """
    if card.state == Card.REMOVING:
        let_go(card)
    elif card.state == Card.ACTIVE:
        _learn(card)
        _tell_default(card)
    with database.transaction() as session:
        # Whoever wants something new of the card has counted from zero again.
        same = (PaymentMethod.id == card.id, PaymentMethod.attempts == card.attempts)
        session.execute(update(PaymentMethod).where(*same).values(due_at=None, attempts=0))


def let_go(card: PaymentMethod) -> None:
    """Have the provider keep a card no longer, then note that it is gone.

    Calls: the provider, with no transaction open. Emits: payment_method.removed.
    Raises: the provider errors. Transaction: opens its own.
    """
    rail = registry.configured(card.provider, livemode=card.livemode)
    rail.forget_card(card.id, key=f"forget:{card.id}:{card.attempts}")
    crash.point("cards.after_call")
    with database.transaction() as session:
        vault.lock_person(session, card.user_id)
        again = session.get_one(PaymentMethod, card.id, populate_existing=True)
        vault.gone(session, again, why=Why(TENDING, f"card:{card.id}", "removed by its owner"))


def _learn(card: PaymentMethod) -> None:
    rail = registry.configured(card.provider, livemode=card.livemode)
    said = rail.fetch(card.id).kept
    if said is None:
        return
    with database.transaction() as session:
        vault.hear(session, card.provider, said, why=Why(TENDING, f"card:{card.id}"))
    if said.last4 is not None:
        _show(said)


def _show(said: SaidCard) -> None:
    """Show a card on the setups that kept it before it was known which one it is."""
    kept_by = (
        Payment.method_id == said.reference,
        Payment.purpose == Purpose.CARD_SETUP.value,
        Payment.card_last4.is_(None),
    )
    shown = {"card_brand": said.brand, "card_last4": said.last4}
    with database.transaction() as session:
        session.execute(update(Payment).where(*kept_by).values(shown))


def _tell_default(card: PaymentMethod) -> None:
    """Tell the provider which card its customer pays with, unless another one has become it meanwhile."""
    with database.reading() as session:
        default = kept_cards.default_card(session, card.user_id, livemode=card.livemode)
        known = (card.user_id, card.provider, card.livemode)
        customer = kept_cards.customer_of(session, *known)
    if default is None or default.id != card.id or customer is None:
        return
    rail = registry.configured(card.provider, livemode=card.livemode)
    # Each time under a key of its own: the same card may become the default again.
    rail.prefer_card(customer, card.id, key=ids.new("try"))
    with database.transaction() as session:
        now_default = kept_cards.default_card(session, card.user_id, livemode=card.livemode)
        if now_default is not None and now_default.id != card.id:
            now_default.due_at = clock.now()


def _later(card: PaymentMethod, error: AppError) -> None:
    with database.transaction() as session:
        same = (PaymentMethod.id == card.id, PaymentMethod.attempts == card.attempts)
        due_at = queue.backoff(card.attempts)
        session.execute(update(PaymentMethod).where(*same).values(due_at=due_at))
        if card.state != Card.REMOVING or card.attempts < CASE_ATTEMPTS:
            return
        sentence = (
            f"A card that its owner removed is still kept at {card.provider} after"
            f" {card.attempts} tries: {error.message} It is used no more and tried again by itself."
        )
        finding = Finding("EFFECT_FAILED", f"card:{card.id}", sentence)
        cases.open_case(session, finding, why=Why(TENDING, f"card:{card.id}"))
