"""Keys of people: made when something about them is first sealed, opened where it is read, destroyed for good.

Opened keys live as long as the session that opened them and no longer, so that a key destroyed by
another process opens nothing in the next transaction of this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, object_session

from config import Settings
from core import clock, ids, person_seal
from core.person_seal import KeyDestroyed
from domain import calendar, database
from domain.secrets import keyring
from models.base import Base
from models.personal import PersonKey

ACCOUNT, BOOKS = "account", "books"
_PURPOSE = "person_key"
_OPENED, MOST_OPENED = "person_keys", 256


@dataclass(frozen=True)
class Whose:
    """Whose key seals a value. year: of the books that say it, 0 for what we know of them ourselves."""

    user_id: str
    purpose: str = ACCOUNT
    year: int = 0


@dataclass
class _Terms:
    years: int = 10


_terms = _Terms()


def configure(settings: Settings) -> None:
    """Take from the settings for how many years books are kept."""
    _terms.years = settings.retention.invoice_years


def kept_until(year: int) -> date:
    """Say until which day the books of a year stay readable: so many years from the end of that year."""
    return date(year + _terms.years, 12, 31)


def year_of(year: int) -> tuple[date, date]:
    """Give the first and the last day of a year of the books."""
    return date(year, 1, 1), date(year, 12, 31)


def last_year_over(day: date) -> int:
    """Say which is the last year whose books need not stay readable any more on a day."""
    return day.year - _terms.years - 1


def books_of(user_id: str | None, at: date | datetime) -> Whose | None:
    """Name the key for what the books of a day say of somebody; None of nobody we know."""
    if user_id is None:
        return None
    day = calendar.day_of(at) if isinstance(at, datetime) else at
    return Whose(user_id, BOOKS, day.year)


def place_of(key_id: str) -> str:
    """Name where a person's key is sealed."""
    return f"person_keys|key|{key_id}"


def seal(session: Session, whose: Whose | None, plain: bytes, *, purpose: str, place: str) -> bytes:
    """Seal a value about somebody under their key, made if they have none; of nobody, under the master key.

    Writes: person_keys, at a person's first value. Raises: KeyDestroyed. Transaction: caller's.
    """
    if whose is None:
        return keyring.vault().seal(plain, purpose=purpose, place=place)
    row = _find(session, whose) or _make(session, whose)
    key = _opened(session, row.id, row.key_sealed)
    return person_seal.seal(plain, key_id=row.id, key=key, purpose=purpose, place=place)


def seal_text(
    session: Session, whose: Whose | None, text: str, *, purpose: str, place: str
) -> bytes:
    """Seal a text. As `seal`."""
    return seal(session, whose, text.encode(), purpose=purpose, place=place)


def open_sealed(at: Session | Base, sealed: bytes, *, purpose: str, place: str) -> bytes:
    """Open what `seal` made, or what the master key sealed before people had keys.

    at: the session, or the row that holds the value. Raises: KeyDestroyed, core.vault.CannotOpen.
    Transaction: caller's, reads only; of a row that is in none, its own.
    """
    key_id = person_seal.key_id_of(sealed)
    if key_id is None:
        return keyring.vault().open(sealed, purpose=purpose, place=place)
    with _session_of(at) as session:
        key = _of_id(session, key_id)
    return person_seal.open_sealed(sealed, key=key, purpose=purpose, place=place)


def open_text(at: Session | Base, sealed: bytes, *, purpose: str, place: str) -> str:
    """Open a text. As `open_sealed`."""
    return open_sealed(at, sealed, purpose=purpose, place=place).decode()


@contextmanager
def _session_of(at: Session | Base) -> Iterator[Session]:
    session = at if isinstance(at, Session) else object_session(at)
    if session is not None:
        yield session
        return
    with database.reading() as own:
        yield own


def _of_id(session: Session, key_id: str) -> bytes:
    """Open a key by its name."""
    if key_id in session.info.get(_OPENED, {}):
        return _opened(session, key_id, None)
    sealed = session.scalar(select(PersonKey.key_sealed).where(PersonKey.id == key_id))
    return _opened(session, key_id, sealed)


def _opened(session: Session, key_id: str, sealed: bytes | None) -> bytes:
    """Unwrap a key, once per session."""
    held: dict[str, bytes] = session.info.setdefault(_OPENED, {})
    key = held.get(key_id)
    if key is None:
        if sealed is None:
            raise KeyDestroyed("the key of this person was destroyed")
        key = keyring.vault().open(sealed, purpose=_PURPOSE, place=place_of(key_id))
        if len(held) >= MOST_OPENED:
            held.clear()
        held[key_id] = key
    return key


def _find(session: Session, whose: Whose) -> PersonKey | None:
    # Whoever seals under a key stands in the way of whoever destroys it until this is committed.
    statement = select(PersonKey).where(
        PersonKey.user_id == whose.user_id,
        PersonKey.purpose == whose.purpose,
        PersonKey.year == whose.year,
    )
    statement = statement.with_for_update(read=True).execution_options(populate_existing=True)
    return session.scalars(statement).first()


def _make(session: Session, whose: Whose) -> PersonKey:
    key_id = ids.new("pky")
    place = place_of(key_id)
    values: dict[str, object] = {
        "id": key_id,
        "user_id": whose.user_id,
        "purpose": whose.purpose,
        "year": whose.year,
        "key_sealed": keyring.vault().seal(person_seal.new_key(), purpose=_PURPOSE, place=place),
        "made_at": clock.now(),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    session.execute(dialect.insert(PersonKey).values(values).on_conflict_do_nothing())
    row = _find(session, whose)
    assert row is not None  # ours, or that of whoever was first
    return row


def forget(session: Session) -> None:
    """Forget the keys that a session opened; after one of them was destroyed in it."""
    session.info.pop(_OPENED, None)


def destroy(session: Session, row: PersonKey, *, by: str, why: str) -> None:
    """Destroy a locked key. What it sealed is unreadable from the commit on, in every copy.

    by: who or what did it. Writes: person_keys. Transaction: caller's.
    """
    row.key_sealed = None
    row.destroyed_at, row.destroyed_by, row.why = clock.now(), by, why
    session.flush()
    forget(session)


def bury(session: Session, whose: Whose, *, by: str, why: str) -> None:
    """Destroy somebody's key, and see that none is ever made again; a second time changes nothing.

    Writes: person_keys. Transaction: caller's.
    """
    statement = select(PersonKey).where(
        PersonKey.user_id == whose.user_id,
        PersonKey.purpose == whose.purpose,
        PersonKey.year == whose.year,
    )
    statement = statement.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(statement).first() or _make(session, whose)
    if row.key_sealed is not None:
        destroy(session, row, by=by, why=why)
