"""The API described for programs: OpenAPI 3.1, generated from the records that validate."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import catalogue
from api.contract import ENDPOINTS, Endpoint, Open
from api.contract.reading import VERSIONS
from api.contract.records import ErrorOut, WrappedErrorOut
from api.contract.registry import add
from core.permissions import HOLDERS, SCOPES, Permission
from web import access, wire
from web.access import Door

blueprint = Blueprint("openapi", __name__)
_TEMPLATE = "#/components/schemas/{model}"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
Mode = Literal["validation", "serialization"]
INTRO = (
    "The payments desk for every rail: orders, payments, webhooks and events over JSON. "
    "Amounts are decimal strings in major units, times are RFC 3339 in UTC, ids carry prefixes. "
    "Send an Idempotency-Key with every act; a repeat gets the first answer."
)
SECURITY_SCHEMES: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "From POST /api/auth/token; one hour.",
    },
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "pd_test_… or pd_live_…",
        "description": "A merchant's key, for servers only: refused with an Origin header.",
    },
    "desk": {
        "type": "apiKey",
        "in": "cookie",
        "name": "paydesk_session",
        "description": "The desk's sign-in; acts also need X-CSRF-Token.",
    },
}
# Every guarded route may answer these without its row naming them.
_GUARDED = ("UNAUTHENTICATED", "TOKEN_EXPIRED", "FORBIDDEN")
_ALWAYS = ("RATE_LIMITED", "INTERNAL", "DATABASE_UNAVAILABLE")


def _models() -> list[tuple[type[BaseModel], Mode]]:
    found: dict[tuple[str, Mode], tuple[type[BaseModel], Mode]] = {}
    outs: list[tuple[type[BaseModel] | None, Mode]] = [
        (ErrorOut, "serialization"),
        (WrappedErrorOut, "serialization"),
    ]
    for each in ENDPOINTS.values():
        outs.append((each.body, "validation"))
        outs += [(record, "serialization") for record in (each.answers or {}).values()]
    for record, mode in outs:
        if record is not None:
            found[record.__name__, mode] = (record, mode)
    return list(found.values())


def _schemas() -> tuple[dict[Any, Any], dict[str, Any]]:
    references, document = models_json_schema(_models(), ref_template=_TEMPLATE)
    components: dict[str, Any] = document.get("$defs", {})
    return dict(references), components


def _query_parameters(found: Endpoint) -> list[dict[str, Any]]:
    if found.query is None:
        return []
    schema = found.query.model_json_schema(by_alias=True)
    needed = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            "schema": {key: value for key, value in field.items() if key != "title"},
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _header_parameters(found: Endpoint) -> list[dict[str, Any]]:
    headers = []
    if found.key is not None:
        headers.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                # The body's `reference` may stand in for it, so it is never demanded as a header.
                "required": found.key == "R" and not _may_stand_in(found),
                "description": "A new value for each new act; a repeat gets the first answer.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,255}$"},
            }
        )
    if found.path.startswith(("/api/", "/v1/")):
        headers.append(
            {
                "name": "Paydesk-Version",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "enum": list(VERSIONS)},
            }
        )
    return headers


def _may_stand_in(found: Endpoint) -> bool:
    return found.body is not None and "reference" in found.body.model_fields


def _parameters(found: Endpoint) -> list[dict[str, Any]]:
    places = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PLACEHOLDER.findall(found.path)
    ]
    return [*places, *_query_parameters(found), *_header_parameters(found)]


def codes(found: Endpoint) -> list[str]:
    """List every code an endpoint may answer: its own and those of its checks, by status."""
    listed = [*found.errors, *_ALWAYS]
    if not isinstance(found.who, Open):
        listed += _GUARDED
        listed += ["SCOPE_MISSING", "KEY_IN_BROWSER"] if found.who in SCOPES else []
        listed += ["KYC_REQUIRED"] if found.money else []
    if found.is_checked:
        listed += ["VALIDATION_FAILED", "CARD_NUMBER_REFUSED", "UNKNOWN_VERSION"]
    if found.body is not None:
        # The body may name what does not exist.
        listed += ["NOT_FOUND"] if found.key is not None else []
        listed += ["MALFORMED_JSON", "LENGTH_REQUIRED", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA"]
    if found.key is not None:
        listed += ["IDEMPOTENCY_KEY_INVALID", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]
        listed += ["IDEMPOTENCY_KEY_REQUIRED"] if found.key == "R" else []
    if _PLACEHOLDER.search(found.path):
        listed.append("NOT_FOUND")
    return sorted(set(listed), key=lambda code: (catalogue.status_of(code), code))


def _refusals(found: Endpoint) -> dict[str, Any]:
    wrapped = found.style != "api"
    schema = {"$ref": _TEMPLATE.format(model="WrappedErrorOut" if wrapped else "ErrorOut")}
    by_status: dict[str, list[str]] = {}
    for code in codes(found):
        by_status.setdefault(str(catalogue.status_of(code)), []).append(code)
    return {
        status: {
            "description": ", ".join(names),
            "content": {wire.CONTENT_TYPE: {"schema": schema}},
        }
        for status, names in by_status.items()
    }


def _answers(found: Endpoint, references: dict[Any, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, record in (found.answers or {}).items():
        said: dict[str, Any] = {
            "description": (record.__doc__ or "").strip() if record else "Done."
        }
        if record is not None:
            schema = references[record, "serialization"]
            said["content"] = {found.media: {"schema": schema}}
        elif status != 204:
            said["content"] = {found.media: {}}
        if found.key is not None:
            replayed = {
                "schema": {"const": "true"},
                "description": "This is the first answer again.",
            }
            said["headers"] = {"Idempotent-Replayed": replayed}
        answers[str(status)] = said
    return answers


def who(found: Endpoint) -> str:
    """Say in words who may call an endpoint."""
    if isinstance(found.who, Open):
        return "A signature of the sender" if found.who.signed else "Anybody"
    return ", ".join(sorted(role.value for role in HOLDERS[found.who]))


def _security(found: Endpoint) -> list[dict[str, list[str]]]:
    if isinstance(found.who, Open):
        return []
    ways: list[dict[str, list[str]]] = [{"token": []}, {"desk": []}]
    return [*ways, {"apiKey": []}] if found.who in SCOPES else ways


def _with_file(body: type[BaseModel]) -> dict[str, Any]:
    """Describe a form: the fields of its record, and the file beside them."""
    schema = body.model_json_schema(by_alias=True)
    file = {"type": "string", "format": "binary", "description": "The file itself."}
    schema["properties"] = {**schema["properties"], "file": file}
    schema["required"] = [*schema.get("required", ()), "file"]
    return schema


def _operation(found: Endpoint, references: dict[Any, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation_id(found),
        "summary": found.summary,
        "tags": [found.tag],
        "parameters": _parameters(found),
        "responses": _refusals(found) | _answers(found, references),
        "security": _security(found),
        "x-who": who(found),
    }
    if isinstance(found.who, Permission):
        said["x-permission"] = found.who.value
        if scope := SCOPES.get(found.who):
            said["x-scope"] = scope
    if found.body is not None:
        schema = references[found.body, "validation"]
        needed = any(field.is_required() for field in found.body.model_fields.values())
        content = {found.takes: {"schema": _with_file(found.body) if found.takes_file else schema}}
        said["requestBody"] = {"required": needed, "content": content}
    elif found.takes != wire.CONTENT_TYPE and found.method != "GET":
        said["requestBody"] = {"content": {found.takes: {}}}
    more: dict[str, Any] = {
        "x-events": list(found.events),
        "x-requirement": found.requirement,
        "x-idempotency-key": found.key,
        "x-deviation": found.deviation,
    }
    return said | {name: value for name, value in more.items() if value}


def operation_id(found: Endpoint) -> str:
    """Name an operation for generators and links."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", found.path).strip("-")
    return f"{found.method.lower()}-{words}"


@cache
def document() -> dict[str, Any]:
    """Write the whole description; the endpoints are fixed once the app has started."""
    references, components = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for found in ENDPOINTS.values():
        paths.setdefault(found.path, {})[found.method.lower()] = _operation(found, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Paydesk", "version": VERSIONS[-1], "description": INTRO},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": components, "securitySchemes": SECURITY_SCHEMES},
    }


@blueprint.get("/api/openapi.json")
@access.public("the description of the API is public", door=Door.API)
def openapi() -> Response:
    return wire.answer(document(), 200)


for _path, _why, _summary in (
    ("/api/openapi.json", "the description of the API is public", "This description."),
    ("/metrics", "a token or role in production, open elsewhere", "Counts for Prometheus."),
):
    _media = wire.CONTENT_TYPE if _path.endswith("json") else "text/plain"
    add(
        Endpoint(
            method="GET",
            path=_path,
            who=Open(_why),
            summary=_summary,
            answers={200: None},
            tag="meta",
            media=_media,
            is_checked=False,
        )
    )
