"""`flask docs-write`: writes the event types of domain/event_types.py to docs/events."""

from __future__ import annotations

import json
from pathlib import Path

import click
from flask import Flask

from domain import event_types
from domain.event_types import EventType

FOLDER = Path("docs") / "events"
_HEAD = """\
# Event types

<!-- Written by `flask --app wsgi docs-write` from domain/event_types.py. Change the table there. -->

Every frame of `GET /api/events/stream` and every item of `GET /api/events` is one of these. Each has its
JSON Schema beside this page. A type may gain fields; it never loses one and never changes its meaning.
`alias` is the name that the older sockets used; it rides in the frame and never makes a second one.

| Type | What happened | For | Alias |
|---|---|---|---|
"""


def pages() -> dict[str, str]:
    """Draw every file of the folder: its name and its text."""
    found = {f"{kind.name}.json": _schema(kind) for kind in event_types.TYPES}
    return found | {"README.md": _HEAD + "".join(_row(kind) for kind in event_types.TYPES)}


def _schema(kind: EventType) -> str:
    return json.dumps(event_types.schema(kind), indent=2, ensure_ascii=False) + "\n"


def _row(kind: EventType) -> str:
    alias = f"{kind.alias[0]} ({kind.alias[1]})" if kind.alias else ""
    audience = "staff" if kind.staff else "its parties and staff"
    if kind.name in ("user.created", "session.revoked"):
        audience = "that person and staff"
    if kind.name == "ops.probe":
        audience = "its sender"
    return f"| [{kind.name}]({kind.name}.json) | {kind.meaning} | {audience} | {alias} |\n"


@click.command("docs-write")
def docs_write() -> None:
    """Write docs/events from the table of event types."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    drawn = pages()
    for left in {path.name for path in FOLDER.iterdir()} - drawn.keys():
        (FOLDER / left).unlink()
    for name, text in drawn.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    click.echo(f"{len(drawn)} files in {FOLDER}")


def register(app: Flask) -> None:
    """Add the command."""
    app.cli.add_command(docs_write)
