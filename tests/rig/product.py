"""The product's own processes as tests start them: web, worker, and the stand-ins."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig import environment, ports, process
from tests.rig.forks import Kind
from tests.rig.process import Running
from tests.rig.run import Run

STRIPE_KEY = "sk_test_standin"
STRIPE_PUBLISHABLE_KEY = "pk_test_standin"
STRIPE_WEBHOOK_SECRET = "whsec_standin"
STRIPE_WEBHOOK_PATH = "/api/webhooks/stripe"
TRUELAYER_CLIENT_ID, TRUELAYER_CLIENT_SECRET = "standin", "standin-secret"
GOCARDLESS_TOKEN, GOCARDLESS_WEBHOOK_SECRET = "standin-token", "standin-webhook-secret"


@dataclass
class Processes:
    """Starts processes for one test and ends them all with it."""

    run: Run
    instance: Path
    started: list[Running] = field(default_factory=list)

    def _start(self, running: Running) -> Running:
        self.started.append(running)
        return running.start()

    def _env(self, database_url: str, more: dict[str, str]) -> dict[str, str]:
        return environment.surroundings() | environment.settings(
            database_url, self.instance, **more
        )

    def web(self, database_url: str, *, port: int = 0, **env: str) -> Running:
        """Start gunicorn with one web process on a free port and wait for its /healthz.

        WEB_CONCURRENCY="2" in env asks for more processes.
        """
        port = port or ports.free_port()
        url = f"http://127.0.0.1:{port}"
        more = {"HOST": "127.0.0.1", "PORT": str(port), "PUBLIC_URL": url, "WEB_CONCURRENCY": "1"}
        argv = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
        argv += ["--bind", f"127.0.0.1:{port}", "wsgi:create_app()"]
        running = process.command(
            self.run,
            "web",
            argv,
            env=self._env(database_url, more | env),
            ready=process.answers("/healthz"),
            url=url,
            forked_from=Kind.serving(database_url),
        )
        return self._start(running)

    def flask(self, database_url: str, *command: str, says: str = "", **env: str) -> Running:
        """Start a `flask` command that stays, such as the worker, and wait until it `says` so."""
        argv = [sys.executable, "-m", "flask", "--app", "wsgi", *command]
        running = process.command(
            self.run,
            command[0],
            argv,
            env=self._env(database_url, env),
            ready=process.says(says) if says else Running.is_alive,
            forked_from=Kind.PLAIN,
        )
        return self._start(running)

    def worker(self, database_url: str, **env: str) -> Running:
        """Start a worker."""
        return self.flask(database_url, "worker", says="worker ready", **env)

    def stripe(self, *, webhook_url: str = "", state: str = ":memory:") -> Running:
        """Start the stand-in for Stripe on a free port."""
        port = ports.free_port()
        url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "sandbox.stripe", "--host", "127.0.0.1", "--port", str(port)]
        argv += ["--state", state, "--webhook-secret", STRIPE_WEBHOOK_SECRET]
        argv += ["--webhook-url", webhook_url] if webhook_url else []
        running = process.command(
            self.run,
            "stripe",
            argv,
            env=environment.surroundings(),
            ready=process.answers("/_sandbox/faults"),
            url=url,
        )
        return self._start(running)

    def bank(
        self,
        *,
        truelayer_webhook_url: str = "",
        gocardless_webhook_url: str = "",
        state: str = ":memory:",
    ) -> Running:
        """Start the stand-in for a bank on a free port; who calls over TrueLayer registers a key.

        Give the key to `PUT /_sandbox/truelayer_keys` as `{kid, pem}`.
        """
        port = ports.free_port()
        argv = [sys.executable, "-m", "sandbox.bank", "--host", "127.0.0.1", "--port", str(port)]
        argv += ["--state", state, "--settle-seconds", "0.2", "--refund-seconds", "0.1"]
        argv += ["--truelayer-client-id", TRUELAYER_CLIENT_ID]
        argv += ["--truelayer-client-secret", TRUELAYER_CLIENT_SECRET]
        argv += ["--gocardless-access-token", GOCARDLESS_TOKEN]
        argv += ["--gocardless-webhook-secret", GOCARDLESS_WEBHOOK_SECRET]
        for name, url in (
            ("truelayer", truelayer_webhook_url),
            ("gocardless", gocardless_webhook_url),
        ):
            argv += [f"--{name}-webhook-url", url] if url else []
        running = process.command(
            self.run,
            "bank",
            argv,
            env=environment.surroundings(),
            ready=process.answers("/_sandbox/health"),
            url=f"http://127.0.0.1:{port}",
        )
        return self._start(running)

    def stack(self, database_url: str, **env: str) -> Stack:
        """Start the stand-in, web and one worker, wired to each other."""
        port = ports.free_port()
        stripe = self.stripe(webhook_url=f"http://127.0.0.1:{port}{STRIPE_WEBHOOK_PATH}")
        rail = stripe_settings(stripe.url) | env
        web = self.web(database_url, port=port, **rail)
        return Stack(web=web, worker=self.worker(database_url, **rail), stripe=stripe)

    def end(self) -> None:
        """Kill whatever still runs, last started first."""
        for running in reversed(self.started):
            running.kill()

    def said(self) -> list[tuple[str, str]]:
        """Give (name, last lines) of each process, for the report of a failed test."""
        return [(running.name, running.output()) for running in self.started]


@dataclass(frozen=True)
class Stack:
    """The whole product, wired to the stand-in for Stripe."""

    web: Running
    worker: Running
    stripe: Running

    def fault(self, *faults: dict[str, Any]) -> None:
        """Script faults of the stand-in."""
        request = urllib.request.Request(
            f"{self.stripe.url}/_sandbox/faults",
            data=json.dumps(list(faults)).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def truth(self) -> dict[str, Any]:
        """Give the stand-in's own ledger: what really moved, per payment intent."""
        with urllib.request.urlopen(f"{self.stripe.url}/_sandbox/ledger", timeout=10) as answer:
            ledger: dict[str, Any] = json.loads(answer.read())
        return ledger


def stripe_settings(url: str) -> dict[str, str]:
    """Give the settings that point the card rail at a stand-in."""
    return {
        "STRIPE_API_BASE": url,
        "STRIPE_JS_URL": f"{url}/v3/",
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "STRIPE_PUBLISHABLE_KEY": STRIPE_PUBLISHABLE_KEY,
        "STRIPE_WEBHOOK_SECRET": STRIPE_WEBHOOK_SECRET,
    }


@contextmanager
def processes(run: Run, instance: Path) -> Iterator[Processes]:
    """Lend a starter of processes and end all that it started."""
    lent = Processes(run=run, instance=instance)
    try:
        yield lent
    finally:
        lent.end()
