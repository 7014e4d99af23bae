"""`flask run-all` as a person meets it: what it prints, what it survives, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
from playwright.sync_api import Page, expect
from sqlalchemy import text

from commands import console, parts
from config import load
from providers import registry
from tests.rig import environment, locate, ports, process
from tests.rig.browser import Watch
from tests.rig.process import NotReady, Running
from tests.rig.run import Run

RunAll = Callable[..., Running]


@pytest.fixture
def run_all(run: Run, instance: Path) -> Iterator[RunAll]:
    started: list[Running] = []

    def start(*options: str, ready: str = "Ready in", **env: str) -> Running:
        port = int(env.pop("PORT", 0)) or ports.free_port()
        settings = {"PAYDESK_ENV": "sandbox", "PAYDESK_INSTANCE": str(instance), "PORT": str(port)}
        running = process.command(
            run,
            "run-all",
            [locate.python(), "-m", "flask", "--app", "wsgi", "run-all", *options],
            env=environment.surroundings() | settings | {"WEB_CONCURRENCY": "1"} | env,
            ready=process.says(ready),
            url=f"http://127.0.0.1:{port}",
        )
        started.append(running)
        return running.start(seconds=90)

    yield start
    for running in started:
        running.kill()


def get(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        found: dict[str, object] = json.loads(answer.read())
        return found


def children(pid: int) -> dict[str, int]:
    """Give the parts of a running group: name → process."""
    said = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    found = {}
    for line in said.stdout.splitlines():
        number, command = line.split(None, 1)
        for name, mark in (
            ("web", "gunicorn"),
            ("worker", " worker"),
            ("stripe", "sandbox.stripe"),
            ("bank", "sandbox.bank"),
        ):
            if mark in command:
                found[name] = int(number)
    return found


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.kill
def test_one_command_starts_everything_survives_a_death_and_one_signal_ends_it(
    run_all: RunAll, instance: Path
) -> None:
    running = run_all("--no-demo")
    said = running.output()
    assert (
        "SQLite" in said and "migrating" in said and f"http://localhost:{running.url[-5:]}" in said
    )
    assert "stand-in at http://localhost:" in said and "STRIPE_SECRET_KEY is not set" in said
    assert re.search(r"ada@sandbox\.example +\S+ +\S+ +admin", said)
    ready = get(f"{running.url}/readyz")
    assert (ready["status"], ready["workers"]) == ("ready", 1)
    assert ready["providers"] == dict.fromkeys(registry.PROVIDERS, "configured")

    before = children(running.pid)
    assert before.keys() == {"web", "worker", "stripe", "bank"}
    os.kill(before["worker"], signal.SIGKILL)
    until = time.monotonic() + 20
    while running.output().count("worker ready") < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert "worker │ was killed by SIGKILL; it is started again" in running.output()
    now = children(running.pid)
    assert now["worker"] != before["worker"] and now["web"] == before["web"]

    began = time.monotonic()
    os.kill(running.pid, signal.SIGINT)
    assert running.wait_dead(seconds=15) == 0
    assert time.monotonic() - began < 8
    assert "Stopped." in running.output()
    assert all(is_gone(pid) for pid in now.values())
    assert (instance / "stand-in" / "stripe.db").exists()
    assert (instance / "stand-in" / "bank.db").exists()

    running.restart(seconds=60)
    again = running.output()[running.since :]
    assert "migrating" not in again and "making the sandbox's people" not in again


def sign_in(page: Page, address: str, said: str) -> None:
    found = re.search(r"(ada@sandbox\.example) +(\S+)", said)
    assert found
    page.goto(f"{address}/login")
    page.get_by_label("E-mail").fill(found[1])
    page.get_by_label("Password").fill(found[2])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ada")


@pytest.mark.kill
@pytest.mark.browser
def test_an_admin_resets_the_sandbox_and_signs_in_again(
    run_all: RunAll, instance: Path, database_url: str, page: Page, watch: Watch
) -> None:
    # While it begins anew nothing answers.
    watch.expect("Failed to load resource")
    running = run_all("--no-demo", DATABASE_URL=database_url)
    address = running.url.replace("127.0.0.1", "localhost")
    sign_in(page, address, running.output())
    engine = sqlalchemy.create_engine(database_url)
    with engine.begin() as connection:
        before = connection.scalar(text("select max(id) from users"))
    page.goto(f"{address}/account")
    page.get_by_role("link", name="Reset").click()
    page.get_by_role("button", name="Reset demo data").click()
    expect(page).to_have_url(f"{address}/login", timeout=40_000)
    assert running.output(lines=400).count("Ready in") == 2
    assert not (instance / "begin-anew").exists()
    with engine.begin() as connection:
        assert connection.scalar(text("select count(*) from desk_sessions")) == 0
        assert (
            connection.scalar(text("select count(*) from users where id = :id"), {"id": before})
            == 0
        )
    engine.dispose()
    sign_in(page, address, running.output(lines=60))


def test_a_taken_port_is_named_with_what_to_do(run_all: RunAll, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NotReady, match=f"Port {port} of 127.0.0.1 is taken"):
            run_all(PORT=str(port))


def test_a_database_that_does_not_answer_is_named_without_its_password(run_all: RunAll) -> None:
    url = f"postgresql://desk:sesame@127.0.0.1:{ports.free_port()}/desk"
    with pytest.raises(NotReady) as failure:
        run_all("--no-demo", DATABASE_URL=url)
    assert "The database cannot be used: PostgreSQL" in str(failure.value)
    assert "sesame" not in str(failure.value)


def settings(instance: Path, **env: str) -> dict[str, str]:
    return {"PAYDESK_ENV": "sandbox", "PAYDESK_INSTANCE": str(instance)} | env


def test_the_stand_in_keeps_its_keys_and_takes_another_port_when_its_own_is_taken(
    instance: Path,
) -> None:
    port = ports.free_port()
    found = load(settings(instance, PORT=str(port)))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + parts.STRIPE_PORT_OFFSET))
        first = parts.stand_in(found)
        assert first.port != port + parts.STRIPE_PORT_OFFSET
    second = parts.stand_in(found)
    assert second.port == port + parts.STRIPE_PORT_OFFSET
    assert second.secret_key == first.secret_key and second.secret_key.startswith("sk_test_")
    assert second.webhook_url == f"http://127.0.0.1:{port}/api/webhooks/stripe"
    assert load(settings(instance, PORT=str(port)) | second.settings()).stripe.is_configured


def test_browsers_reach_the_stand_in_by_the_name_they_know_us_by(instance: Path) -> None:
    url = "http://desk.test:8000"
    found = parts.stand_in(load(settings(instance, HOST="0.0.0.0", PUBLIC_URL=url)))
    assert found.settings()["STRIPE_JS_URL"] == f"http://desk.test:{found.port}/v3/"
    assert found.api_base == f"http://127.0.0.1:{found.port}"


def test_log_lines_are_written_for_a_person() -> None:
    line = '{"event":"waker.lost_connection","level":"info","timestamp":"2026-11-21T09:30:00Z","tries":2}'
    assert console.readable(line) == "09:30:00 info waker.lost_connection tries=2"
    for other in ("plain", "{not json", '{"a": 1}', ""):
        assert console.readable(other) == other
