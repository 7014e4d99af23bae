"""Idempotency keys: claimed by a unique insert, answered from the store, one namespace per principal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import AppError, IdempotencyInProgress, IdempotencyMismatch, LostRace, invalid
from core.strictjson import Json
from domain import crash, database
from domain.secrets import keyring
from models.idempotency import IdempotencyKey

# A request may take 30 s; after that its claim belongs to whoever comes next.
LOCK_SECONDS = 30
# Money never relies on this: a permanent business key stands behind each claim.
KEEP_SECONDS = 30 * 24 * 3600
PATTERN = re.compile(r"[A-Za-z0-9_-]{8,255}", re.ASCII)
_PURPOSE = "idempotency"
__all__ = ["Claim", "Session", "StoredAnswer", "assert_key", "is_stored", "request_hash"]
# Answers of executed work. 400, 401, 403, 429 and 5xx say that nothing was executed.
STORED_REFUSALS = frozenset({402, 404, 409, 423})


@dataclass(frozen=True)
class StoredAnswer:
    """What the first request was answered, byte for byte."""

    status: int
    body: bytes
    location: str | None


@dataclass
class Claim:
    """One request's claim on a key. lock_token: proves that a later write still owns the claim."""

    principal: str
    key: str
    route: str
    request_hash: str
    lock_token: str = field(default_factory=lambda: ids.new("lck"))
    was_tried: bool = False
    is_taken: bool = False
    is_finished: bool = False

    @property
    def is_open(self) -> bool:
        """Tell whether work under this claim began and has no stored answer yet."""
        return self.was_tried and not self.is_finished

    def was_rolled_back(self) -> None:
        """Note that the transaction which took or finished the claim did not commit."""
        self.is_taken = self.is_finished = False

    def look(self, session: Session) -> StoredAnswer | None:
        """Look whether the key was used, before any work; None when the work may begin.

        Raises: IdempotencyMismatch, IdempotencyInProgress. Transaction: caller's, reads only.
        """
        row = self._row(session)
        if row is None or row.expires_at <= clock.now():
            return None
        return self._judged(row)

    def take(self, session: Session) -> StoredAnswer | None:
        """Claim the key in the transaction of the work; None when it is ours now.

        A claim whose lock expired is taken over; whoever held it can no longer finish it.
        Writes: idempotency_keys. Raises: IdempotencyMismatch, IdempotencyInProgress.
        Transaction: caller's.
        """
        self.was_tried = True
        if self._insert(session):
            self.is_taken = True
            return None
        row = self._row(session)
        if row is None:
            raise IdempotencyInProgress
        is_expired = row.expires_at <= clock.now()
        stored = None if is_expired else self._judged(row)
        if stored is not None:
            return stored
        self._take_over(session, row)
        self.is_taken = True
        return None

    def finish(
        self, session: Session, status: int, body: bytes, *, location: str | None = None
    ) -> None:
        """Store the answer, sealed, in the transaction that makes it true.

        Writes: idempotency_keys. Raises: LostRace when somebody took the claim over.
        Transaction: caller's.
        """
        if not self.is_taken:
            raise RuntimeError("a claim is taken before it is finished")
        sealed = keyring.vault().seal(body, purpose=_PURPOSE, place=self._place())
        changed = session.execute(
            update(IdempotencyKey)
            .where(*self._mine(), IdempotencyKey.lock_token == self.lock_token)
            .where(IdempotencyKey.state == "in_progress")
            .values(state="done", status=status, body_sealed=sealed, location=location)
            .returning(IdempotencyKey.key)
            .execution_options(synchronize_session=False)
        ).first()
        if changed is None:
            raise LostRace
        self.is_finished = True
        crash.point("idempotency.before_answer_commit")

    def _mine(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return (IdempotencyKey.principal == self.principal, IdempotencyKey.key == self.key)

    def _place(self) -> str:
        return f"idempotency_keys|body|{self.principal}|{self.key}"

    def _row(self, session: Session) -> IdempotencyKey | None:
        statement = select(IdempotencyKey).where(*self._mine())
        return session.scalars(statement.execution_options(populate_existing=True)).first()

    def _values(self) -> dict[str, object]:
        return {
            "route": self.route,
            "request_hash": self.request_hash,
            "state": "in_progress",
            "lock_token": self.lock_token,
            "locked_until": clock.after(LOCK_SECONDS),
            "status": None,
            "body_sealed": None,
            "location": None,
            "created_at": clock.now(),
            "expires_at": clock.after(KEEP_SECONDS),
        }

    def _insert(self, session: Session) -> bool:
        dialect = sqlite if database.is_sqlite() else postgresql
        values = {"principal": self.principal, "key": self.key} | self._values()
        statement = dialect.insert(IdempotencyKey).values(values).on_conflict_do_nothing()
        return session.execute(statement.returning(IdempotencyKey.key)).first() is not None

    def _take_over(self, session: Session, row: IdempotencyKey) -> None:
        changed = session.execute(
            update(IdempotencyKey)
            .where(*self._mine(), IdempotencyKey.lock_token == row.lock_token)
            .where(IdempotencyKey.expires_at == row.expires_at)
            .values(self._values())
            .returning(IdempotencyKey.key)
            .execution_options(synchronize_session=False)
        ).first()
        if changed is None:
            raise IdempotencyInProgress

    def _judged(self, row: IdempotencyKey) -> StoredAnswer | None:
        if row.route != self.route or row.request_hash != self.request_hash:
            raise IdempotencyMismatch
        if row.state == "done" and row.status is not None and row.body_sealed is not None:
            body = keyring.vault().open(row.body_sealed, purpose=_PURPOSE, place=self._place())
            return StoredAnswer(row.status, body, row.location)
        if row.locked_until > clock.now():
            raise IdempotencyInProgress
        return None


def is_stored(error: AppError) -> bool:
    """Tell whether a refusal is an answer of executed work, so that a replay must repeat it."""
    return error.http_status in STORED_REFUSALS and not error.retryable


def assert_key(key: str) -> None:
    """Check an Idempotency-Key's form.

    Raises: InvalidInput IDEMPOTENCY_KEY_INVALID
    """
    if not PATTERN.fullmatch(key):
        raise invalid_key()


def invalid_key() -> AppError:
    """Make the error for a key of the wrong form."""
    error = invalid("Idempotency-Key", "Use 8 to 255 characters of A-Z, a-z, 0-9, _ and -.")
    error.code = "IDEMPOTENCY_KEY_INVALID"
    return error


def _plain(value: Json) -> hashing.Plain:
    # The number's own text: 125.00 and 125.0 are two requests, no float makes them one.
    if isinstance(value, Decimal):
        return {"number": str(value)}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"number": str(value)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def request_hash(
    path: str, query: Sequence[tuple[str, str]], *, body: Mapping[str, Json] | bytes
) -> str:
    """Hash what was asked: path, query and body; key order and white space do not matter."""
    asked = hashing.sha256(body) if isinstance(body, bytes) else _plain(dict(body))
    return hashing.digest({"path": path, "query": [list(pair) for pair in query], "body": asked})


def forget_expired(session: Session, *, now: datetime) -> int:
    """Delete the keys whose time is over. Gives their number.

    Writes: idempotency_keys. Transaction: caller's.
    """
    gone = session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.expires_at <= now)
        .returning(IdempotencyKey.key)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
