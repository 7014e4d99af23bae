"""kill -9 of the printer's process and of the worker while a document is printed: it is printed exactly once."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import select, update

import config
from core import clock
from core.money import Money, asset
from core.states import Role
from domain import database
from domain.actors import Actor, system
from domain.database import reading, transaction
from domain.invoices import document_views, documents
from domain.invoices.document_views import Paper
from domain.orders import orders
from domain.people import people
from domain.secrets import keyring, secrets
from models.cases import ExceptionCase
from models.invoices import Document
from providers import registry
from tests.reliability.clients import until
from tests.rig import environment
from tests.rig.process import Running

pytestmark = pytest.mark.kill

POINTS = ("document.after_claim", "document.before_commit")
EUR = asset("EUR")


@pytest.fixture
def buyer(database_url: str, instance: Path) -> Iterator[Actor]:
    """Somebody who orders, on a database that a worker shares with this process."""
    settings = config.load(environment.settings(database_url, instance))
    engine = sqlalchemy.create_engine(database_url)
    database.bind(engine)
    keyring.configure(settings)
    registry.configure(settings)
    secrets.configure(settings)
    with transaction() as session:
        wanted = people.NewUser("bo@people.test", Role.BUYER)
        user = people.create_user(session, wanted, actor=system("test"), source="test")
    yield Actor(user.id, "user", Role.BUYER, "Bo")
    engine.dispose()


def order(buyer: Actor) -> str:
    """Make an order, and so an invoice and its document. Gives the order's id."""
    wanted = orders.OrderWanted("Oak table", Money(12_500, EUR))
    with transaction() as session:
        return orders.create_order(session, wanted, actor=buyer, source="test").id


def row() -> Document:
    with reading() as session:
        return session.scalars(select(Document)).one()


def is_printed() -> bool:
    return row().state == "printed"


def hurry() -> None:
    """Let the lease of whoever died be over."""
    with transaction() as session:
        waits = Document.state == "waiting"
        session.execute(update(Document).where(waits).values(due_at=clock.now()))


def body(buyer: Actor, order_id: str) -> bytes:
    with transaction() as session:
        paper = document_views.get_pdf(session, order_id, actor=buyer, source="test")
    assert isinstance(paper, Paper)
    assert hashlib.sha256(paper.body).hexdigest() == paper.sha256
    return paper.body


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_while_it_prints_leaves_the_document_to_the_next(
    buyer: Actor,
    database_url: str,
    start_worker: Callable[..., Running],
    point: str,
) -> None:
    order_id = order(buyer)
    worker = start_worker(database_url, PAYDESK_CRASHPOINT=point)
    assert worker.wait_dead(seconds=60) == -signal.SIGKILL, worker.output()
    found = row()
    assert (found.state, found.fence, found.pdf_sha256) == ("waiting", 1, None)
    assert found.due_at is not None and found.due_at > clock.now(), "its lease holds"
    hurry()
    start_worker(database_url)
    until(is_printed, what="the next worker to print it", seconds=60)
    found = row()
    assert (found.fence, found.attempts) == (2, 1)
    assert body(buyer, order_id).startswith(b"%PDF-1.7")


def printers_of(pid: int) -> list[int]:
    """List the printers' processes that a process has started."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                line = (place / "cmdline").read_bytes().split(b"\0")
                parent = int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid and b"printing" in line:
                found.append(int(place.name))
    return found


def test_a_printer_killed_again_and_again_costs_tries_and_the_document_comes_at_last(
    buyer: Actor,
    database_url: str,
    start_worker: Callable[..., Running],
) -> None:
    order_id = order(buyer)
    worker = start_worker(database_url)
    killed = 0

    def kill() -> bool:
        nonlocal killed
        for pid in printers_of(worker.pid):
            os.kill(pid, signal.SIGKILL)
            killed += 1
        return row().attempts >= 2

    until(kill, what="two tries to be lost", seconds=60)
    assert killed >= 2 and row().state == "waiting"
    assert row().last_error in ("the printer was killed", "the printer took too long")
    hurry()
    until(is_printed, what="the document to be printed", seconds=60)
    assert body(buyer, order_id).startswith(b"%PDF-1.7")
    assert worker.is_alive()
    with reading() as session:
        opened = select(ExceptionCase).where(ExceptionCase.kind == documents.CASE)
        assert session.scalars(opened).first() is None
