"""`flask print-again`: documents that were given up get another chance, once what broke them is mended."""

from __future__ import annotations

from collections.abc import Sequence

import click
from flask import Flask

from commands.checks import answer, as_json, operator
from domain import database
from domain.invoices import documents
from domain.transitions import Why


@click.command("print-again")
@click.argument("document_ids", nargs=-1, metavar="[DOCUMENT_ID...]")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@as_json
def print_again(document_ids: Sequence[str], reason: str, as_json: bool) -> None:
    """Let documents be printed that were given up: these, or all of them."""
    why = Why(operator(), "command:print-again", reason)
    with database.reading() as session:
        wanted = list(document_ids) or documents.given_up(session)
    said = {}
    for each in wanted:
        with database.transaction() as session:
            said[each] = documents.print_again(session, each, why=why)
    if as_json:
        answer({"items": [{"documentId": each, "queued": queued} for each, queued in said.items()]})
    else:
        for each, queued in said.items():
            click.echo(f"{each}: {'waits for the printer' if queued else 'was not given up'}")
        if not said:
            click.echo("No document was given up.")
    if not all(said.values()):
        raise SystemExit(1)


def register(app: Flask) -> None:
    """Add the command."""
    app.cli.add_command(print_again)
