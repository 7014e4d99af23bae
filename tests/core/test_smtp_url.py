"""`SMTP_URL`: read with care, refused loudly, its password said nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

import config
from config import BadSettings, SmtpSettings

SECRET = "hunter2-and-more"


def load(tmp_path: Path, **environ: str) -> config.Settings:
    return config.load({"PAYDESK_ENV": "test", "PAYDESK_INSTANCE": str(tmp_path)} | environ)


def smtp(tmp_path: Path, url: str) -> SmtpSettings:
    return load(tmp_path, SMTP_URL=url).smtp


@pytest.mark.parametrize(
    ("url", "port", "security"),
    [
        (f"smtp://u:{SECRET}@mail.test", 587, "starttls"),
        (f"smtp://u:{SECRET}@mail.test:2525", 2525, "starttls"),
        (f"smtp://u:{SECRET}@mail.test?starttls=no", 25, "plain"),
        (f"smtps://u:{SECRET}@mail.test", 465, "tls"),
        ("smtp://mail.test", 25, "plain"),
        ("smtp://mail.test?starttls=yes", 587, "starttls"),
        ("smtp://[::1]:1025/", 1025, "plain"),
    ],
)
def test_how_the_server_is_spoken_to(tmp_path: Path, url: str, port: int, security: str) -> None:
    found = smtp(tmp_path, url)
    assert found.is_configured
    assert (found.port, found.security) == (port, security)
    assert SECRET not in repr(found)


def test_names_and_passwords_may_hold_any_sign(tmp_path: Path) -> None:
    found = smtp(tmp_path, "smtp://a%40b:p%3Aw%2F%40@mail.test?from=desk@example.com")
    assert (found.user, found.password.reveal()) == ("a@b", "p:w/@")
    assert found.sender == "desk@example.com"


def test_the_sender_is_of_this_installation_unless_said(tmp_path: Path) -> None:
    found = load(tmp_path, SMTP_URL="smtp://mail.test", PUBLIC_URL="https://pay.example.com").smtp
    assert found.sender == "paydesk@pay.example.com"


def test_none_is_sent_without_it(tmp_path: Path) -> None:
    assert not load(tmp_path).smtp.is_configured


def test_it_can_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "smtp"
    path.write_text(f"smtps://u:{SECRET}@mail.test\n")
    assert load(tmp_path, SMTP_URL_FILE=str(path)).smtp.password.reveal() == SECRET


@pytest.mark.parametrize(
    "url",
    [
        "mail.test",
        f"http://u:{SECRET}@mail.test",
        f"smtp://u:{SECRET}@",
        f"smtp://u:{SECRET}@mail.test:port",
        f"smtp://u:{SECRET}@mail.test:99999",
        f"smtp://u:{SECRET}@mail.test/inbox",
        f"smtp://u:{SECRET}@mail.test#x",
        "smtp://user-alone@mail.test",
        f"smtp://u:{SECRET}@mail.test?form=desk@example.com",
        f"smtp://u:{SECRET}@mail.test?starttls=maybe",
        f"smtp://u:{SECRET}@mail.test?from=nobody",
        f"smtp://u:{SECRET}@mail.test?from=a@b.c%0d%0aBcc:x@y.z",
    ],
)
def test_what_cannot_be_meant_stops_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadSettings, match="SMTP_URL") as refused:
        smtp(tmp_path, url)
    assert SECRET not in str(refused.value)


def test_production_sends_no_password_in_the_clear(tmp_path: Path) -> None:
    key = "k1:" + "A" * 43 + "="
    production = {
        "PAYDESK_ENV": "production",
        "PUBLIC_URL": "https://pay.example.com",
        "SECRET_KEY": "x" * 40,
        "MASTER_KEYS": key,
        "JWT_KEYS": key,
    }
    with pytest.raises(BadSettings, match="without TLS"):
        load(tmp_path, **production, SMTP_URL=f"smtp://u:{SECRET}@mail.test?starttls=no")
    assert load(tmp_path, **production, SMTP_URL="smtp://relay.test").smtp.security == "plain"
