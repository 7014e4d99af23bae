"""The files in deploy/ fit the product: settings that it takes, commands that exist, streams unbuffered."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import config
from core import vault
from tests.rig.locate import ROOT

DEPLOY = ROOT / "deploy"
SECRETS = {
    "SECRET_KEY": "4d1f8e0c6b7a49d2a3e5f6c7b8d9e0f1a2b3c4d5",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
}
# Read by gunicorn.conf.py, not by config.py.
OF_THE_SERVER = {"WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"}


def example(folder: Path) -> dict[str, str]:
    """Read the example with its key files made."""
    found = {}
    for line in (DEPLOY / "paydesk.env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            if name.endswith("_FILE"):
                path = folder / Path(value).name
                secret = SECRETS.get(name.removesuffix("_FILE"), vault.generate_master_key("k1"))
                path.write_text(secret)
                value = str(path)
            found[name] = value
    return found


def test_the_example_settings_are_taken_in_production(tmp_path: Path) -> None:
    environ = example(tmp_path) | {"PAYDESK_INSTANCE": str(tmp_path)}
    settings = config.load(environ)
    assert settings.is_production and settings.is_https and settings.stripe.is_configured
    assert settings.trusted_hosts == ("pay.example.com",)
    assert settings.migration_database_url != settings.database_url
    read = (ROOT / "config.py").read_text() + (ROOT / "gunicorn.conf.py").read_text()
    for name in environ.keys() - {"PAYDESK_ENV", "PAYDESK_INSTANCE"}:
        assert f'"{name.removesuffix("_FILE")}"' in read, f"nobody reads {name}"
    assert environ.keys() >= OF_THE_SERVER


def directives(name: str, unit: str) -> list[str]:
    return re.findall(rf"^{name}=(.+)$", (DEPLOY / unit).read_text(), re.MULTILINE)


def test_the_units_start_what_is_there() -> None:
    [web] = directives("ExecStart", "paydesk-web.service")
    assert shlex.split(web)[1:] == ["-c", "gunicorn.conf.py", "wsgi:create_app()"]
    [worker] = directives("ExecStart", "paydesk-worker@.service")
    assert shlex.split(worker)[1:] == ["--app", "wsgi", "worker"]
    for unit in ("paydesk-web.service", "paydesk-worker@.service"):
        assert directives("EnvironmentFile", unit) == ["/etc/paydesk/paydesk.env"]


def test_nginx_hands_streams_on_unbuffered_and_sets_the_trusted_headers_anew() -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
    assert text.count("{") == text.count("}")
    statements = [part.strip() for part in re.split(r"[{};]", text) if part.strip()]
    for wanted in (
        "proxy_buffering off",
        "proxy_http_version 1.1",
        'proxy_set_header Connection ""',
        "proxy_set_header X-Forwarded-For $remote_addr",
        "proxy_set_header X-Forwarded-Proto $scheme",
    ):
        assert wanted in statements
    [streams] = [each for each in statements if each.startswith("location ~")]
    pattern = re.compile(streams.split()[2])
    assert pattern.match("/api/events/stream") and pattern.match("/desk/stream")
    assert not pattern.match("/api/events")
    # Our server closes idle connections after `keepalive`; nginx must let go of them first.
    [held] = re.findall(r"keepalive_timeout (\d+)s", text)
    [kept] = re.findall(
        r"^keepalive = (\d+)$", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE
    )
    assert int(held) < int(kept)
