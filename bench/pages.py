"""How long the home page and the lists take, API and desk, over a year of payments, on both databases."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

import config
from bench import load, rig
from bench.report import Report, spread
from bench.rig import Bench
from core.states import Kyc, Role
from domain import database, samples
from domain.actors import system
from domain.people import people, sessions, tokens
from domain.people.people import NewUser
from models.payments import Payment
from models.people import User
from providers.stripe.sdk import API_VERSION
from tests.rig.process import Running
from web.identity import cookie_name

LONGEST_MS = 50.0
WARM_UP = 10
SYSTEM = system("bench")


@dataclass(frozen=True)
class Asked:
    """One address, as one kind of person."""

    name: str
    path: str
    headers: dict[str, str]


def measure(
    *, payments: int = 100_000, requests: int = 200, engines: tuple[str, ...] = rig.ENGINES
) -> Report:
    """Load sample payments, start the app, and read each page one request after another."""
    report = Report("pages", f"python -m bench pages --payments {payments} --requests {requests}")
    for engine in engines:
        with rig.ground(engine) as ground, ground.bound():
            loaded = samples.load(payments, api_version=API_VERSION)
            report.add(
                engine=engine,
                page="(loading)",
                payments=loaded.payments,
                rows=loaded.rows,
                seconds=round(loaded.seconds, 1),
            )
            _settle(engine)
            web = ground.web()
            try:
                rig.wait_idle()
                _read_all(report, ground, web, requests)
            except BaseException:
                print(web.output(), file=sys.stderr)
                raise
            finally:
                web.stop()
    return report


def _settle(engine: str) -> None:
    """Do what autovacuum does within a minute of such a load; SQLite has nothing of the kind."""
    if engine == "postgresql":
        with database.engine().connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("vacuum analyze")
            )


def _read_all(report: Report, ground: Bench, web: Running, requests: int) -> None:
    slow = []
    for asked in _pages(ground, web):
        url = web.url + asked.path
        headers = asked.headers | {"Accept": "*/*"}
        _read(asked, url, headers, WARM_UP)
        times = spread(_read(asked, url, headers, requests))
        report.add(engine=ground.engine, page=asked.name, **times, load=rig.load())
        if times["p50_ms"] >= LONGEST_MS:
            slow.append(asked.name)
    sentence = f"{ground.engine}: home and lists under {LONGEST_MS:.0f} ms"
    report.expect(f"{sentence}{'; not: ' + ', '.join(slow) if slow else ''}", holds=not slow)


def _read(asked: Asked, url: str, headers: dict[str, str], repeats: int) -> list[float]:
    result = load.run(url, [load.get(url, headers)] * repeats, connections=1)
    if set(result.statuses) != {200}:
        raise SystemExit(f"{asked.path} answered {result.statuses}")
    return result.latencies


def _person(session: Session, name: str, role: Role) -> User:
    wanted = NewUser(f"{name}@bench.example", role, name=name.capitalize(), kyc=Kyc.APPROVED)
    return people.create_user(session, wanted, actor=SYSTEM, source="bench")


def _token(session: Session, user: User) -> dict[str, str]:
    issued = tokens.issue(user.id, role=user.role, kyc=user.kyc)
    sessions.note_token(session, user, issued.jti, address=None, stepped_up=False)
    return {"Authorization": f"Bearer {issued.token}"}


def _pages(ground: Bench, web: Running) -> Iterator[Asked]:
    settings = config.load(ground.env)
    with database.transaction() as session:
        fin = _person(session, "fin", Role.FINANCE)
        payment = session.scalars(
            select(Payment)
            .where(Payment.status == "completed")
            .order_by(Payment.created_at)
            .limit(1)
        ).one()
        buyer = session.get_one(User, payment.buyer_id)
        staff, own = _token(session, fin), _token(session, buyer)
        opened = sessions.open_session(session, fin, address=None, browser="bench")
        email = people.email_of(buyer)
    desk = {"Cookie": f"{cookie_name(settings)}={opened.token}"}
    yield from _api(web, payment, staff, email)
    yield Asked("api payments, a buyer's own", "/api/payments", own)
    yield Asked("api orders, a buyer's own", "/api/orders", own)
    yield from _desk(payment, desk, email)


def _api(web: Running, payment: Payment, staff: dict[str, str], email: str) -> Iterator[Asked]:
    for path, name in (
        ("/api/payments", "api payments"),
        ("/api/payments?status=pending,processing", "api payments, open ones"),
        ("/api/payments?status=failed&limit=200", "api payments, 200 failed"),
        (f"/api/payments?q={payment.provider_reference}", "api payments, by reference"),
        (f"/api/payments?q={email}", "api payments, by e-mail"),
        ("/api/payments?q=125.00", "api payments, by amount"),
        ("/api/orders", "api orders"),
        ("/api/orders?status=DepositPaid", "api orders, deposit paid"),
        ("/api/inbound-events", "api inbound events"),
        ("/api/inbound-events?state=dead,unmatched", "api inbound events, in trouble"),
        ("/api/exceptions", "api exceptions"),
        ("/api/journal/entries", "api journal entries"),
        ("/api/events", "api events"),
    ):
        yield Asked(name, path, staff)
    cursor = _cursor(f"{web.url}/api/payments?limit=200", staff, pages=20)
    yield Asked("api payments, 4,000 back", f"/api/payments?cursor={cursor}", staff)
    yield Asked("api payment", f"/api/payments/{payment.id}", staff)


def _cursor(url: str, headers: dict[str, str], *, pages: int) -> str:
    cursor = ""
    for _ in range(pages):
        address = f"{url}&cursor={cursor}" if cursor else url
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
            following = json.loads(answer.read())["nextCursor"]
        if following is None:
            break
        cursor = following
    return cursor


def _desk(payment: Payment, desk: dict[str, str], email: str) -> Iterator[Asked]:
    for path, name in (
        ("/", "desk home"),
        ("/payments", "desk payments"),
        ("/payments?status=failed", "desk payments, failed"),
        (f"/payments?q={email}", "desk payments, by e-mail"),
        (f"/payments/{payment.id}", "desk payment"),
        ("/orders", "desk orders"),
        ("/webhooks", "desk webhooks"),
        ("/exceptions", "desk exceptions"),
    ):
        yield Asked(name, path, desk)
