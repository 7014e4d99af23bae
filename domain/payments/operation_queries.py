"""Reading operations within one's own tenancy, and how the rails behind them are doing."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.money import ASSETS
from domain.actors import Actor
from domain.orders.orders import visible
from models.operations import Operation
from models.payments import Payment
from providers.seam import Rail

# So many calls in a row without an answer, and a rail is called failing.
FAILING_CALLS = 3
# What each kind of rail can move: ISO 4217 currencies have three letters, tokens are the chains'.
_TOKENS = frozenset({"USDT", "USDC", "PYUSD", "DAI", "ETH", "BNB", "MATIC", "BTC"})


def get_operation(
    session: Session, operation_id: str, *, actor: Actor
) -> tuple[Operation, Payment]:
    """Fetch an operation with its payment, which the actor must be able to see.

    Raises: NotFound, the same for a foreign id.
    """
    statement = (
        select(Operation, Payment)
        .join(Payment, Payment.id == Operation.payment_id)
        .where(Operation.id == operation_id, *visible(actor, Payment))
    )
    found = session.execute(statement).first()
    if found is None:
        raise NotFound
    return found[0], found[1]


def health_of(session: Session, rail: Rail) -> str | None:
    """Say how a rail is: ok, late (a call is without an answer), failing (several are); None: not configured.

    Only what has no outcome yet is counted, so that the index on due_at suffices.
    """
    if not rail.is_configured:
        return None
    waiting = session.scalar(
        select(func.count()).where(
            Operation.due_at.is_not(None),
            Operation.last_error.is_not(None),
            Operation.provider == rail.name,
        )
    )
    if not waiting:
        return "ok"
    return "failing" if waiting >= FAILING_CALLS else "late"


def assets_of(rail: str, *, only: Collection[str] | None = None) -> list[str]:
    """List what a kind of rail can move, by code. only: what its provider takes of it, where that is less."""
    is_token = rail not in ("card", "bank")
    fitting = (code for code in ASSETS if (code in _TOKENS) == is_token)
    return sorted(code for code in fitting if only is None or code in only)
