"""`flask erase-person USER_ID`: show what erasing somebody would do, then do it; for operators without a desk."""

from __future__ import annotations

import click
from flask import Flask

from commands.checks import answer, as_json, operator
from core.errors import AppError
from domain.database import reading, transaction
from domain.people import erasure, erasure_outlook, people
from domain.people.erasure_outlook import Outlook


def _print(found: Outlook) -> None:
    for block in found.blocks:
        click.echo(f"in the way: {block.said} ({block.code})")
    for line in found.goes:
        click.echo(f"goes:  {line.name}" + ("" if line.count is None else f", {line.count:,}"))
    for line in found.stays:
        count = "" if line.count is None else f", {line.count:,}"
        click.echo(f"stays: {line.name}{count}. {line.why or ''}".rstrip())


def _said(user_id: str, found: Outlook, *, is_erased: bool) -> dict[str, object]:
    return {
        "userId": user_id,
        "erased": is_erased,
        "blocks": [{"code": each.code, "message": each.said} for each in found.blocks],
        "goes": [{"what": line.name, "count": line.count} for line in found.goes],
        "stays": [
            {"what": line.name, "count": line.count, "why": line.why} for line in found.stays
        ],
    }


@click.command("erase-person")
@click.argument("user_id")
@click.option(
    "--reason", default="", help="Why; kept in the audit log. Without it nothing is done."
)
@click.option("--preview", is_flag=True, help="Only show what would go and what stays.")
@as_json
def erase_person(user_id: str, reason: str, preview: bool, as_json: bool) -> None:
    """Erase somebody for good: their key is destroyed, and what named them goes. Cannot be undone."""
    try:
        with reading() as session:
            found = erasure_outlook.look(session, people.get_user(session, user_id))
        if not preview:
            by = operator()
            with transaction() as session:
                erasure.erase(session, user_id, actor=by, source="operator", reason=reason)
    except AppError as error:
        raise click.ClickException(f"{error.message} ({error.code})") from error
    if as_json:
        answer(_said(user_id, found, is_erased=not preview))
        return
    _print(found)
    click.echo(f"{user_id}: {'nothing was done' if preview else 'erased'}")


def register(app: Flask) -> None:
    """Add the command."""
    app.cli.add_command(erase_person)
