"""Copies of all that is held about somebody: asked for, made by the worker, sealed under their key, fetched for a week."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, undefer

from core import clock, hashing, ids
from core.errors import Conflict, Gone, LostRace, NotFound
from core.strictjson import Json
from domain import audit, database, queue
from domain.actors import Actor, system
from domain.invoices.paper_kinds import Kind
from domain.people import export_parts, legal_holds, people, retention, step_up
from domain.people.export_parts import PARTS
from domain.secrets import person_keys
from domain.secrets.person_keys import Whose
from models.invoices import Document
from models.people import User
from models.personal import DataExport

WAITING, READY, EXPIRED, DEAD = "waiting", "ready", "expired", "dead"
PURPOSE = "export"
LEASE_SECONDS, MOST_TRIES = 300, 5
# A copy is sealed and fetched as a whole; invoices beyond this are named in it and fetched one by one.
LARGEST_PDFS = 24 * 1024 * 1024
_IN_MEMORY = 1024 * 1024


@dataclass(frozen=True)
class Claimed:
    """A copy that is being made. fence: what the worker that makes it holds."""

    id: str
    user_id: str
    fence: int


def ask(
    session: Session, user_id: str, *, actor: Actor, source: str, reason: str | None
) -> DataExport:
    """Have a copy made, for oneself or by an admin who has just proved themselves; one at a time.

    Writes: data_exports, audit_log. Raises: Forbidden, NotFound, InvalidInput, Conflict EXPORT_WAITING,
    ALREADY_ERASED. Transaction: caller's.
    """
    if actor.id == user_id:
        step_up.assert_fresh(actor)
    else:
        legal_holds.assert_may(actor)
        reason = legal_holds.assert_reason(reason or "")
    user = people.get_user(session, user_id)
    if user.erased_at is not None:
        raise Conflict("This person was erased; nothing is left to copy.", code="ALREADY_ERASED")
    now = clock.now()
    values: dict[str, object] = {
        "id": ids.new("dex"),
        "user_id": user_id,
        "state": WAITING,
        "open_key": user_id,
        "asked_by": actor.id,
        "reason": reason,
        "asked_at": now,
        "due_at": now,
        "fence": 0,
        "attempts": 0,
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(DataExport).values(values).on_conflict_do_nothing()
    made = session.scalar(statement.returning(DataExport.id))
    if made is None:
        raise Conflict("A copy is being made, or waits to be fetched.", code="EXPORT_WAITING")
    row = session.get_one(DataExport, made)
    _note(session, "person.export", row, actor=actor, source=source, reason=reason)
    database.mark(session, "work")
    return row


def _note(
    session: Session,
    action: str,
    row: DataExport,
    *,
    actor: Actor,
    source: str,
    reason: str | None = None,
) -> None:
    after: dict[str, Json] = {"exportId": row.id, "state": row.state, "size": row.size}
    audit.write(
        session,
        action,
        actor=actor,
        object_kind="user",
        object_id=row.user_id,
        source=source,
        reason=reason,
        after=after,
    )


def claim(session: Session) -> Claimed | None:
    """Take the copy that has waited longest; nobody else takes it while the lease lasts.

    Writes: data_exports. Transaction: caller's; commit before it is made.
    """
    row = queue.take(session, DataExport, DataExport.state == WAITING, seconds=LEASE_SECONDS)
    return None if row is None else Claimed(row.id, row.user_id, row.fence)


@contextmanager
def written(session: Session, user_id: str) -> Iterator[IO[bytes]]:
    """Write somebody's copy to a file of no name, a few rows at a time.

    Transaction: caller's, reads only.
    """
    user = session.get_one(User, user_id)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", _readme(user))
            for part in PARTS:
                with archive.open(f"{part.name}.json", "w") as file:
                    _write_rows(file, part.rows(session, user))
            _write_papers(archive, session, user)
        out.seek(0)
        yield out


def _write_rows(file: IO[bytes], rows: Iterator[export_parts.Row]) -> None:
    file.write(b"[")
    for number, row in enumerate(rows):
        file.write(b",\n" if number else b"\n")
        file.write(json.dumps(dict(row), ensure_ascii=False).encode())
    file.write(b"\n]\n")


def _write_papers(archive: zipfile.ZipFile, session: Session, user: User) -> None:
    left, total = [], 0
    for invoice in session.scalars(export_parts.invoices_of(user)):
        printed = select(Document).where(
            Document.object_kind == Kind.INVOICE.value, Document.object_id == invoice.id
        )
        row = session.scalars(printed).first()
        if row is None or row.sealed_pdf is None or total + (row.pdf_bytes or 0) > LARGEST_PDFS:
            left.append(invoice.number)
            continue
        place = f"documents|pdf|{row.id}"
        pdf = person_keys.open_sealed(session, row.sealed_pdf, purpose="document", place=place)
        total += len(pdf)
        archive.writestr(f"invoices/{_plain(invoice.number)}.pdf", pdf)
        session.expunge(row)
    if left:
        said = "These invoices are not in this copy; each can be read on its order's page:\n"
        archive.writestr("invoices/not-here.txt", said + "\n".join(left) + "\n")


def _plain(number: str) -> str:
    """Give a number as the name of a file, which leads nowhere else."""
    return "".join(each if each.isalnum() or each in "-_" else "-" for each in number)


def _readme(user: User) -> str:
    lines = [
        "This is all that is held about you, as GDPR articles 15 and 20 ask.",
        f"You are {user.id}. Made on {clock.rfc3339(clock.now())}. Times are in UTC.",
        "",
        "Nobody else's data is in it: of other people only the role is said.",
        "We ask you for no consent: what we hold is needed for your orders, or the law asks for it.",
        "Not copied: files that staff put to a case, and what a provider told us word by word;",
        "both are held for claims and deleted by the times that the operator can tell you.",
        "",
    ]
    for part in PARTS:
        lines += [f"{part.name}.json: {part.title}"]
        lines += [f"  {name}: {meaning}" for name, meaning in part.means.items()]
    return "\n".join([*lines, "invoices/: your invoices as they were printed", ""])


def keep(session: Session, claimed: Claimed, body: bytes) -> None:
    """Keep a copy, sealed under the key of its person, and say that it can be fetched.

    Writes: data_exports, audit_log. Raises: LostRace, KeyDestroyed. Transaction: caller's.
    """
    place = f"data_exports|sealed|{claimed.id}"
    whose = Whose(claimed.user_id)
    values: dict[str, object] = {
        "state": READY,
        "sealed": person_keys.seal(session, whose, body, purpose=PURPOSE, place=place),
        "size": len(body),
        "sha256": hashing.sha256(body),
        "due_at": None,
        "ready_at": clock.now(),
        "expires_at": clock.after(retention.terms().export_days * 24 * 3600),
    }
    row = _finish(session, claimed, values)
    by = system("exports")
    _note(session, "person.export_ready", row, actor=by, source=f"export:{claimed.id}")


def fail(session: Session, claimed: Claimed, said: str) -> None:
    """Note that a copy could not be made: again later, in the end given up.

    Writes: data_exports. Raises: LostRace. Transaction: caller's.
    """
    tries = session.get_one(DataExport, claimed.id).attempts + 1
    is_over = tries >= MOST_TRIES
    values: dict[str, object] = {"attempts": tries, "last_error": said[:200]}
    values |= {"due_at": None if is_over else queue.backoff(tries)}
    if is_over:
        values |= {"state": DEAD, "open_key": None}
    _finish(session, claimed, values)


def _finish(session: Session, claimed: Claimed, values: dict[str, object]) -> DataExport:
    own = (
        DataExport.id == claimed.id,
        DataExport.fence == claimed.fence,
        DataExport.state == WAITING,
    )
    statement = update(DataExport).where(*own).values(values).returning(DataExport.id)
    options = {"synchronize_session": False}
    if session.execute(statement, execution_options=options).first() is None:
        raise LostRace
    return session.get_one(DataExport, claimed.id, populate_existing=True)


def newest(session: Session, user_id: str) -> DataExport | None:
    """Find the last copy that was asked for. Transaction: caller's, reads only."""
    statement = select(DataExport).where(DataExport.user_id == user_id)
    order = (DataExport.asked_at.desc(), DataExport.id.desc())
    return session.scalars(statement.order_by(*order).limit(1)).first()


def assert_there(session: Session, export_id: str, user_id: str) -> None:
    """Check that somebody's copy is known at all. Raises: NotFound. Transaction: caller's, reads only."""
    row = session.get(DataExport, export_id)
    if row is None or row.user_id != user_id:
        raise NotFound


def fetch(session: Session, export_id: str, user_id: str, *, actor: Actor, source: str) -> bytes:
    """Open a copy to hand it out, to its person or to an admin who has just proved themselves.

    Writes: audit_log. Raises: NotFound, Forbidden, Gone, KeyDestroyed. Transaction: caller's.
    """
    statement = select(DataExport).where(DataExport.id == export_id, DataExport.user_id == user_id)
    row = session.scalars(statement.options(undefer(DataExport.sealed))).first()
    if row is None or (actor.id != user_id and not actor.is_staff):
        raise NotFound
    if actor.id == user_id:
        step_up.assert_fresh(actor)
    else:
        legal_holds.assert_may(actor)
    is_over = row.expires_at is not None and row.expires_at <= clock.now()
    if row.sealed is None or is_over:
        raise Gone("This copy is kept no longer. Ask for a new one.")
    place = f"data_exports|sealed|{row.id}"
    body = person_keys.open_sealed(session, row.sealed, purpose=PURPOSE, place=place)
    if hashing.sha256(body) != row.sha256:
        raise RuntimeError("a copy's bytes are not those that were made")
    _note(session, "person.export_fetch", row, actor=actor, source=source)
    return body
