"""A few endpoints that only show what the contract does with a call."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Flask
from pydantic import Field

from api.contract import (
    Answer,
    Call,
    In,
    Instant,
    Metadata,
    MoneyIn,
    NoBody,
    Open,
    RangeQuery,
    Reference,
    Session,
    Several,
    Text,
    endpoint,
    finish,
    money_out,
    run_once,
    start,
)
from core.errors import AppError
from core.money import asset
from core.permissions import Permission
from domain import audit


class ThingIn(In):
    amount: MoneyIn | None = None
    note: Text | None = None
    count: int | None = Field(default=None, ge=1, le=10)
    at: Instant | None = None
    flag: bool | None = None
    metadata: Metadata | None = None
    parts: list[str] | None = None
    reference: Reference | None = None


class ThingsQuery(RangeQuery):
    state: Several = ()
    most: int | None = None
    demo: bool | None = None


@dataclass
class Probe:
    """What the probe did. failing: what its work raises; entered, let_go: hold a call inside its work."""

    app: Flask
    runs: int = 0
    failing: AppError | Exception | None = None
    status: int = 201
    entered: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event | None = None

    def work(self, session: Session, call: Call[Any, Any]) -> Answer:
        self.runs += 1
        audit.write(
            session,
            "probe.ran",
            actor=call.actor,
            object_kind="probe",
            object_id=str(self.runs),
            source=call.source,
        )
        self.entered.set()
        if self.let_go is not None:
            self.let_go.wait(10)
        if self.failing is not None:
            raise self.failing
        body = {"run": self.runs, "note": call.body.note}
        return Answer(self.status, body, location=f"/api/probe/things/{self.runs}")


def mount(app: Flask) -> Probe:
    """Add the probe's endpoints to an app that has not answered yet."""
    probe = Probe(app)
    blueprint = Blueprint("probe", __name__)
    create: dict[str, Any] = {
        "access": Permission.ORDERS_CREATE,
        "body": ThingIn,
        "summary": "Probe.",
    }

    @endpoint(
        blueprint,
        "POST",
        "/api/probe/things",
        key="R",
        money=True,
        answers={201: None, 200: None},
        **create,
    )
    def required(call: Call[ThingIn]) -> Answer:
        return run_once(call, lambda session: probe.work(session, call))

    @endpoint(blueprint, "POST", "/api/probe/optional", key="O", answers={201: None}, **create)
    def optional(call: Call[ThingIn]) -> Answer:
        return run_once(call, lambda session: probe.work(session, call))

    @endpoint(
        blueprint, "POST", "/api/probe/{thingId}/steps", key="R", answers={201: None}, **create
    )
    def steps(call: Call[ThingIn]) -> Answer:
        with start(call):
            pass
        with start_again(call) as session:
            return finish(session, call, probe.work(session, call))

    @endpoint(blueprint, "POST", "/api/payment/probe", key="R", answers={201: None}, **create)
    def wrapped(call: Call[ThingIn]) -> Answer:
        return run_once(call, lambda session: probe.work(session, call))

    @endpoint(
        blueprint,
        "POST",
        "/api/probe/echo",
        access=Open("test"),
        body=ThingIn,
        answers={200: None},
        summary="Echo.",
    )
    def echo(call: Call[ThingIn]) -> Answer:
        body = call.body
        amount = money_out(body.amount.money(default=asset("EUR"))) if body.amount else None
        said = {"amount": amount, "note": body.note, "count": body.count, "flag": body.flag}
        return Answer(200, said | {"at": body.at.isoformat() if body.at else None})

    @endpoint(
        blueprint,
        "GET",
        "/api/probe/things",
        access=Open("test"),
        query=ThingsQuery,
        answers={200: None},
        summary="List.",
    )
    def listed(call: Call[NoBody, ThingsQuery]) -> Answer:
        asked = call.query
        return Answer(
            200,
            {
                "state": list(asked.state),
                "limit": asked.limit,
                "demo": asked.demo,
                "most": asked.most,
            },
        )

    @endpoint(
        blueprint,
        "GET",
        "/api/probe/things/{thingId}",
        access=Permission.ORDERS_READ,
        answers={200: None},
        summary="Read.",
    )
    def read(call: Call) -> Answer:
        return Answer(200, {"thingId": call.path["thingId"], "actor": call.actor.id})

    app.register_blueprint(blueprint)
    return probe


def start_again(call: Call[Any, Any]) -> Any:
    """Open a later transaction of a call whose key is claimed already."""
    from domain.database import transaction

    del call
    return transaction()
