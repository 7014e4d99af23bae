"""Telling a harmless redelivery from a changed body under the same id (resolution C36)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core import hashing, strictjson
from domain.actors import system
from domain.cases import cases
from domain.cases.cases import Finding
from domain.secrets import keyring
from domain.transitions import Why
from models.inbound import InboundEvent

# How many other deliveries are outstanding is not part of what an event says.
_COUNTERS = frozenset({"pending_webhooks"})
Key = tuple[str, str, str, str]
KEY = (
    InboundEvent.provider,
    InboundEvent.account,
    InboundEvent.mode,
    InboundEvent.delivery_key,
)


def body_place(inbound_id: str) -> str:
    """Name the place that a sealed body is bound to."""
    return f"inbound_events|body|{inbound_id}"


def _meaning(body: bytes) -> str:
    try:
        said = strictjson.loads(body)
    except strictjson.Unreadable:
        return hashing.sha256(body)
    if isinstance(said, dict):
        said = {key: value for key, value in said.items() if key not in _COUNTERS}
    return hashing.sha256(repr(said).encode())


def compare(session: Session, repeated: Sequence[tuple[Key, bytes]]) -> None:
    """Open a case for each repeated delivery whose body says something else than the stored one.

    Writes: exception_cases. Transaction: caller's.
    """
    bodies = dict(repeated)
    # Cases are opened in the order of the keys, so that two processes cannot wait for each other.
    repeats = tuple_(*KEY).in_(sorted(bodies))
    statement = select(InboundEvent).where(repeats).order_by(*KEY)
    rows = session.scalars(statement)
    for row in rows:
        body = bodies[row.provider, row.account, row.mode, row.delivery_key]
        if row.body_sha256 == hashing.sha256(body) or row.body_sealed is None:
            continue
        stored = keyring.vault().open(row.body_sealed, purpose="inbound", place=body_place(row.id))
        if _meaning(stored) == _meaning(body):
            continue
        why = Why(system("inbox"), f"inbound:{row.id}")
        sentence = (
            f"{row.provider} sent {row.delivery_key} again with another content."
            " The first content stands; compare it with the provider's own record."
        )
        subject = f"{row.id}:{hashing.sha256(body)}"
        found = Finding("DUPLICATE_CONFLICT", subject, sentence, inbound_id=row.id)
        cases.open_case(session, found, why=why)
