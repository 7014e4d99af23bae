"""`flask freeze SCOPE`: hold money out at once from a terminal, when the desk cannot be reached."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import click
from flask import Flask

from commands.checks import answer, as_json, operator
from core import clock
from core.errors import AppError
from core.strictjson import Json
from domain.control import freeze_queries, freezes, held
from domain.control.freezes import Wanted
from domain.control.held import Forecast, Place
from domain.database import transaction
from domain.transitions import Why

_SPAN = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def parse_until(text: str) -> datetime:
    """Read `30m`, `2h`, `7d`, or a time with its offset such as `2026-11-21T18:00:00Z`.

    Raises: click.BadParameter
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        return clock.now() + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise click.BadParameter("write 30m, 2h, 7d or 2026-11-21T18:00:00Z")
    return at


def parse_scope(text: str) -> tuple[str, str]:
    """Read `all`, `rail:card`, `merchant:mer_…` or `order:ord_…`."""
    scope, _, scope_id = text.partition(":")
    return scope, scope_id


def _said(found: Forecast) -> dict[str, Json]:
    amounts: list[Json] = [
        {"amount": each.major(), "currency": each.asset.code} for each in found.amounts
    ]
    return {**found.counts, "amount": amounts, "inFlight": found.in_flight}


def _print(state: str, place: str, until: datetime | None, found: Forecast) -> None:
    click.echo(f"{state}: money out of {place}")
    click.echo(f"until:  {clock.rfc3339(until) or 'somebody lifts it; that takes two people'}")
    held_now = ", ".join(f"{number} {kind}" for kind, number in found.counts.items())
    click.echo(f"holds:  {held_now}")
    for each in found.amounts:
        click.echo(f"        {each.major()} {each.asset.code}")
    if found.in_flight:
        click.echo(f"too late for {found.in_flight} that are on their way already")


@click.command("freeze")
@click.argument("scope", metavar="SCOPE")
@click.option("--reason", required=True, help="Why; everybody who is held up reads it.")
@click.option(
    "--until", default=None, help="30m, 2h, 7d or 2026-11-21T18:00:00Z; else until lifted."
)
@as_json
def freeze(scope: str, reason: str, until: str | None, as_json: bool) -> None:
    """Hold money out: SCOPE is all, rail:card, merchant:mer_… or order:ord_…"""
    name, scope_id = parse_scope(scope)
    ends_at = parse_until(until) if until is not None else None
    reason = reason.strip()
    why = Why(operator(), "operator", reason)
    try:
        with transaction() as session:
            row, is_new = freezes.engage(session, Wanted(name, scope_id, reason, ends_at), why=why)
            found = held.forecast(session, Place(row.scope, row.scope_id))
            place = freeze_queries.place_of(session, row)
            said = freeze_queries.wire(row, for_staff=True)
    except AppError as error:
        raise click.ClickException(error.message) from None
    if as_json:
        answer(said | {"forecast": _said(found), "new": is_new})
    else:
        _print("Frozen" if is_new else "Was frozen already", place, row.until, found)


def register(app: Flask) -> None:
    """Add this command."""
    app.cli.add_command(freeze)
