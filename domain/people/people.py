"""Users and merchants: made, found by blind index, shown; addresses sealed. Signing in is `domain/people/sign_in.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict, NotFound, invalid
from core.states import STAFF, Kyc, Role
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.people import passwords
from domain.secrets import keyring, person_keys
from domain.secrets.person_keys import Whose
from models.people import ApiKey, Merchant, User
from models.proofs import AccountLink, Passkey

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,190}")
_PURPOSE = "email"
LONGEST_NAME = 120
# How somebody is called who was erased.
ERASED = "Erased person"
# Zero-width joiners: invisible, and part of how some names are written.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class NewUser:
    """Who to add. password None: nobody can sign in with one until it is set."""

    email: str
    role: Role
    name: str | None = None
    password: str | None = None
    merchant_id: str | None = None
    kyc: Kyc = Kyc.NONE
    demo: bool = False


@dataclass(frozen=True)
class UserFilter:
    """What a list of users is narrowed to; `q` is an exact address or id, or a part of the name.

    has_factor: whether they set up a second factor themselves.
    """

    roles: tuple[str, ...] = ()
    kyc: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    q: str | None = None
    has_factor: bool | None = None


def _place(user_id: str) -> str:
    return f"users|email|{user_id}"


def email_index(email: str) -> str:
    """Give the blind index by which an address is found."""
    return keyring.vault().blind_index(email, purpose=_PURPOSE)


def email_of(user: User) -> str:
    """Open a user's address; of somebody erased there is none: empty."""
    if user.erased_at is not None:
        return ""
    return person_keys.open_text(user, user.email_sealed, purpose=_PURPOSE, place=_place(user.id))


def person_index(email: str) -> str:
    """Give the blind index that two accounts of one person share: no case, no `+tag`."""
    local, _, host = email.strip().casefold().rpartition("@")
    return keyring.vault().blind_index(f"{local.split('+', 1)[0]}@{host}", purpose="person")


def person_of(session: Session, actor: Actor) -> str:
    """Name the human behind an actor, the same for each of their accounts; a key acts for its maker."""
    user_id: str | None = actor.id
    if actor.kind == "key":
        user_id = session.scalar(select(ApiKey.made_by).where(ApiKey.id == actor.id))
    user = session.get(User, user_id) if user_id and actor.kind != "system" else None
    return actor.id if user is None else person_index_of(user)


def person_index_of(user: User) -> str:
    """Give the blind index of the human behind an account."""
    # Rows from before the column came have none.
    return user.person_index or person_index(email_of(user))


def find_user(session: Session, email: str) -> User | None:
    """Find a user by address, exact but for case."""
    statement = select(User).where(User.email_index == email_index(email))
    return session.scalars(statement).first()


def get_user(session: Session, user_id: str) -> User:
    """Fetch a user.

    Raises: NotFound
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound
    return user


def get_visible_user(session: Session, user_id: str, *, actor: Actor) -> User:
    """Fetch a user whom the actor may see: themself, or anybody for those who administer people.

    Raises: NotFound
    """
    sees_all = actor.kind == "system" or (
        actor.kind == "user"
        and actor.role in (Role.ADMIN, Role.AUDITOR, Role.SUPPORT, Role.FINANCE)
    )
    if user_id != actor.id and not sees_all:
        raise NotFound
    return get_user(session, user_id)


def clean_email(email: str) -> str:
    """Give an address as it is kept.

    Raises: InvalidInput
    """
    email = email.strip()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise invalid("email", "This is not an e-mail address.")
    return email


def clean_name(name: str | None) -> str | None:
    """Give a name as it is kept: one line, nothing that could turn or hide the words around it.

    Raises: InvalidInput
    """
    name = (name or "").strip()
    if len(name) > LONGEST_NAME:
        raise invalid("name", f"A name has at most {LONGEST_NAME} characters.")
    if not "".join(each for each in name if each not in _JOINERS).isprintable():
        raise invalid("name", "A name is one line of letters, without signs that cannot be seen.")
    return name or None


def assert_home(role: Role, merchant_id: str | None) -> None:
    """Check that a role and the merchant somebody belongs to go together.

    Raises: InvalidInput
    """
    if role == Role.MERCHANT and merchant_id is None:
        raise invalid("merchantId", "A user with the role merchant belongs to a merchant.")
    if role in STAFF and merchant_id is not None:
        raise invalid("merchantId", "Staff belong to no merchant.")


def create_user(session: Session, wanted: NewUser, *, actor: Actor, source: str) -> User:
    """Add a user.

    Writes: users, person_keys, event_log, audit_log. Emits: user.created.
    Raises: InvalidInput, Conflict USER_EXISTS. Transaction: caller's.
    """
    email = clean_email(wanted.email)
    assert_home(wanted.role, wanted.merchant_id)
    if find_user(session, email) is not None:
        raise Conflict("There is a user with this address.", code="USER_EXISTS")
    user_id = ids.new("usr")
    user = User(
        id=user_id,
        email_sealed=person_keys.seal_text(
            session, Whose(user_id), email, purpose=_PURPOSE, place=_place(user_id)
        ),
        email_index=email_index(email),
        person_index=person_index(email),
        name=clean_name(wanted.name),
        role=wanted.role.value,
        kyc=wanted.kyc.value,
        state="active",
        merchant_id=wanted.merchant_id,
        password_hash=passwords.hashed(wanted.password) if wanted.password else None,
        password_set_at=clock.now() if wanted.password else None,
        demo=wanted.demo,
        created_at=clock.now(),
    )
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError as error:
        # Somebody else added the address at the same moment.
        raise Conflict("There is a user with this address.", code="USER_EXISTS") from error
    _announce(session, user, actor=actor, source=source)
    return user


def _announce(session: Session, user: User, *, actor: Actor, source: str) -> None:
    body: dict[str, Json] = {"userId": user.id, "what": "created"}
    told = events.row("user.created", about_user(user.id), source=source, body=body)
    events.append(session, [told])
    audit.write(
        session,
        "user.create",
        actor=actor,
        object_kind="user",
        object_id=user.id,
        source=source,
        after={"role": user.role, "kyc": user.kyc, "merchantId": user.merchant_id},
    )


def about_user(user_id: str) -> events.About:
    """Point an event at a person: staff and that person see it."""
    # An event shows itself to its buyer; here the person is the one it is about.
    return events.About(object_id=user_id, buyer_id=user_id)


def set_password(session: Session, user: User, password_hash: str, *, actor: Actor) -> None:
    """Store a new password's hash, made outside the transaction; links that would set another end.

    Writes: users, account_links, event_log, audit_log. Emits: user.changed. Transaction: caller's.
    """
    user.password_hash = password_hash
    user.password_set_at = clock.now()
    session.execute(
        update(AccountLink)
        .where(
            AccountLink.user_id == user.id,
            AccountLink.used_at.is_(None),
            AccountLink.ended_at.is_(None),
        )
        .values(ended_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    body: dict[str, Json] = {"userId": user.id, "what": "password"}
    told = events.row("user.changed", about_user(user.id), source=f"user:{actor.id}", body=body)
    events.append(session, [told])
    audit.write(
        session,
        "user.set_password",
        actor=actor,
        object_kind="user",
        object_id=user.id,
        source=f"user:{actor.id}",
    )


def house_merchant(session: Session) -> Merchant:
    """Fetch the merchant that owns what has no other."""
    return session.scalars(select(Merchant).where(Merchant.is_house)).one()


def find_merchant(session: Session, name: str) -> Merchant | None:
    """Find a merchant by id, short name or name."""
    wanted = or_(Merchant.id == name, Merchant.slug == slug_of(name), Merchant.name == name)
    return session.scalars(select(Merchant).where(wanted).order_by(Merchant.id)).first()


def slug_of(name: str) -> str:
    """Give the short name of a merchant's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:64]


def create_merchant(
    session: Session, name: str, *, actor: Actor, state: str = "intake", kyc: Kyc = Kyc.NONE
) -> Merchant:
    """Add a merchant. state `approved` may have live keys.

    Writes: merchants, audit_log. Raises: InvalidInput, Conflict. Transaction: caller's.
    """
    slug = slug_of(name)
    if not slug:
        raise invalid("name", "A merchant's name needs letters or digits.")
    if find_merchant(session, name) is not None:
        raise Conflict("There is a merchant with this name.")
    merchant = Merchant(
        id=ids.new("mer"),
        name=name,
        slug=slug,
        state=state,
        kyc=kyc.value,
        is_house=False,
        created_at=clock.now(),
    )
    session.add(merchant)
    session.flush()
    audit.write(
        session,
        "merchant.create",
        actor=actor,
        object_kind="merchant",
        object_id=merchant.id,
        source=f"user:{actor.id}",
        after={"state": state, "kyc": kyc.value},
    )
    return merchant


def conditions(wanted: UserFilter) -> list[ColumnElement[bool]]:
    """Give the conditions that narrow people down to a filter."""
    found: list[ColumnElement[bool]] = []
    if wanted.roles:
        found.append(User.role.in_(wanted.roles))
    if wanted.kyc:
        found.append(User.kyc.in_(wanted.kyc))
    if wanted.states:
        found.append(User.state.in_(wanted.states))
    if wanted.has_factor is not None:
        has = _has_a_factor()
        found.append(has if wanted.has_factor else ~has)
    if wanted.q:
        part = func.lower(User.name).contains(wanted.q.lower(), autoescape=True)
        found.append(or_(User.id == wanted.q, User.email_index == email_index(wanted.q), part))
    return found


def list_users(
    session: Session,
    wanted: UserFilter,
    *,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> list[User]:
    """List users, newest first. before: the place after which the page begins."""
    found = conditions(wanted)
    if before is not None:
        at, user_id = before
        found.append(or_(User.created_at < at, and_(User.created_at == at, User.id < user_id)))
    statement = select(User).where(*found).order_by(User.created_at.desc(), User.id.desc())
    return list(session.scalars(statement.limit(limit)))


def with_a_factor(session: Session, user_ids: Sequence[str]) -> frozenset[str]:
    """Tell which of these users set a second factor up; one that was only handed out does not count."""
    statement = select(User.id).where(User.id.in_(user_ids), _has_a_factor())
    return frozenset(session.scalars(statement))


def _has_a_factor() -> ColumnElement[bool]:
    passkey = select(Passkey.id).where(Passkey.user_id == User.id).exists()
    return or_(User.totp_confirmed_at.is_not(None), passkey)


def wire(user: User, *, has_factor: bool) -> dict[str, Json]:
    """Write a user as the API answers it. has_factor: from `with_a_factor`."""
    return {
        "userId": user.id,
        "email": email_of(user),
        "name": user.name,
        "role": user.role,
        "kyc": user.kyc,
        "state": user.state,
        "merchantId": user.merchant_id,
        "secondFactor": has_factor,
        "lastSeenAt": clock.rfc3339(user.seen_at),
        "createdAt": clock.rfc3339(user.created_at),
    }


def said(session: Session, user: User) -> dict[str, Json]:
    """Write one user as the API answers it."""
    return wire(user, has_factor=bool(with_a_factor(session, [user.id])))
