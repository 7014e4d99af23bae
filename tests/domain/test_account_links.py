"""Links that set a password: used once whoever tries together, ended by a newer one, never a way around."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from core import clock
from core.errors import Conflict, Gone
from core.states import Role
from domain.actors import system
from domain.database import reading, transaction
from domain.mail import mails
from domain.people import account_links, passwords, people, sessions
from models.people import DeskSession, User
from models.proofs import AccountLink, Mail
from tests.domain.world import World

ACTOR = system("test")
NEW = "four unrelated words here"


@pytest.fixture(autouse=True)
def _ready(world: World) -> None:
    del world
    passwords.configure(cheap=True)


def add(email: str = "nina@people.test", **more: object) -> str:
    with transaction() as session:
        wanted = people.NewUser(email=email, role=Role.SUPPORT, **more)  # type: ignore[arg-type]
        return people.create_user(session, wanted, actor=ACTOR, source="test").id


def make(user_id: str) -> str:
    """Make a link; gives its token."""
    with transaction() as session:
        user = session.get_one(User, user_id)
        return account_links.make(session, user, actor=ACTOR, source="test").url.rpartition("/")[2]


def use(token: str, password: str = NEW) -> None:
    hashed = passwords.hashed(password)
    with transaction() as session:
        account_links.use(session, token, hashed)


def is_live(token: str) -> bool:
    with reading() as session:
        return account_links.find(session, token) is not None


def letters() -> list[Mail]:
    with reading() as session:
        return list(session.scalars(select(Mail).order_by(Mail.created_at, Mail.id)))


def test_a_link_sets_the_password_once() -> None:
    user_id = add()
    token = make(user_id)
    use(token)
    with reading() as session:
        user = session.get_one(User, user_id)
        assert passwords.verify(user.password_hash, NEW)
        assert user.password_set_at is not None
    with pytest.raises(Gone):
        use(token, "another long password")
    with reading() as session:
        assert passwords.verify(session.get_one(User, user_id).password_hash, NEW)


def test_no_link_is_kept_in_the_clear() -> None:
    token = make(add())
    with reading() as session:
        row = session.scalars(select(AccountLink)).one()
        mail = session.scalars(select(Mail)).one()
        assert token not in row.token_hash
        assert token.encode() not in mail.body_sealed
        assert b"nina" not in mail.to_sealed
        assert f"/account/set-password/{token}" in mails.opened(mail).body


def test_a_newer_link_ends_the_older() -> None:
    user_id = add()
    first, second = make(user_id), make(user_id)
    assert not is_live(first)
    assert is_live(second)
    with pytest.raises(Gone):
        use(first)
    use(second)


@pytest.mark.parametrize(
    ("password", "lives", "dies"),
    [
        (None, timedelta(hours=71), timedelta(hours=73)),
        (NEW, timedelta(minutes=29), timedelta(minutes=31)),
    ],
    ids=["invitation", "reset"],
)
def test_a_link_ends_by_itself(password: str | None, lives: timedelta, dies: timedelta) -> None:
    token, now = make(add(password=password)), clock.now()
    with time_machine.travel(now + lives, tick=False):
        assert is_live(token)
    with time_machine.travel(now + dies, tick=False):
        assert not is_live(token)
        with pytest.raises(Gone):
            use(token, "a password too late")


def test_setting_a_password_signs_the_person_out_everywhere() -> None:
    user_id = add(password="the old password")
    with transaction() as session:
        user = session.get_one(User, user_id)
        sessions.open_session(session, user, address=None, browser="Firefox")
        sessions.note_token(session, user, "jti_x", address=None, stepped_up=False)
    use(make(user_id))
    with reading() as session:
        rows = session.scalars(select(DeskSession).where(DeskSession.user_id == user_id)).all()
        assert len(rows) == 2
        assert all(row.ended_at is not None for row in rows)
        assert sessions.find_token_user(session, user_id, "jti_x") is None
    assert letters()[-1].kind == "told"


def test_a_closed_account_gets_no_link_and_its_link_opens_nothing() -> None:
    user_id = add()
    token = make(user_id)
    with transaction() as session:
        session.get_one(User, user_id).state = "disabled"
    assert not is_live(token)
    with pytest.raises(Gone):
        use(token)
    with pytest.raises(Conflict):
        make(user_id)
    with reading() as session:
        assert session.get_one(User, user_id).password_hash is None


def test_a_changed_password_ends_a_reset_that_was_on_its_way() -> None:
    user_id = add(password="the old password")
    token = make(user_id)
    with transaction() as session:
        user = session.get_one(User, user_id)
        people.set_password(session, user, passwords.hashed(NEW), actor=ACTOR)
    assert not is_live(token)


def test_of_many_who_use_one_link_together_one_does() -> None:
    user_id = add()
    token = make(user_id)
    words = [f"{no} unrelated words here" for no in range(8)]
    hashes = [passwords.hashed(each) for each in words]
    start, won, lost = threading.Barrier(len(words)), [], []

    def race(no: int) -> None:
        start.wait()
        try:
            with transaction() as session:
                account_links.use(session, token, hashes[no])
            won.append(no)
        except Gone:
            lost.append(no)

    threads = [threading.Thread(target=race, args=(no,)) for no in range(len(words))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, len(words) - 1)
    with reading() as session:
        stored = session.get_one(User, user_id).password_hash
        assert passwords.verify(stored, words[won[0]])


def test_links_begin_with_the_public_url(world: World) -> None:
    user_id = add()
    with transaction() as session:
        made = account_links.make(session, session.get_one(User, user_id), actor=ACTOR, source="t")
    assert made.url.startswith(f"{world.settings.public_url}/account/set-password/")
