"""Sealing every stored value anew with the first master key: in the background, a batch at a time, resumable.

Where a pass stands is written in the same transaction as the rows of its batch, so that a killed
worker's successor goes on exactly there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict
from core.strictjson import Json
from core.vault import CannotOpen
from domain import audit, crash, database, keyring
from domain.actors import system
from domain.sealed_columns import COLUMNS, Key, SealedColumn
from domain.transitions import Why
from models.secrets import Reencryption

RUNNING, DONE = "running", "done"
BATCH = 200
# A process that was not restarted may go on sealing with the old key; a pass does not wait for ever.
MOST_ROUNDS = 5
_OPEN = "reencryption"


@dataclass(frozen=True)
class Standing:
    """Which key seals how many rows. stray: rows sealed with a key that this process does not hold."""

    counts: Mapping[str, int]
    stray: int
    at: datetime

    @property
    def rows(self) -> int:
        """How many sealed values there are."""
        return sum(self.counts.values()) + self.stray


def standing(session: Session) -> Standing:
    """Count the sealed values by their key; reads every row.

    Transaction: caller's, reads only.
    """
    kids = keyring.vault().kids
    counts, total = dict.fromkeys(kids, 0), 0
    for each in COLUMNS:
        sums = [func.coalesce(func.sum(each.as_number(kid)), 0) for kid in kids]
        statement = select(func.count(), *sums).where(each.column.is_not(None))
        number, *found = session.execute(statement).one()
        total += int(number)
        for kid, count in zip(kids, found, strict=True):
            counts[kid] += int(count)
    return Standing(counts, total - sum(counts.values()), clock.now())


def last(session: Session) -> Reencryption | None:
    """Give the pass that runs, or the last one.

    Transaction: caller's, reads only.
    """
    order = (Reencryption.started_at.desc(), Reencryption.id.desc())
    return session.scalars(select(Reencryption).order_by(*order).limit(1)).first()


def rate(row: Reencryption) -> int:
    """Give how many values a pass seals in a second, on the average."""
    spent = (row.updated_at - row.started_at).total_seconds()
    return round(row.done / spent) if spent > 0 else 0


def start(session: Session, *, why: Why) -> Reencryption:
    """Begin a pass; the worker does it. One runs at a time.

    Writes: reencryptions, audit_log. Raises: Conflict. Transaction: caller's.
    """
    now, found = clock.now(), standing(session)
    kid = keyring.vault().kid
    values: dict[str, object] = {
        "id": ids.new("ren"),
        "master_kid": kid,
        "state": RUNNING,
        "open_key": _OPEN,
        "place": {},
        "done": 0,
        "total": found.rows - found.counts[kid],
        "started_by": why.actor.id,
        "started_at": now,
        "updated_at": now,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(Reencryption).values(values).on_conflict_do_nothing()
    made = session.execute(statement.returning(Reencryption.id)).scalar()
    if made is None:
        raise Conflict("A pass is running already.")
    _note(session, "reencryption.start", made, kid, found.rows - found.counts[kid], why=why)
    return session.get_one(Reencryption, made)


def _note(session: Session, action: str, pass_id: str, kid: str, rows: int, *, why: Why) -> None:
    audit.write(
        session,
        action,
        actor=why.actor,
        object_kind="reencryption",
        object_id=pass_id,
        source=why.source,
        reason=why.reason,
        after={"masterKeyId": kid, "rows": rows},
    )


def is_open(session: Session) -> bool:
    """Tell whether a pass runs.

    Transaction: caller's, reads only.
    """
    open_one = select(Reencryption.id).where(Reencryption.open_key == _OPEN)
    return session.scalars(open_one).first() is not None


def step(session: Session) -> bool:
    """Seal the next batch of the pass that runs. Gives False when it is not ours to run, or done.

    A process that does not seal with the key the pass was begun for leaves it alone.
    Writes: the sealed columns, reencryptions, audit_log. Transaction: caller's.
    """
    statement = select(Reencryption).where(Reencryption.open_key == _OPEN)
    row = session.scalars(statement.with_for_update(skip_locked=True)).first()
    if row is None or row.master_kid != keyring.vault().kid:
        return False
    _next_batch(session, row)
    session.flush()
    crash.point("reencryption.before_commit")
    return True


@dataclass
class _Place:
    """Where a pass stands. after: the key of the last row seen in the column; unopened: rows that no key
    of ours opens, in this round.
    """

    column: int = 0
    after: Key = ()
    round: int = 1
    unopened: int = 0

    @classmethod
    def read(cls, said: Mapping[str, Json]) -> _Place:
        after = said.get("after")
        return cls(
            column=_whole(said.get("column"), 0),
            after=tuple(str(part) for part in after) if isinstance(after, list) else (),
            round=_whole(said.get("round"), 1),
            unopened=_whole(said.get("unopened"), 0),
        )

    def write(self) -> dict[str, Json]:
        return {
            "column": self.column,
            "after": list(self.after),
            "round": self.round,
            "unopened": self.unopened,
        }


def _whole(value: Json, default: int) -> int:
    return value if isinstance(value, int) else default


def _next_batch(session: Session, row: Reencryption) -> None:
    place = _Place.read(row.place)
    if place.column >= len(COLUMNS):
        _end_round(session, row, place)
    else:
        _walk(session, row, place, COLUMNS[place.column])
    row.place = place.write()
    row.updated_at = clock.now()


def _walk(session: Session, row: Reencryption, place: _Place, each: SealedColumn) -> None:
    keys = each.keys
    conditions = [each.column.is_not(None), ~each.is_sealed_with(row.master_kid)]
    if place.after:
        conditions.append(_beyond(keys, place.after))
    most = min(BATCH, each.at_once)
    found = session.execute(
        select(*keys, each.column).where(*conditions).order_by(*keys).limit(most)
    ).all()
    for *parts, sealed in found:
        place.after = tuple(str(part) for part in parts)
        try:
            row.done += _seal_anew(session, each, place.after, bytes(sealed))
        except CannotOpen:
            place.unopened += 1
    if len(found) < most:
        place.column, place.after = place.column + 1, ()


def _beyond(keys: Sequence[ColumnElement[str]], after: Key) -> ColumnElement[bool]:
    """Give the condition of the rows after one, in the order of a key of one or more parts."""
    steps = []
    for place, (column, part) in enumerate(zip(keys, after, strict=True)):
        same = [earlier == known for earlier, known in zip(keys[:place], after, strict=False)]
        steps.append(and_(*same, column > part))
    return or_(*steps)


def _seal_anew(session: Session, each: SealedColumn, key: Key, sealed: bytes) -> int:
    """Seal one value anew, unless somebody has changed it meanwhile: that was with the new key.

    Gives how many values were sealed. Raises: CannotOpen
    """
    vault, where = keyring.vault(), each.place(key)
    plain = vault.open(sealed, purpose=each.purpose, place=where)
    named = [column == part for column, part in zip(each.keys, key, strict=True)]
    changed = session.execute(
        update(each.model)
        .where(*named, each.column == sealed)
        .values({each.name: vault.seal(plain, purpose=each.purpose, place=where)})
        .returning(each.keys[0])
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())


def _end_round(session: Session, row: Reencryption, place: _Place) -> None:
    """Look whether anything was sealed with an old key behind the pass's back; then go round again."""
    found = standing(session)
    left = found.rows - found.counts[row.master_kid]
    if left > place.unopened and place.round < MOST_ROUNDS:
        place.column, place.after, place.unopened = 0, (), 0
        place.round += 1
        row.total = row.done + left
        return
    row.state, row.open_key, row.finished_at = DONE, None, clock.now()
    row.total = row.done + left
    row.last_error = _left_over(left, place.unopened)
    why = Why(system("worker"), f"reencryption:{row.id}", row.last_error)
    _note(session, "reencryption.finish", row.id, row.master_kid, row.done, why=why)


def _left_over(left: int, unopened: int) -> str | None:
    if left == 0:
        return None
    if left <= unopened:
        return f"{left} values cannot be opened with any master key that is held."
    return f"{left} values are sealed with an older key by a process that still uses it first."
