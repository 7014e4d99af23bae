"""The product comes up from the rig as it does for people: migrated, wired to the stand-in, ended again."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import requests

from tests.rig.product import Processes, Stack

if TYPE_CHECKING:
    from flask.testing import FlaskClient


def test_application_answers_on_a_fresh_database(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.mark.kill
def test_whole_product_comes_up_and_is_ready(stack: Stack) -> None:
    answer = requests.get(f"{stack.web.url}/readyz", timeout=10)
    assert answer.status_code == 200
    assert stack.worker.is_alive()
    assert stack.truth() is not None


@pytest.mark.kill
def test_killed_web_process_comes_back_on_the_same_address(
    processes: Processes, database_url: str
) -> None:
    web = processes.web(database_url)
    first = web.pid
    web.tell(signal.SIGKILL)
    assert web.wait_dead() == -signal.SIGKILL
    web.restart()
    assert web.pid != first
    assert requests.get(f"{web.url}/healthz", timeout=10).status_code == 200


@pytest.mark.kill
def test_processes_end_politely_when_asked(processes: Processes, sqlite_url: str) -> None:
    web = processes.web(sqlite_url)
    worker = processes.worker(sqlite_url)
    assert web.stop() == 0
    assert worker.stop() == 0


def test_stand_in_for_a_bank_starts_beside_the_product(processes: Processes) -> None:
    bank = processes.bank()
    assert requests.get(f"{bank.url}/.well-known/jwks", timeout=10).json()["keys"]
    assert bank.stop() == 0
