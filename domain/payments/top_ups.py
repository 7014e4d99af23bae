"""Top-ups: a person pays into their own wallet with a card they keep, in one try."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from core.errors import IdempotencyMismatch, NotFound, invalid
from core.money import Money
from core.purposes import Purpose
from core.strictjson import Json
from domain.actors import Actor
from domain.orders.orders import house_merchant
from domain.payments import kept_cards, operation_queries, transactions
from domain.payments.intents import Begun
from domain.payments.transactions import TransactionWanted

# How long a payer has to pass their bank's check; an attempt left open longer is ended.
OPEN_SECONDS = 3600
DESCRIPTION = "Wallet top-up"


@dataclass(frozen=True)
class TopUpWanted:
    """What to pay in. user_id: whose wallet, None: the caller's own; card: the provider's name of a kept
    card; key: the payer's own name for it, used once for ever.
    """

    user_id: str | None
    card: str
    amount: Money
    key: str | None = None


def begin(session: Session, wanted: TopUpWanted, *, actor: Actor, source: str) -> Begun:
    """Write a top-up and its operation down, or take up the one that has this key or is still open.

    A key that names a transaction answers for it even when the card has been removed since.
    Writes, Emits: as `transactions.begin`. Raises: NotFound for another's person or card, Forbidden
    KYC_REQUIRED, InvalidInput, IdempotencyMismatch, RailNotConfigured, LostRace.
    Transaction: caller's; the provider is called after its commit.
    """
    user_id = kept_cards.payer_of(session, wanted.user_id, actor=actor)
    transactions.assert_verified(session, user_id)
    _assert_payable(wanted.amount)
    asked = TransactionWanted(
        Purpose.TOP_UP,
        user_id,
        "create_intent",
        wanted.amount,
        open_key=_open_key(session, wanted, user_id, actor),
        key=wanted.key,
        method_id=wanted.card,
        open_seconds=OPEN_SECONDS,
    )
    if wanted.key and transactions.find_by_key(session, user_id, Purpose.TOP_UP, wanted.key):
        begun = transactions.begin(session, asked, actor=actor, source=source)
    else:
        charged = _with_card(session, asked, wanted, actor)
        begun = transactions.begin(session, charged, actor=actor, source=source)
    if begun.payment.merchant_id != _merchant_of(session, actor):
        # Its answer would tell one merchant that another one's top-up was its own.
        raise IdempotencyMismatch
    return begun


def _assert_payable(amount: Money) -> None:
    if amount.asset.code not in operation_queries.assets_of("card"):
        raise invalid("currency", "A card does not pay in this currency.")


def _merchant_of(session: Session, actor: Actor) -> str:
    return actor.merchant_id or house_merchant(session).id


def _open_key(session: Session, wanted: TopUpWanted, user_id: str, actor: Actor) -> str:
    amount, merchant_id = wanted.amount, _merchant_of(session, actor)
    return f"top_up:{merchant_id}:{user_id}:{wanted.card}:{amount.minor}:{amount.asset}"


def _with_card(
    session: Session, asked: TransactionWanted, wanted: TopUpWanted, actor: Actor
) -> TransactionWanted:
    """Add what the provider is to charge: a card that is kept now, under the customer it knows.

    Raises: NotFound
    """
    card = kept_cards.find_card(session, asked.user_id, wanted.card, actor=actor)
    customer = kept_cards.customer_of(session, asked.user_id, card.provider, card.livemode)
    if customer is None:
        raise NotFound
    amount = asked.amount
    request: dict[str, Json] = {
        "customer": customer,
        "card": card.id,
        "amountMinor": amount.minor,
        "asset": str(amount.asset),
        "description": DESCRIPTION,
    }
    return replace(
        asked,
        request=request,
        card_brand=card.brand,
        card_last4=card.last4,
        provider=card.provider,
        livemode=card.livemode,
    )
