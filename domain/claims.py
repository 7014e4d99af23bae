"""Letting an idempotency claim go when nothing was executed under it, so that a retry may begin at once."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from domain.idempotency import Claim
from models.idempotency import IdempotencyKey


def let_go(session: Session, claim: Claim) -> None:
    """Forget a claim that is still ours and has no answer.

    Writes: idempotency_keys. Transaction: caller's.
    """
    session.execute(
        delete(IdempotencyKey)
        .where(
            IdempotencyKey.principal == claim.principal,
            IdempotencyKey.key == claim.key,
            IdempotencyKey.lock_token == claim.lock_token,
            IdempotencyKey.state == "in_progress",
        )
        .execution_options(synchronize_session=False)
    )
