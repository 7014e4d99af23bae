"""What `run-all` prints: the lines of each part with its name, progress, and the welcome."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence

import click

from config import Settings
from core.states import Role
from domain.people.sandbox_people import SandboxPerson

COLOURS = {"web": "cyan", "worker": "magenta", "stripe": "yellow", "bank": "green", "demo": "blue"}
_QUIET = ("level", "timestamp", "event", "exception")
_COUPON = '{"couponId":"WELCOME10"}'
_lock = threading.Lock()
_PROOF = """  Address, password, and the secret of a code app. Acts with money, keys and rights ask for its
  code; the sandbox's page for that shows the present one too."""


def step(name: str, text: str) -> None:
    """Print one line of progress."""
    with _lock:
        click.echo(f"  {click.style(f'{name:<10}', bold=True)}{text}")


def said(name: str, line: str) -> None:
    """Print a line of a part with its name before it."""
    mark = click.style(f"{name:>7} │", fg=COLOURS.get(name))
    with _lock:
        for each in readable(line).splitlines() or [""]:
            click.echo(f"{mark} {each}")


def readable(line: str) -> str:
    """Write a JSON log line for a person; any other line stays as it is."""
    if not line.startswith("{"):
        return line
    try:
        found = json.loads(line)
    except ValueError:
        return line
    if not isinstance(found, dict) or "event" not in found:
        return line
    at = str(found.get("timestamp", ""))[11:19]
    told = [f"{key}={value}" for key, value in found.items() if key not in _QUIET and value != ""]
    level = str(found.get("level", "info"))
    shown = " ".join([at, level, str(found["event"]), *told]).strip()
    colour = {"error": "red", "critical": "red", "warning": "yellow"}.get(level)
    return click.style(shown, fg=colour) if colour else shown


def title(settings: Settings) -> None:
    """Print what is being started."""
    click.echo(f"{click.style('Paydesk', bold=True)} · {settings.env}")


def welcome(
    settings: Settings, people: Sequence[SandboxPerson], *, has_demo: bool, seconds: float
) -> None:
    """Print where to go, as whom, and what to try first."""
    with _lock:
        url = click.style(settings.public_url, fg="green", bold=True)
        click.echo(f"\n  Ready in {seconds:.1f} s:  {url}\n")
        for person in people:
            whose = f" of {person.merchant}" if person.merchant else ""
            login = f"{person.email:<20} {person.password:<19} {person.totp}"
            click.echo(f"    {login}  {person.role.value}{whose}")
        if people:
            click.echo(f"\n{_PROOF}")
            click.echo(f"\n{_first_steps(settings, people, has_demo=has_demo)}")
        click.echo("\n  Ctrl-C stops everything.\n")


def _purchase(settings: Settings, people: Sequence[SandboxPerson]) -> Iterator[str]:
    """Write the commands of a purchase through the API, to be pasted as they are."""
    buyer = next(person.email for person in people if person.role == Role.BUYER)
    api = f"{settings.public_url}/api"
    yield f"TOKEN=$(.venv/bin/flask --app wsgi token {buyer})"
    yield (
        'ask() { curl -s "$1" -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key:'
        " try-$(od -An -N9 -tx1 /dev/urandom | tr -d ' ')\""
        ' -H "Content-Type: application/json" -d "$2"; }'
    )
    order = (
        '{"description":"Oak table","total":{"amount":"125.00","currency":"EUR"},"deposit":"25.00"}'
    )
    yield f"ORDER=$(ask {api}/orders '{order}' | grep -o 'ord_[a-z0-9]*' | head -1)"
    yield f'ask {api}/payments/intents "{{\\"orderId\\":\\"$ORDER\\"}}"'


def _by_bank(settings: Settings) -> Iterator[str]:
    """Write the commands of a purchase paid from the buyer's bank; their terminal holds a token already."""
    api = f"{settings.public_url}/api"
    order = '{"description":"Garden bench","total":{"amount":"90.00","currency":"GBP"}}'
    yield f"ORDER=$(ask {api}/orders '{order}' | grep -o 'ord_[a-z0-9]*' | head -1)"
    yield f'ask {api}/payments/bank/link "{{\\"orderId\\":\\"$ORDER\\"}}"'


def _first_steps(settings: Settings, people: Sequence[SandboxPerson], *, has_demo: bool) -> str:
    traffic = (
        "payments come in by themselves, labelled demo"
        if has_demo
        else "payments appear as they come"
    )
    steps = [
        [f"Sign in as {people[0].email} and open Payments: {traffic}."],
        [
            "Open a payment to see its timeline, then one of its webhooks: Replay shows what",
            "would change before anything does.",
        ],
        [
            "Order and pay as a buyer, in another terminal; then open the payUrl of the answer:",
            *(f"  {line}" for line in _purchase(settings, people)),
        ],
        [
            "In the same terminal, pay by bank: open the url of the answer and agree at one of four banks:",
            *(f"  {line}" for line in _by_bank(settings)),
        ],
        [
            "In the same terminal, spend a coupon on the buyer's wallet; then open its payment:",
            f"  ask {settings.public_url}/v1/stripe/coupons/apply '{_COUPON}'",
            "SUMMER15 is over and SHARE20 takes off a share: both are refused, with the reason.",
        ],
        [f"Every route of the API, with examples: {settings.public_url}/api/docs"],
    ]
    if has_demo:
        steps.insert(2, _second_person(people))
    return "\n".join(
        f"  {'  ' if place else f'{number}.'} {line}"
        for number, lines in enumerate(steps, start=1)
        for place, line in enumerate(lines)
    )


def _second_person(people: Sequence[SandboxPerson]) -> list[str]:
    finance = next(person.email for person in people if person.role == Role.FINANCE)
    return [
        f"Sign in as {finance}, open Approvals, agree to the waiting refund: the sandbox",
        "shows the code. Exceptions holds what does not add up.",
    ]
