"""One page of a run's work: what was read without a transaction, and what of it is to be kept in one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from domain import database
from models.reconciliation import ReconciliationObject, ReconciliationRun


def _nothing(session: Session, run: ReconciliationRun) -> None:
    del session, run


class NotYet(Exception):
    """There is nothing to be done before a certain time. due_at: when."""

    def __init__(self, due_at: datetime) -> None:
        super().__init__("not yet")
        self.due_at = due_at


@dataclass(frozen=True)
class Page:
    """write: keeps what was found, with the run locked; cursor: where the next page begins, None: the step
    is done; done: how far this brings the run; counts: what to add to its sums.
    """

    cursor: str | None = None
    done: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    write: Callable[[Session, ReconciliationRun], None] = _nothing


@dataclass(frozen=True)
class Seen:
    """One object of a provider as a run keeps it while it compares. seen_at: as of when this is so."""

    kind: str
    reference: str
    state: str
    made_at: datetime
    seen_at: datetime
    payment_id: str | None = None
    asset: str | None = None
    amount_minor: int | None = None


def keep(session: Session, run: ReconciliationRun, seen: Iterable[Seen]) -> None:
    """Keep objects for the comparison; one that is kept already stays.

    Writes: reconciliation_objects. Transaction: caller's.
    """
    rows = [
        {
            "run_id": run.id,
            "kind": each.kind,
            "reference": each.reference,
            "payment_id": each.payment_id,
            "state": each.state,
            "asset": each.asset,
            "amount_minor": each.amount_minor,
            "made_at": each.made_at,
            "seen_at": each.seen_at,
        }
        for each in seen
    ]
    if rows:
        dialect = sqlite if database.is_sqlite() else postgresql
        session.execute(dialect.insert(ReconciliationObject).on_conflict_do_nothing(), rows)
