"""The API described for people: the same description, laid out for the reference page."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from flask import Blueprint, render_template

from api import catalogue, openapi
from api.contract import ENDPOINTS, Endpoint
from web import access, identity

blueprint = Blueprint("reference", __name__)
Schema = dict[str, Any]
DEEPEST = 3
TITLES = {
    "auth": "Tokens",
    "people": "People",
    "keys": "API keys",
    "audit": "Audit log",
    "meta": "Health and status",
    "openapi": "This reference",
}
AUTH = (
    ("Token", "POST /api/auth/token with address and password, then `Authorization: Bearer …`."),
    ("API key", "`Authorization: Bearer pd_test_…`, from your server only."),
    ("Repeats", "Idempotency-Key: the same key and body give the first answer again."),
)
_EXAMPLES: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "null": None,
}


def _followed(schema: Schema, components: Schema) -> Schema:
    """Follow a reference to the schema that it names."""
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return components.get(name, {}) if name else schema


def _plain(schema: Schema, components: Schema) -> tuple[Schema, bool]:
    """Give the schema behind `X or null`, and whether null may stand there."""
    ways = schema.get("anyOf", [])
    real = [each for each in ways if each.get("type") != "null"]
    if ways and len(real) == 1:
        return _followed(real[0], components), len(real) < len(ways)
    return _followed(schema, components), False


def _type(schema: Schema, components: Schema) -> str:
    found, may_be_null = _plain(schema, components)
    if "enum" in found:
        words = " | ".join(str(each) for each in found["enum"])
    elif "const" in found:
        words = str(found["const"])
    elif found.get("type") == "array":
        words = f"list of {_type(found.get('items', {}), components)}"
    else:
        words = str(found.get("title") if "properties" in found else found.get("type", "any"))
    return f"{words} or null" if may_be_null else words


def fields(schema: Schema, components: Schema, depth: int = 0) -> list[dict[str, Any]]:
    """List a schema's fields, those of its parts indented below them."""
    found, _ = _plain(schema, components)
    if found.get("type") == "array":
        return fields(found.get("items", {}), components, depth)
    rows = []
    for name, part in found.get("properties", {}).items():
        row = {"name": name, "type": _type(part, components), "depth": depth}
        row["required"] = name in found.get("required", ()) and depth == 0
        row["text"] = part.get("description", "")
        rows.append(row)
        if depth < DEEPEST:
            rows += fields(part, components, depth + 1)
    return rows


def example(schema: Schema, components: Schema, depth: int = 0) -> Any:
    """Make a value that a schema allows."""
    found, _ = _plain(schema, components)
    if "examples" in found:
        return found["examples"][0]
    if "const" in found or "enum" in found:
        return found.get("const", (found.get("enum") or [None])[0])
    if "properties" in found and depth <= DEEPEST:
        parts = found["properties"].items()
        return {name: example(part, components, depth + 1) for name, part in parts}
    if found.get("type") == "array":
        return [example(found.get("items", {}), components, depth + 1)]
    if found.get("format") == "date-time":
        return "2026-11-21T09:30:00Z"
    return _EXAMPLES.get(str(found.get("type")), {})


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _parameter(row: Schema, components: Schema) -> dict[str, Any]:
    return {
        "name": row["name"],
        "type": _type(row["schema"], components),
        "place": row["in"],
        "required": row["required"],
        "text": row.get("description", ""),
        "depth": 0,
    }


def _schema_of(said: Schema) -> Schema:
    contents: list[Schema] = list(said.get("content", {}).values())
    return contents[0].get("schema", {}) if contents else {}


def _response(status: str, said: Schema, components: Schema) -> dict[str, Any]:
    schema, is_refusal = _schema_of(said), int(status) >= 400
    row: dict[str, Any] = {"status": status, "text": said["description"], "open": False}
    row["tone"] = "bad" if is_refusal else "good"
    if not is_refusal and schema:
        row["fields"] = fields(schema, components)
        row["type"] = _followed(schema, components).get("title", "")
    return row


def _sample(found: Endpoint, body: Any, base_url: str) -> str:
    lines = [f"curl {base_url}{found.path}"]
    lines += [f"  -X {found.method}"] if found.method != "GET" else []
    lines += ['  -H "Authorization: Bearer $TOKEN"'] if openapi.who(found) != "Anybody" else []
    lines += ['  -H "Idempotency-Key: $(uuidgen)"'] if found.key else []
    if body is not None:
        lines += ['  -H "Content-Type: application/json"', f"  -d '{json.dumps(body)}'"]
    return " \\\n".join(lines)


def _key_words(found: Endpoint) -> str:
    return {"R": "required", "O": "optional"}.get(found.key or "", "")


def _operation(found: Endpoint, said: Schema, components: Schema, base_url: str) -> dict[str, Any]:
    responses = [
        _response(status, row, components) for status, row in sorted(said["responses"].items())
    ]
    good = next(
        (
            _schema_of(said["responses"][row["status"]])
            for row in responses
            if row["tone"] == "good"
        ),
        {},
    )
    row: dict[str, Any] = {
        "id": said["operationId"],
        "method": found.method,
        "path": found.path,
        "summary": found.summary.rstrip("."),
        "text": found.deviation or "",
        "who": openapi.who(found),
        "key": _key_words(found),
        "parameters": [_parameter(each, components) for each in said["parameters"]],
        "responses": responses,
        "events": list(found.events),
        "answer_example": _text(example(good, components)) if good else "",
    }
    body = None
    if found.body is not None:
        schema = _schema_of(said["requestBody"])
        body = example(schema, components)
        row["body"] = {
            "type": _followed(schema, components).get("title", ""),
            "fields": fields(schema, components),
            "example": _text(body),
        }
    row["sample"] = _sample(found, body, base_url)
    return row


def _errors() -> dict[str, Any]:
    rows = [
        {"name": code, "type": str(found.status), "text": f"{found.meaning} {found.what_to_do}"}
        for code, found in catalogue.MEANINGS.items()
    ]
    return {"name": "Error codes", "text": " What each means and what to do", "fields": rows}


@cache
def layout(base_url: str) -> dict[str, Any]:
    """Lay the whole description out."""
    said = openapi.document()
    components = said["components"]["schemas"]
    groups: dict[str, dict[str, Any]] = {}
    for found in ENDPOINTS.values():
        title = TITLES.get(found.tag, found.tag.capitalize())
        group = groups.setdefault(
            found.tag, {"id": f"group-{found.tag}", "title": title, "text": "", "operations": []}
        )
        operation = said["paths"][found.path][found.method.lower()]
        group["operations"].append(_operation(found, operation, components, base_url))
    return {
        "title": "Paydesk API",
        "version": said["info"]["version"],
        "download_href": "/api/openapi.json",
        "base_url": base_url,
        "intro": [said["info"]["description"]],
        "auth": [{"name": name, "text": text} for name, text in AUTH],
        "groups": list(groups.values()),
        "schemas": [_errors()],
    }


@blueprint.get("/api/docs")
@access.public("the reference is public")
def docs() -> str:
    caller = identity.viewer()
    found = layout(identity.settings().public_url)
    return render_template("docs/api.html", api=found, theme=caller.theme if caller else None)
