"""A copy of somebody's data: all that is held about them, nothing of anybody else, sealed, for a week, each fetch audited."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from core import clock
from core.errors import Conflict, Forbidden, Gone, LostRace, NotFound
from core.states import Role
from domain import database
from domain.actors import Actor, system
from domain.jobs import exporting, housekeeping
from domain.people import erasure, people, person_exports, sessions
from models.audit import AuditRow
from models.orders import Order
from models.payments import Payment
from models.personal import DataExport
from tests.domain import erasing, papers
from tests.domain.erasing import EMAIL, HOME, NAME, REASON, Berta
from tests.domain.world import World


@pytest.fixture
def her(world: World, monkeypatch: pytest.MonkeyPatch) -> Berta:
    found = erasing.berta(world)
    with papers.faked(monkeypatch):
        papers.print_all()
    proved = replace(found.actor, session_id="ses_berta", stepped_up_at=clock.now())
    return replace(found, actor=proved)


def asked(user_id: str, by: Actor, reason: str | None = None) -> DataExport:
    with database.transaction() as session:
        return person_exports.ask(session, user_id, actor=by, source="test", reason=reason)


def fetched(row: DataExport, by: Actor) -> dict[str, bytes]:
    with database.transaction() as session:
        body = person_exports.fetch(session, row.id, row.user_id, actor=by, source="test")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def made(her: Berta) -> dict[str, bytes]:
    row = asked(her.user_id, her.actor)
    assert exporting.make_next() and not exporting.make_next()
    return fetched(row, her.actor)


def test_it_holds_all_and_explains_each_field(her: Berta) -> None:
    files = made(her)
    assert json.loads(files["account.json"])[0]["email"] == EMAIL
    (order,) = json.loads(files["orders.json"])
    assert (order["orderId"], order["you"]) == (her.order_id, "buyer")
    (payment,) = json.loads(files["payments.json"])
    assert payment["paymentId"] == her.payment_id and payment["received"].endswith(" EUR")
    assert json.loads(files["sessions.json"])[0]["address"] == "192.0.2.7"
    assert json.loads(files["letters.json"])[0]["subject"] == "Hello"
    assert [row["what"] for row in json.loads(files["audit.json"])]
    (pdf,) = [name for name in files if name.endswith(".pdf")]
    assert pdf.startswith("invoices/") and files[pdf]
    readme = files["README.txt"].decode()
    for name in (name for name in files if name.endswith(".json")):
        assert f"{name}:" in readme


def test_nothing_of_the_other_side_of_an_order_is_in_it(world: World, her: Berta) -> None:
    with database.transaction() as session:
        wanted = people.NewUser("sal.private@people.test", Role.SELLER, name="Salomon Geheim")
        seller = people.create_user(session, wanted, actor=system("test"), source="test")
        sessions.open_session(session, seller, address="198.51.100.9", browser="Opera")
        for model in (Order, Payment):
            session.execute(update(model).values(seller_id=seller.id))
        session.execute(update(Payment).values(card_last4="4242"))
    buyers = b"\n".join(made(her).values())
    hidden = (b"sal.private", b"Geheim", b"198.51.100.9", seller.id.encode(), world.fin.id.encode())
    assert not [word for word in hidden if word in buyers]
    proved = replace(sessions.actor_of(seller), session_id="ses_s", stepped_up_at=clock.now())
    row = asked(seller.id, proved)
    assert exporting.make_next()
    files = fetched(row, proved)
    assert json.loads(files["orders.json"])[0]["you"] == "seller"
    sellers = b"\n".join(files.values())
    hidden = (EMAIL.encode(), NAME.encode(), HOME.encode(), her.user_id.encode(), b"4242")
    assert not [word for word in hidden if word in sellers]
    assert not [name for name in files if name.endswith(".pdf")]


def test_it_is_sealed_and_dies_with_its_person(her: Berta) -> None:
    row = asked(her.user_id, her.actor)
    exporting.make_next()
    with database.reading() as session:
        sealed = session.scalar(select(DataExport.sealed))
        assert sealed is not None and bytes(sealed).startswith(b"p1.") and sealed[:2] != b"PK"
    ada = erasing.admin("ada")
    with database.transaction() as session:
        erasure.erase(session, her.user_id, actor=ada, source="test", reason=REASON)
    with pytest.raises(Gone):
        fetched(row, ada)
    with pytest.raises(Conflict):
        asked(her.user_id, ada, REASON)


def test_one_is_made_at_a_time_and_a_week_later_it_is_gone(her: Berta) -> None:
    row = asked(her.user_id, her.actor)
    with pytest.raises(Conflict) as twice:
        asked(her.user_id, her.actor)
    assert twice.value.code == "EXPORT_WAITING"
    exporting.make_next()
    with database.transaction() as session:
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(DataExport).values(expires_at=past))
    with pytest.raises(Gone):
        fetched(row, her.actor)
    while housekeeping.tidy():
        pass
    with database.reading() as session:
        left = session.get_one(DataExport, row.id)
        assert (left.state, left.open_key) == ("expired", None)
    assert asked(her.user_id, her.actor).id != row.id


def test_who_may_ask_and_fetch_and_that_it_is_written_down(world: World, her: Berta) -> None:
    ada = erasing.admin("ada")
    row = asked(her.user_id, ada, REASON)
    exporting.make_next()
    fetched(row, ada)
    fetched(row, her.actor)
    stale = replace(her.actor, stepped_up_at=clock.now() - timedelta(hours=1))
    refused: list[tuple[Actor, type[Exception]]] = [
        (world.bo, NotFound),
        (world.fin, Forbidden),
        (stale, Forbidden),
    ]
    for who, said in refused:
        with pytest.raises(said):
            fetched(row, who)
    for who in (world.bo, world.fin):
        with pytest.raises(Forbidden):
            asked(her.user_id, who, REASON)
    with database.reading() as session:
        acts = select(AuditRow.action).where(AuditRow.action.startswith("person.export"))
        found = sorted(session.scalars(acts))
    assert found == [
        "person.export",
        "person.export_fetch",
        "person.export_fetch",
        "person.export_ready",
    ]


def test_a_worker_that_lost_its_lease_keeps_nothing(her: Berta) -> None:
    asked(her.user_id, her.actor)
    with database.transaction() as session:
        first = person_exports.claim(session)
        session.execute(update(DataExport).values(due_at=clock.now()))
    assert first is not None
    assert exporting.make_next()
    with database.transaction() as session, pytest.raises(LostRace):
        person_exports.keep(session, first, b"old")
