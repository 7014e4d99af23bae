"""What we ask of providers, read one by one, and the rails through which we ask."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint

from api.contract import Answer, Call, NoBody, NoQuery, Out, Session, endpoint
from api.shapes import EtaOut
from core import clock
from core.permissions import Permission
from core.states import Operation as State
from domain.database import reading
from domain.delays import eta
from domain.payments import operation_queries
from models.operations import Operation
from models.payments import Payment
from providers import registry
from providers.seam import Rail

blueprint = Blueprint("operations", __name__)


class OperationOut(Out):
    """One act asked of a provider. `unknown`: asked again at `nextCheckAt`, never repeated under a new key."""

    operation_id: str
    kind: str
    state: Literal["prepared", "sent", "succeeded", "failed", "unknown"]
    provider: str
    provider_reference: str | None
    attempts: int
    next_check_at: str | None
    result: dict[str, Any] | None
    object_link: str | None


class RailOut(Out):
    """One way to pay."""

    rail: str
    provider: str
    configured: bool
    enabled: bool
    health: Literal["ok", "late", "silent", "failing"] | None
    assets: list[str]
    eta: EtaOut | None
    notice: str | None


class RailsOut(Out):
    """Every way to pay that this installation knows."""

    items: list[RailOut]


def _result(row: Operation, payment: Payment) -> dict[str, Any] | None:
    if row.state == State.SUCCEEDED:
        return {"paymentId": payment.id, "status": payment.status}
    if row.state == State.FAILED:
        return {"error": {"code": row.error_code, "message": row.error_message}}
    return None


@endpoint(
    blueprint,
    "GET",
    "/api/operations/{operationId}",
    access=Permission.PAYMENTS_READ,
    answers={200: OperationOut},
    summary="Read what became of an act asked of a provider.",
    requirement="S27",
)
def show(call: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        row, payment = operation_queries.get_operation(
            session, call.path["operationId"], actor=call.actor
        )
    body = {
        "operationId": row.id,
        "kind": row.kind,
        "state": row.state,
        "provider": row.provider,
        "providerReference": row.provider_reference or payment.provider_reference,
        "attempts": row.attempts,
        "nextCheckAt": clock.rfc3339(row.due_at),
        "result": _result(row, payment),
        "objectLink": f"/api/payments/{payment.id}",
    }
    return Answer(200, body)


def _rail(session: Session, rail: Rail) -> dict[str, Any]:
    expected = eta.of_rail(session, rail.rail, rail.name, codes=rail.currencies)
    return {
        "rail": rail.rail,
        "provider": rail.name,
        "configured": rail.is_configured,
        "enabled": rail.is_configured,
        "health": operation_queries.health_of(session, rail),
        "assets": operation_queries.assets_of(rail.rail, only=rail.currencies),
        "eta": expected.wire() if expected else None,
        "notice": expected.text if expected and expected.is_notice else None,
    }


@endpoint(
    blueprint,
    "GET",
    "/api/rails",
    access=Permission.SELF_READ,
    answers={200: RailsOut},
    summary="List the ways to pay, whether they are configured and how they are.",
    requirement="S75",
)
def rails(_: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        items = [_rail(session, rail) for rail in registry.every()]
    return Answer(200, {"items": items})
