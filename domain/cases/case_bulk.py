"""Settling many cases by one decision: each in a transaction of its own, so that none undoes another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import AppError
from domain.actors import Actor
from domain.cases import case_resolving
from domain.cases.case_verbs import Wanted

MOST = 200
RESOLVED, PENDING, REFUSED = "resolved", "pending_approval", "refused"


@dataclass(frozen=True)
class Row:
    """What became of one case. error: why it was not settled, for `refused`."""

    case_id: str
    outcome: str
    error: AppError | None = None


def attempt(
    begin: Callable[[], AbstractContextManager[Session]],
    case_id: str,
    wanted: Wanted,
    *,
    actor: Actor,
    source: str,
) -> Row:
    """Settle one case of several; a refusal is its outcome. begin: opens the caller's transaction.

    The same decision sent again finds what it did the first time, case by case.
    Writes, Emits: as `case_resolving.resolve`. Calls: the provider, where the verb asks it.
    """
    try:
        with begin() as session:
            done = case_resolving.resolve(session, case_id, wanted, actor=actor, source=source)
    except AppError as error:
        return Row(case_id, REFUSED, error)
    case_resolving.make_call(done)
    return Row(case_id, PENDING if done.approval is not None else RESOLVED)
