"""Links by which a person sets a password: invitations and resets, used once, ended by a newer one.

A link never signs anybody in: with the new password the second factor is asked for as always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from core import clock, hashing, ids
from core.errors import Conflict, Gone
from core.states import Person
from domain import audit
from domain.actors import Actor, system
from domain.mail import mails
from domain.mail.mails import Letter
from domain.people import people, sessions
from models.people import User
from models.proofs import AccountLink, Mail

# Source: OWASP forgot password cheat sheet (single use, short life); an invitation waits for a weekend
LIFE_SECONDS: Mapping[str, int] = {"invite": 72 * 3600, "reset": 30 * 60}
# Whoever keeps asking for a person's reset fills nobody's mailbox.
PAUSE_SECONDS = 120
OVER = "This link has been used, has expired, or a newer one took its place."
_MAILER = system("mail")


@dataclass(frozen=True)
class Made:
    """A link just made. url: shown or sent once, kept nowhere in the clear."""

    link_id: str
    url: str


def _hash(token: str) -> str:
    return hashing.sha256(f"account link|{token}".encode())


def _live() -> list[ColumnElement[bool]]:
    return [
        AccountLink.used_at.is_(None),
        AccountLink.ended_at.is_(None),
        AccountLink.expires_at > clock.now(),
    ]


def kind_for(user: User) -> str:
    """Tell which link a person gets: whoever never set a password is still being invited."""
    return "reset" if user.password_hash else "invite"


def make(
    session: Session, user: User, *, actor: Actor, source: str, reason: str | None = None
) -> Made:
    """Make a person's link and write the letter that brings it; their older links end.

    Writes: account_links, mails, audit_log. Raises: Conflict. Transaction: caller's.
    """
    user = session.get_one(
        User, user.id, with_for_update={"key_share": True}, populate_existing=True
    )
    if user.state != Person.ACTIVE:
        raise Conflict("This account is closed. Enable it first.")
    kind, token, now = kind_for(user), ids.token(32), clock.now()
    end_all(session, user.id)
    row = AccountLink(
        id=ids.new("lnk"),
        user_id=user.id,
        kind=kind,
        token_hash=_hash(token),
        made_by=actor.id,
        made_at=now,
        expires_at=clock.after(LIFE_SECONDS[kind]),
    )
    session.add(row)
    session.flush()
    audit.write(
        session,
        f"user.{kind}",
        actor=actor,
        object_kind="user",
        object_id=user.id,
        source=source,
        reason=reason,
        after={"linkId": row.id, "expiresAt": clock.rfc3339(row.expires_at)},
    )
    url = mails.link(f"/account/set-password/{token}")
    mails.write(session, user, _letter(kind, user, url))
    return Made(row.id, url)


def _letter(kind: str, user: User, url: str) -> Letter:
    hello = f"Hello {user.name}," if user.name else "Hello,"
    if kind == "invite":
        return Letter(
            kind,
            "Your invitation to Paydesk",
            f"{hello}\n\nyou are invited to Paydesk as {user.role}. Choose your password here, "
            f"within three days:\n\n{url}\n\nThe link works once. If you do not expect this, "
            "leave it: nothing happens.",
        )
    return Letter(
        kind,
        "Set a new password for Paydesk",
        f"{hello}\n\nsomebody, probably you, asked for a new password. Set it here, within half "
        f"an hour:\n\n{url}\n\nThe link works once and ends your sessions everywhere. If it was "
        "not you, leave it: your password stays as it is.",
    )


def end_all(session: Session, user_id: str) -> None:
    """End every link of a person that still works.

    Writes: account_links. Transaction: caller's.
    """
    session.execute(
        update(AccountLink)
        .where(AccountLink.user_id == user_id, *_live())
        .values(ended_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def find(session: Session, token: str) -> User | None:
    """Find whose password a link sets, while it works."""
    statement = (
        select(User)
        .join(AccountLink, AccountLink.user_id == User.id)
        .where(AccountLink.token_hash == _hash(token), User.state == Person.ACTIVE.value, *_live())
    )
    return session.scalars(statement).first()


def use(session: Session, token: str, password_hash: str, *, address: str | None = None) -> User:
    """Set the password a link is for, end the link, and sign its person out everywhere.

    Used once: the database gives the link to one of any number who try together.
    Writes: account_links, users, desk_sessions, revoked_tokens, mails, event_log, audit_log.
    Emits: session.revoked. Raises: Gone. Transaction: caller's.
    """
    used = session.execute(
        update(AccountLink)
        .where(AccountLink.token_hash == _hash(token), *_live())
        .values(used_at=clock.now())
        .returning(AccountLink.user_id, AccountLink.kind)
        .execution_options(synchronize_session=False)
    ).first()
    if used is None:
        raise Gone(OVER)
    user = session.get_one(
        User, used.user_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if user.state != Person.ACTIVE:
        raise Gone(OVER)
    actor = sessions.actor_of(user, address=address)
    people.set_password(session, user, password_hash, actor=actor)
    sessions.end_all(session, user.id, actor=actor)
    if used.kind == "reset":
        mails.write(session, user, _CHANGED)
    return user


_CHANGED = Letter(
    "told",
    "Your Paydesk password was changed",
    "Hello,\n\nthe password of your account was just changed, and you were signed out everywhere."
    " If that was you, all is well. If not, tell an admin at once.",
)


def answer_wish(session: Session, row: Mail) -> None:
    """Send whoever forgot their password a link, if there is such a person; a stranger gets nothing.

    Writes: mails, account_links, audit_log. Transaction: caller's, holding the wish's lease.
    """
    user = people.find_user(session, mails.to_of(row))
    if user is not None and user.state == Person.ACTIVE and not _was_just_made(session, user.id):
        make(session, user, actor=_MAILER, source=f"mail:{row.id}")
    # A stranger's address is kept no longer than it takes to find out that it is one.
    session.delete(row)
    session.flush()


def _was_just_made(session: Session, user_id: str) -> bool:
    recent = AccountLink.made_at > clock.after(-PAUSE_SECONDS)
    by_wish = AccountLink.made_by == _MAILER.id
    statement = select(AccountLink.id).where(
        AccountLink.user_id == user_id, recent, by_wish, *_live()
    )
    return session.scalars(statement.limit(1)).first() is not None
