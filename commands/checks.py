"""`flask verify`, `replay`, `reconcile`, `backup`, `states-write`, `chart-write`: options in, one domain call, answer out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from flask import Flask

from commands import backups, chart_page, states_page
from core import clock
from core.errors import AppError
from domain.actors import Actor, system
from domain.books import verification
from domain.books.verification import Check
from domain.inbox import replays
from domain.inbox.replays import Preview
from domain.reconciliation import reconciling
from providers import registry

as_json = click.option("--json", "as_json", is_flag=True, help="Answer as one JSON document.")
_SPAN = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
STATES_PAGE = Path("docs") / "states.md"
CHART_PAGE = Path("docs") / "chart-of-accounts.md"


def operator() -> Actor:
    """Name whoever types commands on this machine as the actor."""
    return system("operator")


def answer(said: Mapping[str, object]) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(said, indent=2, ensure_ascii=False))


def parse_since(text: str) -> datetime:
    """Read `24h`, `90m`, `7d`, or a date or time in UTC such as `2026-11-01`.

    Raises: click.BadParameter
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        return clock.now() - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write 24h, 7d, 2026-11-01 or 2026-11-01T08:00") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _print_check(check: Check) -> None:
    mark = click.style("ok  ", fg="green") if check.ok else click.style("BAD ", fg="red", bold=True)
    click.echo(f"{mark} {check.name:<16} {check.rows:>9,} rows")
    if check.first_bad is not None:
        click.echo(f"     first bad row: {check.first_bad}")


@click.command("verify")
@as_json
def verify(as_json: bool) -> None:
    """Prove the books, the chains, the event order and every payment's state; exit 1 when one fails."""
    if as_json:
        report = verification.verify()
        answer(verification.wire(report))
    else:
        report = verification.verify(progress=_print_check)
        ending = "all is well" if report.ok else "NOT all is well"
        click.echo(f"{report.rows:,} rows read, {ending}.")
        click.echo(f"audit chain: {report.audit_length:,} links, head {report.audit_head}")
    if not report.ok:
        raise SystemExit(1)


@click.command("replay")
@click.argument("inbound_ids", nargs=-1, required=True, metavar="INBOUND_ID...")
@click.option("--reason", required=True, help="Why; kept with the attempt and in the audit log.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@as_json
def replay(inbound_ids: Sequence[str], reason: str, dry_run: bool, as_json: bool) -> None:
    """Apply inbound events again, from their stored bytes; what had its effect keeps it once."""
    done = [_replay_one(inbound_id, reason, dry_run=dry_run) for inbound_id in inbound_ids]
    if as_json:
        answer({"items": done, "dryRun": dry_run})
    else:
        for one in done:
            click.echo(f"{one['inboundId']}: {one['verdict']} ({one['why']})")
            for effect in one.get("effects", ()):  # type: ignore[attr-defined]
                click.echo(f"    {effect}")
    if any(one["verdict"] in ("unsafe", "refused") for one in done):
        raise SystemExit(1)


def _replay_one(inbound_id: str, reason: str, *, dry_run: bool) -> dict[str, object]:
    try:
        if dry_run:
            return _shown(inbound_id, replays.preview(inbound_id, actor=operator()), None)
        done = replays.replay(inbound_id, actor=operator(), reason=reason)
    except AppError as error:
        return {"inboundId": inbound_id, "verdict": "refused", "why": error.message}
    return _shown(inbound_id, done.preview, done.attempt_no)


def _shown(inbound_id: str, preview: Preview, attempt_no: int | None) -> dict[str, object]:
    return {
        "inboundId": inbound_id,
        "verdict": preview.verdict,
        "why": preview.why,
        "effects": preview.effects,
        "diff": preview.diff,
        "postings": preview.postings,
        "events": preview.events,
        "attempt": attempt_no,
    }


@click.command("reconcile")
@click.argument("provider")
@click.option("--since", default="24h", show_default=True, help="24h, 7d, 2026-11-01")
@as_json
def reconcile(provider: str, since: str, as_json: bool) -> None:
    """Compare every payment since then with the provider's own list and heal what was missed."""
    start = parse_since(since)
    try:
        rail = registry.configured(provider)
        found = reconciling.reconcile(rail, since=start, actor=operator())
    except AppError as error:
        raise click.ClickException(error.message) from None
    if as_json:
        answer(reconciling.wire(found))
    else:
        click.echo(f"{rail.label} since {clock.rfc3339(start)}:")
        for name, value in reconciling.wire(found).items():
            if isinstance(value, int):
                click.echo(f"  {name:<12} {value:>7,}")
        for line in (*found.changes, *found.problems):
            click.echo(f"  {line}")
    if found.failed:
        raise SystemExit(1)


@click.command("backup")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@as_json
def backup(path: Path, as_json: bool) -> None:
    """Write a consistent copy of the database to PATH while everything runs."""
    try:
        made = backups.backup(path)
    except backups.BackupFailed as failure:
        raise click.ClickException(str(failure)) from None
    if as_json:
        answer(backups.wire(made))
        return
    click.echo(f"{made.path}  {made.size:,} bytes  sha256 {made.sha256}")
    click.echo(f"checked: {made.checked}")
    click.echo("The master keys are not in it. Keep MASTER_KEYS somewhere else, and safe.")


@click.command("states-write")
@click.option("--check", is_flag=True, help="Only tell whether the page is up to date.")
@click.option("--path", type=click.Path(path_type=Path), default=STATES_PAGE, show_default=True)
@as_json
def states_write(check: bool, path: Path, as_json: bool) -> None:
    """Write docs/states.md from the tables of core/states.py."""
    _write_page(states_page.page(), path, check=check, as_json=as_json)


@click.command("chart-write")
@click.option("--check", is_flag=True, help="Only tell whether the page is up to date.")
@click.option("--path", type=click.Path(path_type=Path), default=CHART_PAGE, show_default=True)
@as_json
def chart_write(check: bool, path: Path, as_json: bool) -> None:
    """Write docs/chart-of-accounts.md from the tables of core/chart.py and core/entry_kinds.py."""
    _write_page(chart_page.page(), path, check=check, as_json=as_json)


def _write_page(wanted: str, path: Path, *, check: bool, as_json: bool) -> None:
    is_fresh = path.is_file() and path.read_text(encoding="utf-8") == wanted
    if not check and not is_fresh:
        path.write_text(wanted, encoding="utf-8")
    if as_json:
        answer({"path": str(path), "fresh": is_fresh, "written": not (check or is_fresh)})
    else:
        click.echo(f"{path}: {'up to date' if is_fresh else 'stale' if check else 'written'}")
    if check and not is_fresh:
        raise SystemExit(1)


def register(app: Flask) -> None:
    """Add these commands."""
    for command in (verify, replay, reconcile, backup, states_write, chart_write):
        app.cli.add_command(command)
