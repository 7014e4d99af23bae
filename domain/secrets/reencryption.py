"""Sealing every stored value anew with the first master key: in the background, a batch at a time, resumable.

Where a pass stands is written in the same transaction as the rows of its batch, so that a killed
worker's successor goes on exactly there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids, vault
from core.errors import Conflict
from core.person_seal import KeyDestroyed
from core.strictjson import Json
from core.vault import CannotOpen
from domain import audit, crash, database
from domain.actors import system
from domain.secrets import keyring, person_keys
from domain.secrets.person_keys import Whose
from domain.secrets.sealed_columns import COLUMNS, Key, SealedColumn
from domain.transitions import Why
from models.invoices import Invoice
from models.people import User
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
        statement = select(func.count(), *sums).where(each.is_under_a_master_key)
        number, *found = session.execute(statement).one()
        total += int(number)
        for kid, count in zip(kids, found, strict=True):
            counts[kid] += int(count)
    return Standing(counts, total - sum(counts.values()), clock.now())


def loose(session: Session) -> int:
    """Count what was said of people before they had keys and lies under a master key still; reads every row.

    Addresses and invoices stand for all of it. Transaction: caller's, reads only.
    """
    tells = {
        "users.email_sealed": User.erased_at.is_(None),
        "invoices.sealed": Invoice.buyer_id.is_not(None),
    }
    found = 0
    for each in COLUMNS:
        if each.label in tells:
            statement = select(func.count()).select_from(each.model)
            conditions = (each.is_under_a_master_key, tells[each.label])
            found += session.scalar(statement.where(*conditions)) or 0
    return found


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


def start(session: Session, found: Standing, *, why: Why) -> Reencryption:
    """Begin a pass; the worker does it. One runs at a time.

    found: counted before, in no transaction: it reads every row. A pass for a key that seals no more
    gives way.
    Writes: reencryptions, audit_log. Raises: Conflict. Transaction: caller's.
    """
    now, kid = clock.now(), keyring.vault().kid
    stale = (Reencryption.open_key == _OPEN, Reencryption.master_kid != kid)
    said = "The key it was begun for seals no more."
    ended: dict[str, object] = {"state": DONE, "open_key": None, "finished_at": now}
    session.execute(update(Reencryption).where(*stale).values(ended | {"last_error": said}))
    left = found.rows - found.counts[kid]
    values: dict[str, object] = {
        "id": ids.new("ren"),
        "master_kid": kid,
        "state": RUNNING,
        "open_key": _OPEN,
        "place": _Place().write(),
        "done": 0,
        "total": left,
        "started_by": why.actor.id,
        "started_at": now,
        "updated_at": now,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(Reencryption).values(values).on_conflict_do_nothing()
    made = session.execute(statement.returning(Reencryption.id)).scalar()
    if made is None:
        raise Conflict("A pass is running already.")
    _note(session, "reencryption.start", made, kid, left, why=why)
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


@dataclass(frozen=True)
class Sealed:
    """One value opened, to be sealed anew. old: what it takes the place of, if that is still there.

    whose: the person under whose key it goes; None: under the master key.
    """

    key: Key
    old: bytes
    plain: bytes = field(repr=False)
    whose: Whose | None


@dataclass(frozen=True)
class Plan:
    """The next batch of a pass, read and sealed before any transaction is open.

    before: where the pass stood; after: where it stands once this is written; found: what there is
    of each key, at the end of a round.
    """

    pass_id: str
    before: Mapping[str, Json]
    after: Mapping[str, Json]
    column: SealedColumn | None = None
    values: Sequence[Sealed] = ()
    found: Standing | None = None


def plan(session: Session) -> Plan | None:
    """Prepare the next batch of the pass that runs; None when there is none, or not ours to run.

    A process that does not seal with the key the pass was begun for leaves it alone.
    Transaction: caller's, reads only.
    """
    row = session.scalars(select(Reencryption).where(Reencryption.open_key == _OPEN)).first()
    if row is None or row.master_kid != keyring.vault().kid:
        return None
    place = _Place.read(row.place)
    if place.column < len(COLUMNS):
        return _next_batch(session, row, place, COLUMNS[place.column])
    return Plan(row.id, row.place, row.place, found=standing(session))


def write(session: Session, planned: Plan) -> None:
    """Write a batch, unless another worker has done so; each value only where the old one still is.

    Writes: the sealed columns, reencryptions, audit_log. Transaction: caller's.
    """
    statement = select(Reencryption).where(Reencryption.id == planned.pass_id)
    row = session.scalars(statement.with_for_update(skip_locked=True)).first()
    if row is None or row.state != RUNNING or row.place != planned.before:
        return
    if planned.found is not None:
        _end_round(session, row, planned.found)
    elif planned.column is not None:
        row.done += sum(_put(session, planned.column, each) for each in planned.values)
        row.place = dict(planned.after)
    row.updated_at = clock.now()
    session.flush()
    crash.point("reencryption.before_commit")


@dataclass(frozen=True)
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


def _next_batch(session: Session, row: Reencryption, place: _Place, each: SealedColumn) -> Plan:
    """Read the next rows by their key, whichever key sealed them, and seal anew what needs it."""
    keys, values, unopened = each.keys, [], place.unopened
    conditions: list[ColumnElement[bool]] = [each.is_under_a_master_key]
    if place.after:
        conditions.append(_beyond(keys, place.after))
    size = min(BATCH, each.at_once)
    statement = select(*keys, each.column).where(*conditions).order_by(*keys).limit(size)
    rows = session.execute(statement).all()
    last = place.after
    whose = _owners(session, each, [str(row[0]) for row in rows])
    for *parts, sealed in rows:
        last = tuple(str(part) for part in parts)
        owner = whose.get(last[0])
        if owner is None and bytes(sealed).startswith(vault.head(row.master_kid)):
            continue
        try:
            values.append(_opened(each, last, bytes(sealed), owner))
        except CannotOpen:
            unopened += 1
    is_over = len(rows) < size
    there = replace(
        place,
        column=place.column + is_over,
        after=() if is_over else last,
        unopened=unopened,
    )
    return Plan(row.id, row.place, there.write(), column=each, values=values)


def _beyond(keys: Sequence[ColumnElement[str]], after: Key) -> ColumnElement[bool]:
    """Give the condition of the rows after one, in the order of a key of one or more parts."""
    steps = []
    for place, (column, part) in enumerate(zip(keys, after, strict=True)):
        same = [earlier == known for earlier, known in zip(keys[:place], after, strict=False)]
        steps.append(and_(*same, column > part))
    return or_(*steps)


def _owners(session: Session, each: SealedColumn, ids: Sequence[str]) -> Mapping[str, Whose]:
    return {} if each.owners is None or not ids else each.owners(session, ids)


def _opened(each: SealedColumn, key: Key, sealed: bytes, whose: Whose | None) -> Sealed:
    plain = keyring.vault().open(sealed, purpose=each.purpose, place=each.place(key))
    return Sealed(key, sealed, plain, whose)


def _sealed_anew(session: Session, each: SealedColumn, value: Sealed) -> bytes:
    """Seal a value under its person's key; of one whose key is gone nothing should be left, but no key waits."""
    where = each.place(value.key)
    try:
        return person_keys.seal(
            session, value.whose, value.plain, purpose=each.purpose, place=where
        )
    except KeyDestroyed:
        return keyring.vault().seal(value.plain, purpose=each.purpose, place=where)


def _put(session: Session, each: SealedColumn, value: Sealed) -> int:
    """Put a value in its place, unless somebody has changed it meanwhile: that was with the new key."""
    named = [column == part for column, part in zip(each.keys, value.key, strict=True)]
    changed = session.execute(
        update(each.model)
        .where(*named, each.column == value.old)
        .values({each.name: _sealed_anew(session, each, value)})
        .returning(each.keys[0])
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())


def _end_round(session: Session, row: Reencryption, found: Standing) -> None:
    """Look whether anything was sealed with an old key behind the pass's back; then go round again."""
    place = _Place.read(row.place)
    left = found.rows - found.counts[row.master_kid]
    row.total = row.done + left
    if left > place.unopened and place.round < MOST_ROUNDS:
        row.place = _Place(round=place.round + 1).write()
        return
    row.state, row.open_key, row.finished_at = DONE, None, clock.now()
    row.last_error = _left_over(left, place.unopened)
    why = Why(system("worker"), f"reencryption:{row.id}", row.last_error)
    _note(session, "reencryption.finish", row.id, row.master_kid, row.done, why=why)


def _left_over(left: int, unopened: int) -> str | None:
    if left == 0:
        return None
    if left <= unopened:
        return f"{left} values cannot be opened with any master key that is held."
    return f"{left} values are sealed with an older key by a process that still uses it first."
