"""Files on cases, payments and disputes: checked, sealed, listed, opened and removed; for staff and nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, undefer

from core import clock, hashing, ids
from core.errors import Conflict, Forbidden, NotFound, invalid
from core.permissions import Permission
from core.redaction import holds_card_number
from core.strictjson import Json
from domain import audit, database
from domain.actors import Actor
from domain.cases import file_kinds
from domain.cases.file_kinds import Checked
from domain.secrets import keyring
from models.cases import Attachment, ExceptionCase
from models.disputes import Dispute
from models.payments import Payment

# The vault binds each file to its row: nobody can swap the bytes of two.
PURPOSE = "attachment"
MOST_FILES = 50
SHORTEST_REASON, LONGEST_REASON = 3, 500
KINDS = ("case", "payment", "dispute")
_WRITES = {
    "case": Permission.EXCEPTIONS_NOTE,
    "payment": Permission.PAYMENTS_NOTE,
    "dispute": Permission.DISPUTES_ANSWER,
}


@dataclass(frozen=True)
class Given:
    """A file that was checked and hashed before any transaction is open."""

    checked: Checked
    body: bytes
    sha256: str


@dataclass(frozen=True)
class Opened:
    """A file to be handed out."""

    name: str
    media: str
    body: bytes


def place(attachment_id: str) -> str:
    """Name where a file's bytes are sealed, for whoever seals them anew."""
    return f"attachments|sealed|{attachment_id}"


def check(name: str, body: bytes) -> Given:
    """Check and hash a file that somebody sent.

    Raises: InvalidInput
    """
    return Given(file_kinds.check(name, body), body, hashing.sha256(body))


def assert_may_read(actor: Actor) -> None:
    """Check that somebody is staff; to everybody else no file exists.

    Raises: NotFound
    """
    if not actor.is_staff or not actor.may(Permission.PAYMENTS_SUPPORT):
        raise NotFound


def may_write(actor: Actor, object_kind: str) -> bool:
    """Tell whether somebody may put a file to a case, a payment or a dispute."""
    return actor.is_staff and actor.may(_WRITES[object_kind])


def _find(object_kind: str, object_id: str) -> Select[str]:
    known = {"case": ExceptionCase.id, "payment": Payment.id, "dispute": Dispute.id}
    found = known.get(object_kind)
    if found is None:
        raise NotFound
    return select(found).where(found == object_id)


def assert_there(session: Session, object_kind: str, object_id: str, *, actor: Actor) -> None:
    """Check that a case or payment is there, for staff.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    assert_may_read(actor)
    if session.scalar(_find(object_kind, object_id)) is None:
        raise NotFound


def put(
    session: Session, object_kind: str, object_id: str, given: Given, *, actor: Actor, source: str
) -> tuple[Attachment, bool]:
    """Keep a file with a case or payment, sealed; the same bytes are there once.

    Gives the row and whether it is new. Writes: attachments, audit_log.
    Raises: NotFound, Forbidden, Conflict. Transaction: caller's.
    """
    assert_may_read(actor)
    if not may_write(actor, object_kind):
        raise Forbidden
    # Whoever puts files to one object takes turns at it, so that they can be counted.
    turn = _find(object_kind, object_id).with_for_update(key_share=True)
    if session.scalar(turn) is None:
        raise NotFound
    live = Attachment.object_id == object_id, Attachment.removed_at.is_(None)
    key = f"{object_id}:{given.sha256}"
    if known := session.scalars(select(Attachment).where(Attachment.live_key == key)).first():
        return known, False
    if (session.scalar(select(func.count()).where(*live)) or 0) >= MOST_FILES:
        raise Conflict(f"At most {MOST_FILES} files are kept here. Remove one that is not needed.")
    values = _values(object_kind, object_id, given, actor) | {"live_key": key}
    dialect = sqlite if database.is_sqlite() else postgresql
    session.execute(dialect.insert(Attachment).values(values))
    row = session.get_one(Attachment, values["id"])
    _note(session, "attachment.add", row, actor=actor, source=source)
    return row, True


def _values(object_kind: str, object_id: str, given: Given, actor: Actor) -> dict[str, object]:
    attachment_id = ids.new("att")
    sealed = keyring.vault().seal(given.body, purpose=PURPOSE, place=place(attachment_id))
    return {
        "id": attachment_id,
        "object_kind": object_kind,
        "object_id": object_id,
        "name": given.checked.name,
        "media": given.checked.media,
        "size": len(given.body),
        "sha256": given.sha256,
        "sealed": sealed,
        "actor": actor.id,
        "at": clock.now(),
    }


def list_of(session: Session, object_id: str) -> list[Attachment]:
    """List the files of a case or payment, oldest first, with what is left of removed ones.

    The bytes are not read. Transaction: caller's, reads only.
    """
    statement = select(Attachment).where(Attachment.object_id == object_id)
    return list(session.scalars(statement.order_by(Attachment.at, Attachment.id)))


def get(session: Session, attachment_id: str, *, actor: Actor, lock: bool = False) -> Attachment:
    """Fetch what is known of a file.

    Raises: NotFound, the same for who is not staff. Transaction: caller's.
    """
    assert_may_read(actor)
    statement = select(Attachment).where(Attachment.id == attachment_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def open_file(session: Session, attachment_id: str, *, actor: Actor, source: str) -> Opened:
    """Open a file to hand it out; who did it is written down in the same commit.

    Writes: audit_log. Raises: NotFound, also for a removed one; CannotOpen. Transaction: caller's.
    """
    assert_may_read(actor)
    statement = select(Attachment).where(Attachment.id == attachment_id)
    row = session.scalars(statement.options(undefer(Attachment.sealed))).first()
    if row is None or row.removed_at is not None or row.sealed is None:
        raise NotFound
    body = keyring.vault().open(row.sealed, purpose=PURPOSE, place=place(row.id))
    if hashing.sha256(body) != row.sha256:
        raise RuntimeError("an attachment's bytes are not those that were hashed")
    _note(session, "attachment.download", row, actor=actor, source=source)
    return Opened(row.name, row.media, body)


def why_not_remove(row: Attachment, actor: Actor) -> str | None:
    """Say why somebody may not remove a file; None when they may."""
    if not may_write(actor, row.object_kind):
        return "Your role reads files only."
    if row.actor != actor.id and not actor.may(Permission.EXCEPTIONS_BULK):
        return "Somebody else put it here; finance or an admin may remove it."
    return None


def remove(
    session: Session, attachment_id: str, *, actor: Actor, reason: str, source: str
) -> Attachment:
    """Remove a file: its bytes are gone, its row, hash and history stay. Again: nothing changes.

    Writes: attachments, audit_log. Raises: NotFound, Forbidden, InvalidInput. Transaction: caller's.
    """
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or holds_card_number(reason):
        raise invalid("reason", "Say why in a few words, without a card number.")
    row = get(session, attachment_id, actor=actor, lock=True)
    if (refused := why_not_remove(row, actor)) is not None:
        raise Forbidden(refused)
    if row.removed_at is not None:
        return row
    row.live_key, row.sealed = None, None
    row.removed_at, row.removed_by, row.removed_reason = clock.now(), actor.id, reason
    session.flush()
    _note(session, "attachment.remove", row, actor=actor, source=source, reason=reason)
    return row


def _note(
    session: Session,
    action: str,
    row: Attachment,
    *,
    actor: Actor,
    source: str,
    reason: str | None = None,
) -> None:
    # The name is somebody's text and stays out of the log.
    said: dict[str, Json] = {
        "objectId": row.object_id,
        "media": row.media,
        "size": row.size,
        "sha256": row.sha256,
    }
    audit.write(
        session,
        action,
        actor=actor,
        object_kind="attachment",
        object_id=row.id,
        source=source,
        reason=reason,
        after=said,
    )
