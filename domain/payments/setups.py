"""Keeping a card: proved by its bank without a charge, and kept for its person."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.money import Money
from core.purposes import Purpose
from domain.actors import Actor
from domain.orders.orders import house_merchant
from domain.payments import kept_cards, transactions, trial_terms
from domain.payments.intents import Begun
from domain.payments.transactions import TransactionWanted
from providers import registry

KIND = "create_setup"
METHOD = "setup"
# A form that nobody completes is closed again after a day.
OPEN_SECONDS = 24 * 3600


def begin(
    session: Session, user_id: str | None, *, actor: Actor, source: str, provider: str = "stripe"
) -> Begun:
    """Write down that a card is to be kept, or take up the setup that is open: one per person and merchant.

    user_id: whose card, None: the caller's own. Writes, Emits: as `transactions.begin`.
    Raises: NotFound for another's person, RailNotConfigured, LostRace.
    Transaction: caller's; the provider is called after its commit.
    """
    payer = kept_cards.payer_of(session, user_id, actor=actor)
    livemode = registry.configured(provider, livemode=actor.livemode).mode == "live"
    merchant_id = actor.merchant_id or house_merchant(session).id
    nothing = Money(0, trial_terms.limit().asset)
    wanted = TransactionWanted(
        Purpose.CARD_SETUP,
        payer,
        KIND,
        nothing,
        # Its answer lets a browser put a card in: nobody is given another one's.
        open_key=f"setup:{merchant_id}:{payer}:{'live' if livemode else 'test'}",
        request={"amountMinor": nothing.minor, "asset": str(nothing.asset)},
        provider=provider,
        method=METHOD,
        livemode=livemode,
        open_seconds=OPEN_SECONDS,
    )
    return transactions.begin(session, wanted, actor=actor, source=source)
