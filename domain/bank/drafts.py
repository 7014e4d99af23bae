"""Files that somebody is about to import: kept sealed while they look at how they would be read, dropped after."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, undefer

from core import clock, ids
from core.errors import NotFound
from domain.actors import Actor
from domain.secrets import keyring
from models.statements import BankDraft

PURPOSE = "bank_draft"
KEPT_HOURS = 24


def place(draft_id: str) -> str:
    """Name where a draft's file is sealed."""
    return f"bank_drafts|sealed|{draft_id}"


def keep(session: Session, account: str, body: bytes, *, actor: Actor) -> str:
    """Keep a file; what its person kept before goes. Gives its id.

    Writes: bank_drafts. Transaction: caller's.
    """
    session.execute(delete(BankDraft).where(BankDraft.made_by == actor.id))
    draft_id = ids.new("bdr")
    sealed = keyring.vault().seal(body, purpose=PURPOSE, place=place(draft_id))
    session.add(
        BankDraft(
            id=draft_id, account=account, sealed=sealed, made_by=actor.id, made_at=clock.now()
        )
    )
    session.flush()
    return draft_id


def open_draft(session: Session, draft_id: str, *, actor: Actor) -> tuple[BankDraft, bytes]:
    """Open a file that this person kept.

    Raises: NotFound, also for somebody else's. Transaction: caller's, reads only.
    """
    own = select(BankDraft).where(BankDraft.id == draft_id, BankDraft.made_by == actor.id)
    row = session.scalars(own.options(undefer(BankDraft.sealed))).first()
    if row is None:
        raise NotFound
    return row, keyring.vault().open(row.sealed, purpose=PURPOSE, place=place(row.id))


def drop(session: Session, draft_id: str, *, actor: Actor) -> None:
    """Throw a file away. Writes: bank_drafts. Transaction: caller's."""
    own = BankDraft.id == draft_id, BankDraft.made_by == actor.id
    session.execute(delete(BankDraft).where(*own))


def forget_old(session: Session, *, now: datetime) -> None:
    """Throw away what nobody imported within a day. Writes: bank_drafts. Transaction: caller's."""
    before = now - timedelta(hours=KEPT_HOURS)
    session.execute(delete(BankDraft).where(BankDraft.made_at < before))
