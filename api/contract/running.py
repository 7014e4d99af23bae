"""Running a call's work: its transaction, its claim, its answer stored in the same commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from api.contract.answers import Answer, replay
from api.contract.calls import Call
from core.errors import AppError, IdempotencyInProgress, LostRace
from domain import idempotency
from domain.database import transaction
from domain.idempotency import Session
from web import errors, wire

__all__ = ["Replayed", "Session", "finish", "run_once", "start", "store_refusal"]


class Replayed(Exception):
    """The key was answered while this request was on its way; carries that answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered already")
        self.answer = answer


@contextmanager
def start(call: Call[Any, Any]) -> Iterator[Session]:
    """Open the first transaction of a call's work with its key claimed in it.

    For work in several steps: `start`, then the provider without a transaction, then `finish`.
    Raises: IdempotencyInProgress, IdempotencyMismatch; `Replayed`, which `endpoint` answers.
    Transaction: opens its own.
    """
    try:
        with transaction() as session:
            if call.claim is not None:
                stored = call.claim.take(session)
                if stored is not None:
                    raise Replayed(replay(stored))
            yield session
    except BaseException:
        if call.claim is not None:
            call.claim.was_rolled_back()
        raise


def finish(session: Session, call: Call[Any, Any], answer: Answer) -> Answer:
    """Store the answer with the last step of the work. Transaction: caller's."""
    if call.claim is not None:
        call.claim.finish(session, answer.status, answer.raw(), location=answer.location)
    return answer


def run_once(call: Call[Any, Any], work: Callable[[Session], Answer]) -> Answer:
    """Run work that fits into one transaction, once for its key, and store its answer with it.

    A refusal that is an answer of executed work is stored by `endpoint` after the rollback.
    Transaction: opens its own.
    """
    with start(call) as session:
        return finish(session, call, work(session))


def store_refusal(call: Call[Any, Any], error: AppError, *, path: str) -> None:
    """Store a refusal as the answer to the call's key, after the work was rolled back.

    Transaction: opens its own.
    """
    claim = call.claim
    if claim is None or not claim.is_open or not idempotency.is_stored(error):
        return
    body = wire.dumps(errors.document(error, path=path, request_id=call.request_id))
    with suppress(IdempotencyInProgress, LostRace), transaction() as session:
        # Somebody with the same key may have come first meanwhile; then theirs is the answer.
        if claim.is_taken or claim.take(session) is None:
            claim.finish(session, error.http_status, body)
