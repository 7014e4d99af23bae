"""`flask user add`, `flask user link`, `flask token`, `flask api-key add`: people and credentials, made by the operator."""

from __future__ import annotations

import getpass
import json
import re
import sys
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import AppError
from core.permissions import ALL_SCOPES
from core.states import Kyc, Role
from domain.actors import system
from domain.database import transaction
from domain.people import account_links, keys, passwords, people, sessions, tokens
from models.people import Merchant

OPERATOR = system("operator")
DEFAULT_TTL = "12h"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
users = AppGroup("user", help="The people of this installation.")
api_keys = AppGroup("api-key", help="The API keys of merchants.")


def seconds_of(text: str) -> int:
    """Read a duration such as `90s`, `15m`, `12h` or `30d`; a bare number is seconds."""
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if match is None:
        raise click.BadParameter("write it like 90s, 15m, 12h or 30d")
    return int(match.group(1)) * _UNITS[match.group(2) or "s"]


def say(document: dict[str, Any], *, as_json: bool, text: str) -> None:
    """Print an answer for a program or for a person."""
    click.echo(json.dumps(document) if as_json else text)


def _asked_password(given: str | None) -> tuple[str, bool]:
    """Give the password and whether it was made up here: `-` reads it from standard input."""
    if given == "-":
        if sys.stdin.isatty():
            return getpass.getpass("Password: "), False
        return sys.stdin.readline().rstrip("\n"), False
    return (given, False) if given is not None else (ids.token(12), True)


def _merchant(session: Session, name: str | None) -> Merchant | None:
    """Find the merchant, or make it: the operator vouches for it."""
    if name is None:
        return None
    found = people.find_merchant(session, name)
    if found is not None:
        return found
    return people.create_merchant(session, name, actor=OPERATOR, state="approved", kyc=Kyc.APPROVED)


def _refused(error: AppError) -> click.ClickException:
    return click.ClickException(error.message)


@users.command("add")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--name", default=None, help="How the desk calls them.")
@click.option(
    "--password", default=None, help="`-` reads it from standard input; made up if absent."
)
@click.option("--merchant", default=None, help="Id, short name or name; made if new.")
@click.option("--kyc", default=Kyc.APPROVED.value, type=click.Choice([kyc.value for kyc in Kyc]))
@click.option("--json", "as_json", is_flag=True)
def add_user(
    *,
    email: str,
    role: str,
    name: str | None,
    password: str | None,
    merchant: str | None,
    kyc: str,
    as_json: bool,
) -> None:
    """Add a user; a password that was made up is printed once."""
    word, is_made_up = _asked_password(password)
    try:
        passwords.assert_acceptable(word)
        with transaction() as session:
            owner = _merchant(session, merchant)
            wanted = people.NewUser(
                email=email,
                role=Role(role),
                name=name,
                password=word,
                merchant_id=owner.id if owner else None,
                kyc=Kyc(kyc),
            )
            user = people.create_user(session, wanted, actor=OPERATOR, source="operator")
            said = people.wire(user, has_factor=False)
    except AppError as error:
        raise _refused(error) from error
    shown = word if is_made_up else None
    text = f"Added {said['email']} as {role}: {said['userId']}"
    say(
        said | {"password": shown},
        as_json=as_json,
        text=f"{text}\nPassword, shown once: {shown}" if shown else text,
    )


@users.command("link")
@click.argument("email")
@click.option("--json", "as_json", is_flag=True)
def link(email: str, as_json: bool) -> None:
    """Print a link with which a person sets a password; it works once, older ones end."""
    try:
        with transaction() as session:
            user = people.find_user(session, email)
            if user is None:
                raise click.ClickException(f"There is no user {email}.")
            made = account_links.make(session, user, actor=OPERATOR, source="operator")
            said = {"userId": user.id, "url": made.url}
    except AppError as error:
        raise _refused(error) from error
    say(said, as_json=as_json, text=made.url)


@click.command("token")
@click.argument("email")
@click.option(
    "--ttl", default=DEFAULT_TTL, show_default=True, help="How long it lives: 15m, 12h, 30d."
)
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def token(email: str, ttl: str, as_json: bool) -> None:
    """Print a bearer token for a user."""
    lifetime = seconds_of(ttl)
    with transaction() as session:
        user = people.find_user(session, email)
        if user is None or user.state != "active":
            raise click.ClickException(f"There is no active user {email}.")
        issued = tokens.issue(user.id, role=user.role, kyc=user.kyc, ttl_seconds=lifetime)
        sessions.note_token(session, user, issued.jti, address="operator", stepped_up=False)
    expires_at = clock.rfc3339(issued.expires_at)
    say({"token": issued.token, "expiresAt": expires_at}, as_json=as_json, text=issued.token)


@api_keys.command("add")
@click.argument("merchant")
@click.option("--live", is_flag=True, help="For real money.")
@click.option("--name", default=None, help="What the key is called; unique among the live ones.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(ALL_SCOPES))
@click.option("--json", "as_json", is_flag=True)
def add_key(
    merchant: str, live: bool, name: str | None, scopes: tuple[str, ...], as_json: bool
) -> None:
    """Make an API key and print it, once; all scopes unless some are named."""
    try:
        with transaction() as session:
            owner = _merchant(session, merchant)
            assert owner is not None
            wanted = keys.NewKey(
                name=name or f"operator {ids.new('k')[-6:]}",
                livemode=live,
                scopes=scopes or ALL_SCOPES,
            )
            made = keys.create_key(session, owner, wanted, actor=OPERATOR, source="operator")
            said = keys.wire(made.row) | {"key": made.key, "merchantId": owner.id}
    except AppError as error:
        raise _refused(error) from error
    say(said, as_json=as_json, text=made.key)


def register(app: Flask) -> None:
    """Add these commands."""
    app.cli.add_command(users)
    app.cli.add_command(token)
    app.cli.add_command(api_keys)
