"""Whether Paydesk settles by itself: what comes in is kept all the same, and a person may settle by hand."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import Conflict
from domain.actors import Actor
from domain.control import controls
from domain.control.gates import Gate, pass_through

# Whoever acts because time passed or an event came, not because a person asked.
BY_ITSELF = frozenset({"system:worker", "system:janitor"})


class Paused(Conflict):
    """A person has paused settlement; whatever was to be settled stays due."""

    message = "Automatic settlement is paused. What is due stays due."


def is_paused(session: Session) -> bool:
    """Tell whether settlement is paused, for whoever only wants to know.

    Transaction: caller's, reads only.
    """
    return controls.get(session, controls.SETTLEMENT_PAUSE).is_on


def may_begin(session: Session) -> bool:
    """Tell whether settling by itself may go on; whoever pauses it waits until this transaction ends.

    Transaction: caller's, writing.
    """
    pass_through(session, Gate.SETTLING)
    return not is_paused(session)


def assert_may_settle(session: Session, *, actor: Actor) -> None:
    """Check, in the transaction that settles, that a person asked for it or that nothing is paused.

    Raises: Paused. Transaction: caller's, writing.
    """
    if actor.id in BY_ITSELF and not may_begin(session):
        raise Paused
