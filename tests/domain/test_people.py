"""Users and merchants: sealed addresses, one user per address, the sandbox's people."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, func, select

import config
from core.errors import Conflict, InvalidInput
from core.states import STAFF, Kyc, Role
from domain.actors import system
from domain.database import reading, transaction
from domain.people import passwords, people, sandbox_people
from domain.secrets import keyring
from models.events import EventLog
from models.people import Merchant, User

ACTOR = system("test")


@pytest.fixture(autouse=True)
def _ready(engine: Engine, environ: dict[str, str]) -> None:
    del engine
    keyring.configure(config.load(environ))
    passwords.configure(cheap=True)


def add(email: str, role: Role = Role.BUYER, **more: object) -> str:
    with transaction() as session:
        wanted = people.NewUser(email=email, role=role, **more)  # type: ignore[arg-type]
        return people.create_user(session, wanted, actor=ACTOR, source="test").id


def test_an_address_is_sealed_and_found_in_any_case() -> None:
    user_id = add("Bo@People.Test")
    with reading() as session:
        user = people.find_user(session, " bo@people.test ")
        assert user is not None
        assert user.id == user_id
        assert people.email_of(user) == "Bo@People.Test"
        assert b"People" not in user.email_sealed
        assert people.find_user(session, "bob@people.test") is None


def test_one_address_is_one_user() -> None:
    add("bo@people.test")
    with pytest.raises(Conflict) as refused:
        add("BO@people.test")
    assert refused.value.code == "USER_EXISTS"


def test_what_is_no_address_or_no_home_is_refused() -> None:
    for email in (
        "",
        "bo",
        "bo@",
        "@people.test",
        "b o@people.test",
        "bo@peo\x00ple.test",
        "a@b@c",
    ):
        with pytest.raises(InvalidInput):
            add(email)
    with pytest.raises(InvalidInput):
        add("mel@people.test", Role.MERCHANT)
    with pytest.raises(InvalidInput):
        add("ada@people.test", Role.ADMIN, merchant_id="mer_x")


def test_a_new_user_is_told_without_personal_data() -> None:
    user_id = add("bo@people.test")
    with reading() as session:
        event = session.scalars(select(EventLog).where(EventLog.type == "user.created")).one()
    assert event.body == {"userId": user_id, "what": "created"}
    assert event.buyer_id == user_id


def test_merchants_are_found_by_id_short_name_and_name() -> None:
    with transaction() as session:
        made = people.create_merchant(session, "Mel's Fine Goods", actor=ACTOR).id
    with reading() as session:
        for name in (made, "mel-s-fine-goods", "Mel's Fine Goods", "MEL'S fine GOODS"):
            found = people.find_merchant(session, name)
            assert found is not None, name
            assert found.id == made
        assert people.find_merchant(session, "Eve's") is None
    with pytest.raises(Conflict), transaction() as session:
        people.create_merchant(session, "mel s fine goods", actor=ACTOR)
    with pytest.raises(InvalidInput), transaction() as session:
        people.create_merchant(session, "!!!", actor=ACTOR)


def test_the_sandbox_has_two_of_each_staff_role_and_two_tenants() -> None:
    with transaction() as session:
        assert sandbox_people.is_empty(session)
        everybody = sandbox_people.seed_sandbox(session)
    assert all(sum(each.role == role for each in everybody) == 2 for role in STAFF)
    assert {each.name for each in everybody} >= {
        "Sue",
        "Fin",
        "Flo",
        "Ada",
        "Abe",
        "Ed",
        "Mel",
        "Eve",
        "Bo",
        "Sal",
    }
    assert len({each.merchant for each in everybody if each.role == Role.MERCHANT}) == 2
    with reading() as session:
        for each in everybody:
            user = people.find_user(session, each.email)
            assert user is not None
            assert user.kyc == Kyc.APPROVED
            assert passwords.verify(user.password_hash, each.password), each.name
            assert user.totp_confirmed_at is None


def test_seeding_again_adds_nobody_and_prints_the_same_passwords() -> None:
    with transaction() as session:
        first = sandbox_people.seed_sandbox(session)
    with transaction() as session:
        second = sandbox_people.seed_sandbox(session)
        assert not sandbox_people.is_empty(session)
        assert session.scalar(select(func.count()).select_from(User)) == len(first)
        assert session.scalar(select(func.count()).select_from(Merchant)) == 3
    assert first == second == sandbox_people.list_sandbox_people()
