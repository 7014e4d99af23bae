"""Something of every kind that is sealed, written with some master keys and read again by its owners."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from sqlalchemy.orm import Session

import config
from config import Settings
from core.states import Role
from domain import idempotency
from domain.actors import system
from domain.database import reading, transaction
from domain.inbox import inbox
from domain.mail import mails
from domain.payments import operations
from domain.people import people, second_factor
from domain.secrets import keyring, person_keys, secrets
from domain.secrets.person_keys import Whose
from models.inbound import InboundEvent
from models.orders import InvoiceDraft
from models.payments import Payment
from models.people import User
from models.proofs import Mail
from tests.domain.world import World

ACTOR = system("test")


def master_key(kid: str) -> str:
    return f"{kid}:{base64.b64encode(kid.encode().ljust(32, b'.')).decode()}"


@dataclass
class Keys:
    """The settings of a process with some master keys."""

    world: World
    environ: dict[str, str]

    def use(self, *kids: str) -> Settings:
        """Make this process one that was started with these keys."""
        keys = ",".join(master_key(kid) for kid in kids)
        settings = config.load(self.environ | {"MASTER_KEYS": keys})
        keyring.configure(settings)
        secrets.configure(self.world.settings)
        return settings


@dataclass
class Filled:
    """What was written, and where it is read again by those who know it."""

    world: World
    users: list[str]
    mails: list[str]
    payments: list[str]
    events: list[str]
    claims: list[str]

    def assert_all_open(self) -> None:
        """Open every value as its owner does."""
        secrets.forget_cached()
        assert secrets.live("stripe")[0].value == "whsec_world"
        with reading() as session:
            for number, user_id in enumerate(self.users):
                user = session.get_one(User, user_id)
                assert people.email_of(user) == f"p{number}@people.test"
                found = people.find_user(session, f"P{number}@people.test")
                assert found is not None and found.id == user_id
                assert user.totp_sealed is not None
                place = second_factor.place(user_id)
                opened = person_keys.open_text(
                    session, user.totp_sealed, purpose="totp", place=place
                )
                assert opened == f"totp-{number}"
            for number, mail_id in enumerate(self.mails):
                letter = mails.opened(session.get_one(Mail, mail_id))
                assert (letter.to, letter.body.split("\n", 1)[0]) == (
                    f"p{number}@people.test",
                    f"body {number}",
                )
            for payment_id in self.payments:
                payment = session.get_one(Payment, payment_id)
                assert operations.client_secret(payment) is not None
            for event_id in self.events:
                assert b"payment_intent" in inbox.stored_body(
                    session.get_one(InboundEvent, event_id)
                )
            for key in self.claims:
                answer = idempotency.Claim("usr_bo", key, "POST /x", "hash").look(session)
                assert answer is not None and answer.body == b'{"said": true}'
            for draft in session.query(InvoiceDraft):
                place = f"invoice_drafts|sealed|{draft.order_id}"
                assert "Bo" in person_keys.open_text(
                    session, draft.sealed, purpose="person", place=place
                )


def fill(world: World, count: int = 3) -> Filled:
    """Write something of every kind that is sealed here."""
    made = Filled(world, [], [], [], [], [])
    for number in range(count):
        payment = world.begin(world.order(invoice={"buyer": "Bo"}))[1]
        made.payments.append(payment.id)
        made.events.append(world.deliver(world.paid(payment)).inbound_id)
        with transaction() as session:
            made.claims.append(claim(session, f"key-{number:08d}"))
            wanted = people.NewUser(f"p{number}@people.test", Role.BUYER)
            user = people.create_user(session, wanted, actor=ACTOR, source="test")
            place = second_factor.place(user.id)
            user.totp_sealed = person_keys.seal_text(
                session, Whose(user.id), f"totp-{number}", purpose="totp", place=place
            )
            letter = mails.Letter("notice", "Hello", f"body {number}")
            made.mails.append(mails.write(session, user, letter).id)
            made.users.append(user.id)
    return made


def claim(session: Session, key: str) -> str:
    """Store an answer under a key."""
    taken = idempotency.Claim("usr_bo", key, "POST /x", "hash")
    assert taken.take(session) is None
    taken.finish(session, 200, b'{"said": true}')
    return key
