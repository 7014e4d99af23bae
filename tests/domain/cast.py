"""People of the desk for tests of the domain, as they are right after showing their second factor."""

from __future__ import annotations

from dataclasses import replace

from core import clock
from core.states import Kyc, Role
from domain import database
from domain.actors import Actor, system
from domain.people import keys, people, sessions
from models.people import Merchant, User

_TEST = system("test")


def person(name: str, role: Role, *, fresh: bool = True, email: str | None = None) -> Actor:
    """Add somebody and sign them in on the desk. fresh: they have just proved themselves."""
    wanted = people.NewUser(
        email=email or f"{name}@staff.test", role=role, name=name.capitalize(), kyc=Kyc.APPROVED
    )
    with database.transaction() as session:
        user = people.create_user(session, wanted, actor=_TEST, source="test")
        opened = sessions.open_session(session, user, address=None, browser=None)
    at = clock.now() if fresh else None
    return sessions.actor_of(user, session_id=opened.session_id, stepped_up_at=at)


def by_token(actor: Actor) -> Actor:
    """Give the same person as a token of theirs calls the API."""
    return replace(actor, session_id="jti_of_theirs", stepped_up_at=None)


def change(actor: Actor, **values: object) -> None:
    """Change a person's row behind everybody's back."""
    with database.transaction() as session:
        row = session.get_one(User, actor.id)
        for name, value in values.items():
            setattr(row, name, value)


def merchants_key(merchant_id: str, *, made_by: Actor = _TEST) -> Actor:
    """Make a merchant's key, and give who its holder is."""
    with database.transaction() as session:
        owner = session.get_one(Merchant, merchant_id)
        owner.kyc = "approved"
        wanted = keys.NewKey(name="k", livemode=False, scopes=("refunds:request",))
        made = keys.create_key(session, owner, wanted, actor=made_by, source="test")
        found = keys.find_holder(session, made.row.id)
    assert found is not None
    return found
