"""Mail leaves through a real server: once, in order, tried again, given up; never while a transaction is open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import time_machine
from sqlalchemy import Engine, select

import config
from config import Settings
from core import clock
from core.states import Role
from domain import database
from domain.actors import system
from domain.database import reading, transaction
from domain.jobs import mail as job
from domain.jobs import smtp
from domain.mail import mails
from domain.mail.mails import Addressed, Letter
from domain.people import account_links, people
from domain.secrets import keyring
from models.people import User
from models.proofs import AccountLink, Mail
from tests.domain import postbox
from tests.domain.postbox import Postbox

ACTOR = system("test")


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox.opened() as opened:
        yield opened


@pytest.fixture
def settings(engine: Engine, environ: dict[str, str], box: Postbox) -> Settings:
    del engine
    found = config.load(
        environ | {"SMTP_URL": f"smtp://{box.host}:{box.port}?from=desk@paydesk.test"}
    )
    keyring.configure(found)
    mails.configure(found)
    return found


@pytest.fixture
def nina(settings: Settings) -> Iterator[str]:
    del settings
    with transaction() as session:
        wanted = people.NewUser(email="nina@people.test", role=Role.SUPPORT, name="Nina")
        user_id = people.create_user(session, wanted, actor=ACTOR, source="test").id
    yield user_id
    mails._held.clear()


def write(user_id: str, subject: str = "Hello", body: str = "A body, with ümlauts.") -> str:
    with transaction() as session:
        user = session.get_one(User, user_id)
        return mails.write(session, user, Letter("told", subject, body)).id


def row(mail_id: str) -> Mail:
    with reading() as session:
        return session.get_one(Mail, mail_id)


def send_all() -> None:
    while job.send_next():
        pass


def test_a_letter_arrives_as_it_was_written(box: Postbox, nina: str) -> None:
    mail_id = write(nina)
    send_all()
    got = box.received[0]
    assert (got["To"], got["Subject"], got["Auto-Submitted"]) == (
        "nina@people.test",
        "Hello",
        "auto-generated",
    )
    assert got["From"].addresses[0].addr_spec == "desk@paydesk.test"
    assert got["Message-ID"] == f"<{mail_id}@paydesk.test>"
    assert got.get_content_type() == "text/plain"
    assert "A body, with ümlauts." in got.get_content()
    sent = row(mail_id)
    assert (sent.state, sent.attempts, sent.due_at, sent.last_error) == ("sent", 1, None, None)
    assert sent.sent_at is not None
    assert mails.opened(sent).body == ""


def test_what_was_rolled_back_is_never_sent(box: Postbox, nina: str) -> None:
    def fails() -> None:
        with transaction() as session:
            mails.write(session, session.get_one(User, nina), Letter("told", "Never", "."))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    send_all()
    assert box.received == []


def test_several_workers_send_each_letter_once(box: Postbox, nina: str) -> None:
    made = {write(nina, subject=f"No {no}") for no in range(12)}
    threads = [threading.Thread(target=send_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send_all()
    assert len(box.received) == len(made)
    assert {row(each).state for each in made} == {"sent"}


def test_a_busy_server_is_asked_again_later(box: Postbox, nina: str) -> None:
    mail_id = write(nina)
    box.script = ["451 try later"]
    send_all()
    failed = row(mail_id)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert failed.last_error == "the recipient was refused (451)"
    assert failed.due_at is not None
    assert not job.send_next()
    with time_machine.travel(clock.now() + timedelta(minutes=1), tick=True):
        send_all()
    assert row(mail_id).state == "sent"
    assert len(box.received) == 1


def test_a_final_no_is_not_asked_again(box: Postbox, nina: str) -> None:
    mail_id = write(nina)
    box.script = ["550 no such mailbox nina@people.test"]
    send_all()
    dead = row(mail_id)
    assert (dead.state, dead.attempts, dead.due_at) == ("dead", 1, None)
    assert dead.last_error == "the recipient was refused (550)"
    assert mails.opened(dead).body == ""


def test_a_server_that_is_gone_is_given_up_at_last(
    nina: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_id = write(nina)
    monkeypatch.setattr(mails, "smtp", lambda: config.SmtpSettings("127.0.0.1", 1, sender="a@b.c"))
    now = clock.now()
    for day in range(job.MOST_TRIES):
        with time_machine.travel(now + timedelta(days=day), tick=True):
            send_all()
    dead = row(mail_id)
    assert (dead.state, dead.attempts, dead.last_error) == (
        "dead",
        job.MOST_TRIES,
        "ConnectionRefusedError",
    )


def test_no_transaction_is_open_while_the_server_is_asked(
    nina: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(nina)
    seen = []
    monkeypatch.setattr(smtp, "send", lambda *_: seen.append(database.is_open()))
    send_all()
    assert seen == [False]


def test_a_worker_that_slept_too_long_changes_nothing(
    nina: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_id = write(nina)

    def overslept(*_: object) -> None:
        monkeypatch.setattr(smtp, "send", lambda *_: None)
        with time_machine.travel(clock.after(job.LEASE_SECONDS + 1), tick=True):
            assert job.send_next()
        raise smtp.NotSent("too late")

    monkeypatch.setattr(smtp, "send", overslept)
    assert job.send_next()
    assert (row(mail_id).state, row(mail_id).attempts) == ("sent", 1)


def test_credentials_go_over_tls_that_is_trusted_only(
    nina: str, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, path = postbox.certificate(tmp_path)
    with postbox.opened(context=context) as closed:
        login = f"{postbox.USER}:{quote(postbox.PASSWORD, safe='')}"
        url = f"smtp://{login}@{closed.host}:{closed.port}"
        mails.configure(config.load(environ | {"SMTP_URL": url}))
        mail_id = write(nina)
        send_all()
        assert row(mail_id).last_error == "SSLCertVerificationError"
        assert closed.signed_in == []
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with time_machine.travel(clock.now() + timedelta(minutes=1), tick=True):
            send_all()
        assert closed.signed_in == [postbox.USER]
        assert len(closed.received) == 1
        assert row(mail_id).state == "sent"


def test_no_header_can_be_smuggled_in() -> None:
    for to, subject in (
        ("a@b.c\r\nBcc: eve@evil.test", "x"),
        ("a@b.c", "x\r\nBcc: eve@evil.test"),
        ("a@b.c, eve@evil.test", "x"),
        ("<a@b.c>", "x"),
        ("", "x"),
    ):
        with pytest.raises(smtp.NotSent) as refused:
            smtp.written(Addressed("mai_x", to, subject, "."), "desk@paydesk.test")
        assert refused.value.is_final


@contextmanager
def printing(environ: dict[str, str]) -> Iterator[None]:
    mails.configure(config.load(environ | {"PAYDESK_ENV": "sandbox"}))
    yield


def test_the_sandbox_prints_the_link_and_sends_nothing(
    nina: str, box: Postbox, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with printing(environ):
        with transaction() as session:
            user = session.get_one(User, nina)
            url = account_links.make(session, user, actor=ACTOR, source="test").url
        send_all()
    said = capsys.readouterr()
    assert f"mail to nina@people.test: Your invitation to Paydesk\n  {url}\n" in said.out
    assert url not in said.err
    assert box.received == []


def test_without_a_server_a_letter_is_dead_and_says_why(
    nina: str, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    mails.configure(config.load(environ))
    with transaction() as session:
        user = session.get_one(User, nina)
        url = account_links.make(session, user, actor=ACTOR, source="test").url
    send_all()
    with reading() as session:
        dead = session.scalars(select(Mail)).one()
    assert (dead.state, dead.last_error) == ("dead", "SMTP_URL is not set")
    said = capsys.readouterr()
    assert url not in said.out + said.err


def test_a_wish_is_answered_for_whom_we_know_and_forgotten_for_strangers(
    nina: str, box: Postbox
) -> None:
    for email in ("nobody@people.test", "NINA@people.test", "nina@people.test"):
        with transaction() as session:
            mails.wish(session, email)
    send_all()
    # The second wish within two minutes fills nobody's mailbox.
    assert box.recipients == ["nina@people.test"]
    with reading() as session:
        assert len(session.scalars(select(AccountLink)).all()) == 1
        assert session.scalars(select(Mail.id).where(Mail.kind == mails.FORGOT)).all() == []
