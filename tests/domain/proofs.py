"""People who prove themselves, for tests of the domain: with a session, codes and passkeys."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import pyotp

from config import Settings
from core import clock
from core.states import Role
from domain.actors import Actor, system
from domain.database import reading, transaction
from domain.mail import mails
from domain.people import enrolment, passkeys, passwords, people, second_factor, sessions
from domain.people.passkeys import Site
from domain.secrets import keyring
from models.people import User
from tests.domain.authenticator import Authenticator, challenge_of

WORD = "correct horse battery"
SITE = Site(host="localhost", origin="http://localhost")
_numbers = itertools.count(1)


def configure(settings: Settings) -> None:
    """Take the settings; passwords are cheap, and nobody's."""
    keyring.configure(settings)
    mails.configure(settings)
    passwords.configure(cheap=True)


@dataclass(frozen=True)
class Someone:
    """A person at the desk. token: the cookie's value."""

    id: str
    actor: Actor
    token: str
    email: str

    @property
    def fresh(self) -> Actor:
        """The same person, who has just proved themselves."""
        return replace(self.actor, stepped_up_at=clock.now())


def add(role: Role = Role.FINANCE, *, email: str = "", password: str = WORD) -> Someone:
    """Add a person who is signed in at the desk."""
    email = email or f"p{next(_numbers)}@people.test"
    with transaction() as session:
        wanted = people.NewUser(email=email, role=role, name="Someone", password=password)
        user_id = people.create_user(session, wanted, actor=system("test"), source="test").id
    return _signed_in(user_id, email)


def _signed_in(user_id: str, email: str) -> Someone:
    with transaction() as session:
        user = session.get_one(User, user_id)
        opened = sessions.open_session(session, user, address=None, browser=None)
        actor = sessions.actor_of(user, session_id=opened.session_id)
    return Someone(user_id, actor, opened.token, email)


def another_session(who: Someone) -> Someone:
    """Sign the same person in once more."""
    return _signed_in(who.id, who.email)


def give_app(user_id: str, *, confirmed: bool = True) -> pyotp.TOTP:
    """Give a person codes, as if set up before; gives what makes them."""
    secret = pyotp.random_base32()
    place = second_factor.place(user_id)
    with transaction() as session:
        user = session.get_one(User, user_id)
        user.totp_sealed = keyring.seal_text(secret, purpose=second_factor.PURPOSE, place=place)
        user.totp_confirmed_at = clock.now() if confirmed else None
        user.totp_last_counter = None
    return pyotp.TOTP(secret)


def give_passkey(
    who: Someone, key: Authenticator | None = None, *, name: str = "Key"
) -> Authenticator:
    """Set a passkey up; gives the device that holds it."""
    key = key or Authenticator()
    with transaction() as session:
        _, options = passkeys.ask_new(
            session, who.id, actor=who.fresh, site=SITE, password_shown=True
        )
    challenge = challenge_of(options)
    made = passkeys.read_new(key.make(challenge), challenge=challenge, site=SITE)
    with transaction() as session:
        passkeys.add(session, who.id, made, name, actor=who.fresh)
    return key


def begin_app(who: Someone, *, password_shown: bool = True) -> pyotp.TOTP:
    """Begin to set codes up; gives what makes them."""
    with transaction() as session:
        enrolment.begin_app(session, who.id, actor=who.actor, password_shown=password_shown)
    with reading() as session:
        pending = enrolment.find_pending(session.get_one(User, who.id), actor=who.actor)
        assert pending is not None
        return pyotp.TOTP(pending.secret)
