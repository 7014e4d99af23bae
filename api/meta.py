"""Probes, metrics, the public status, the catalogue of errors, and browsers' policy reports."""

from __future__ import annotations

from typing import Literal

import structlog
from flask import Blueprint, Response, request

from api import catalogue
from api.contract import Answer, Call, NoBody, NoQuery, Open, Out, endpoint, route
from api.contract.reading import assert_form
from api.notices import NoticeOut
from core import strictjson
from core.strictjson import Json
from domain import health
from domain.database import reading
from domain.delays import notice_queries
from web import access, counters, identity, limits, wire
from web.access import Access, Door, Kind
from web.origins import origin_of

blueprint = Blueprint("meta", __name__)
log = structlog.get_logger()
REPORT_BYTES = 64 * 1024
DIRECTIVES = frozenset(
    "default-src script-src script-src-elem script-src-attr style-src style-src-elem style-src-attr "
    "img-src font-src connect-src frame-src form-action frame-ancestors base-uri object-src".split()
)


class HealthOut(Out):
    """The process answers."""

    status: Literal["ok"]


class ReadyOut(Out):
    """Whether this process can work. degraded: it can, but a worker or provider is missing."""

    status: Literal["ready", "degraded", "unready"]
    database: str
    migrations: str
    workers: int
    settlement: Literal["running", "paused", "unknown"]
    providers: dict[str, str]


class ErrorCodeOut(Out):
    """One error code."""

    code: str
    status: int
    meaning: str
    what_to_do: str
    retryable: bool


class ErrorCodesOut(Out):
    """All error codes."""

    items: list[ErrorCodeOut]


class RailStateOut(Out):
    """How one rail is."""

    rail: str
    state: Literal["ok", "degraded", "outage"]
    text: str
    eta_at: str | None


class StatusOut(Out):
    """How the installation is, for everybody."""

    state: Literal["ok", "degraded", "outage"]
    rails: list[RailStateOut]
    notices: list[NoticeOut]


@route(
    blueprint,
    "GET",
    "/healthz",
    access=Open("says only that the process answers"),
    answers={200: HealthOut},
    summary="Does the process answer?",
)
def healthz() -> Response:
    return wire.answer(b'{"status":"ok"}', 200)


@route(
    blueprint,
    "GET",
    "/readyz",
    access=Open("says only whether requests can be served"),
    answers={200: ReadyOut, 503: ReadyOut},
    summary="Can this process serve requests?",
)
def readyz() -> Response:
    found = health.readiness()
    headers = {"Retry-After": "5"} if found.state == "unready" else {}
    return wire.answer(found.wire(), 503 if found.state == "unready" else 200, headers)


@blueprint.get("/metrics")
@access.declare(Access(Kind.METRICS, Door.API, note="token or role in production, open elsewhere"))
def metrics() -> Response:
    with reading() as session:
        gauges = list(health.gauges(session))
    return Response(counters.exposition(gauges), content_type=counters.CONTENT_TYPE)


@endpoint(
    blueprint,
    "GET",
    "/api/errors",
    access=Open("the catalogue is documentation"),
    answers={200: ErrorCodesOut},
    summary="What does each error code mean, and what to do about it?",
)
def errors(_: Call[NoBody, NoQuery]) -> Answer:
    items = [
        {
            "code": code,
            "status": found.status,
            "meaning": found.meaning,
            "whatToDo": found.what_to_do,
            "retryable": found.retryable,
        }
        for code, found in catalogue.MEANINGS.items()
    ]
    return Answer(200, {"items": items})


@endpoint(
    blueprint,
    "GET",
    "/api/status",
    access=Open("the public status, without numbers"),
    answers={200: StatusOut},
    summary="How are the rails?",
)
def status(_: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        rails = health.rail_states(session)
        notices = [
            notice_queries.wire(row, for_staff=False) for row in notice_queries.live(session)
        ]
    state = health.worst([str(rail["state"]) for rail in rails])
    return Answer(200, {"state": state, "rails": rails, "notices": notices})


def _reports(document: Json) -> list[dict[str, Json]]:
    if isinstance(document, dict):
        report = document.get("csp-report")
        return [report] if isinstance(report, dict) else []
    listed = document if isinstance(document, list) else []
    bodies = [each.get("body") for each in listed[:20] if isinstance(each, dict)]
    return [body for body in bodies if isinstance(body, dict)]


def _text(report: dict[str, Json], *names: str) -> str:
    return next((str(report[name]) for name in names if isinstance(report.get(name), str)), "")


def _note(report: dict[str, Json]) -> None:
    said = _text(report, "effective-directive", "effectiveDirective", "violated-directive")
    directive = said.split(" ")[0] if said.split(" ")[0] in DIRECTIVES else "other"
    blocked = _text(report, "blocked-uri", "blockedURL")
    counters.CSP_REPORTS.labels(counters.process(), directive).inc()
    # Only the origin: addresses may hold what a person typed.
    log.warning("csp.violated", directive=directive, blocked=(origin_of(blocked) or blocked)[:80])


@route(
    blueprint,
    "POST",
    "/csp-reports",
    access=Open("browsers send these without credentials; counted, never stored"),
    answers={204: None},
    summary="Receive a browser's report about the content security policy.",
    takes="application/csp-report",
)
def csp_reports() -> Response:
    assert_form(request, limit=REPORT_BYTES)
    limits.count(None, address=identity.address(request))
    try:
        reports = _reports(strictjson.loads(request.get_data(cache=False)))
    except strictjson.Unreadable:
        reports = []
    for report in reports:
        _note(report)
    return Response(status=204)
