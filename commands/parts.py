"""What `run-all` starts: the command line and the environment of each part, and of the stand-in for Stripe."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from commands.supervisor import Part
from config import Settings
from core import ids

ROOT = Path(__file__).resolve().parents[1]
STRIPE_PORT_OFFSET = 421
WEBHOOK_PATH = "/api/webhooks/stripe"
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  # recognised, not bound


@dataclass(frozen=True)
class StandIn:
    """The stand-in for Stripe: where it listens, and the keys that it and we share."""

    port: int
    host: str
    public_url: str
    webhook_url: str
    secret_key: str
    publishable_key: str
    webhook_secret: str
    state: Path

    @property
    def api_base(self) -> str:
        """Where our own processes reach it."""
        return address(reachable(self.host), self.port)

    def settings(self) -> dict[str, str]:
        """Give the settings that make Paydesk use it."""
        return {
            "STRIPE_SECRET_KEY": self.secret_key,
            "STRIPE_PUBLISHABLE_KEY": self.publishable_key,
            "STRIPE_WEBHOOK_SECRET": self.webhook_secret,
            "STRIPE_API_BASE": self.api_base,
            "STRIPE_JS_URL": f"{self.public_url}/v3/",
        }


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def address(host: str, port: int) -> str:
    """Write the address of a server on this machine."""
    return f"http://{_bracketed(host)}:{port}"


def reachable(host: str) -> str:
    """Give the address at which this machine reaches a server bound to `host`."""
    return "127.0.0.1" if host in EVERYWHERE else host


def is_free(host: str, port: int) -> bool:
    """Tell whether a port can be bound now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str, wanted: int) -> int:
    if wanted < 65_536 and is_free(host, wanted):
        return wanted
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def kept(path: Path, fresh: str) -> str:
    """Read what this installation shares with a stand-in, or write it down once for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(fresh)
    return path.read_text(encoding="utf-8")


def kept_keys(path: Path, fresh: Mapping[str, str]) -> dict[str, str]:
    """Read the keys that this installation shares with a stand-in, or keep the fresh ones."""
    found: dict[str, str] = json.loads(kept(path, json.dumps(fresh, indent=2)))
    return found


def letters() -> str:
    """Make 32 random letters and digits."""
    return "".join(letter for letter in ids.token(48) if letter.isalnum())[:32]


def stand_in(settings: Settings) -> StandIn:
    """Choose the port and keys of the stand-in; its state survives in the instance folder."""
    folder = settings.instance.resolve() / "stand-in"
    keys = kept_keys(
        folder / "stripe.json",
        {
            "secret_key": f"sk_test_{letters()}",
            "publishable_key": f"pk_test_{letters()}",
            "webhook_secret": f"whsec_{letters()}",
        },
    )
    port = free_port(settings.host, settings.port + STRIPE_PORT_OFFSET)
    seen_as = urlsplit(settings.public_url).hostname or "localhost"
    own = address(reachable(settings.host), settings.port)
    return StandIn(
        port=port,
        host=settings.host,
        public_url=address(seen_as, port),
        webhook_url=f"{own}{WEBHOOK_PATH}",
        secret_key=keys["secret_key"],
        publishable_key=keys["publishable_key"],
        webhook_secret=keys["webhook_secret"],
        state=folder / "stripe.db",
    )


def environment(settings: Settings, *shared: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of every part: this one's, with what is shared with the stand-ins."""
    found = dict(os.environ)
    found["PAYDESK_INSTANCE"] = str(settings.instance.resolve())
    found.pop("PAYDESK_INSTANCE_FILE", None)
    found |= {"PYTHONUNBUFFERED": "1", "GUNICORN_LOG_LEVEL": "warning"}
    for each in shared:
        for name, value in each.items():
            found.pop(f"{name}_FILE", None)
            found[name] = value
    return found


def _flask(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]


def stripe(chosen: StandIn, env: Mapping[str, str]) -> Part:
    """Give the stand-in for Stripe; it ends last, since the others may be calling it."""
    argv = [sys.executable, "-m", "sandbox.stripe", "--host", chosen.host]
    argv += ["--port", str(chosen.port), "--public-url", chosen.public_url]
    argv += ["--state", str(chosen.state), "--webhook-url", chosen.webhook_url]
    argv += ["--webhook-secret", chosen.webhook_secret, "--coupons"]
    # A day of the demo passes in twenty minutes, so its money is free after ten and paid out daily.
    argv += ["--available-seconds", "600", "--payout-seconds", "1200"]
    return Part("stripe", argv, env, rank=2)


def web(env: Mapping[str, str]) -> Part:
    """Give the web server."""
    argv = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")]
    return Part("web", [*argv, "wsgi:create_app()"], env, rank=1)


def worker(env: Mapping[str, str]) -> Part:
    """Give the worker."""
    return Part("worker", _flask("worker"), env, rank=1)


def demo(env: Mapping[str, str]) -> Part:
    """Give the generator of demo traffic."""
    return Part("demo", _flask("demo-traffic"), env, rank=0)
