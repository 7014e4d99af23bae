"""The cards that a person keeps, on their page: brand, end, expiry, and whether each was proved. No routes."""

from __future__ import annotations

from core import clock
from core.states import Card
from dashboard import words
from dashboard.shapes import State, View
from domain.actors import Actor
from domain.desk import Session
from domain.payments import kept_cards, trials, vault
from domain.payments.trials import GRANTED
from models.cards import PaymentMethod
from models.effects import Trial

_DEFAULT = State("Default", "done", "info", "Paid with unless they say otherwise")
_PROVED = State("Proved", "done", "good", "A hold or a setup proved it")
_UNPROVED = State("Not proved", "open", "quiet", "Nothing has proved it yet")
_LEAVING = State("Being removed", "half", "warn", "Used no more; the provider is told to let it go")
_EXPIRED = State("Expired", "expired", "bad", "Its month has passed")


def view(session: Session, user_id: str, actor: Actor) -> View:
    """Prepare the panel: the cards, the default one first, and the trial they brought.

    A merchant sees the cards that it had to do with; trials are no business of its.
    """
    if actor.merchant_id is not None and actor.id != user_id:
        found = kept_cards.list_cards(session, user_id, actor=actor)
        return {"rows": [_row(card) for card in found], "trial": None}
    return {
        "rows": [_row(card) for card in vault.cards_of(session, user_id)],
        "trial": _trial(trials.find_trial(session, user_id)),
    }


def _row(card: PaymentMethod) -> View:
    return {
        "id": card.id,
        "name": name_of(card),
        "expiry": _expiry(card),
        "ref": words.ref("payment method", card.id),
        "states": _states(card),
        "proved": words.moment(card.validated_at) if card.validated_at else None,
    }


def name_of(card: PaymentMethod) -> str:
    """Name a card as its owner knows it; what is not known yet is being asked for."""
    brand = (card.brand or "card").replace("_", " ").capitalize()
    return f"{brand} ending {card.last4}" if card.last4 else brand


def _expiry(card: PaymentMethod) -> str | None:
    if card.exp_month is None or card.exp_year is None:
        return None
    return f"{card.exp_month:02}/{card.exp_year}"


def _is_over(card: PaymentMethod) -> bool:
    """Tell whether its last month has passed."""
    if card.exp_month is None or card.exp_year is None:
        return False
    now = clock.now()
    return (card.exp_year, card.exp_month) < (now.year, now.month)


def _states(card: PaymentMethod) -> list[State]:
    if card.state == Card.REMOVING:
        return [_LEAVING]
    found = [_PROVED if card.validated_at else _UNPROVED]
    found += [_DEFAULT] if card.is_default else []
    return found + ([_EXPIRED] if _is_over(card) else [])


def _trial(trial: Trial | None) -> View | None:
    if trial is None:
        return None
    return {
        "is_granted": trial.state == GRANTED,
        "limit": words.money(trial.limit_minor, trial.asset),
        "at": words.moment(trial.granted_at or trial.created_at),
        "href": f"/payments/{trial.payment_id}",
    }
