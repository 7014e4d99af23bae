"""`flask data load`: sample payments in bulk, and beside it the generator of demo traffic."""

from __future__ import annotations

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from commands import demo
from commands.checks import answer, as_json
from domain import samples
from providers.stripe.sdk import API_VERSION


@click.group("data")
def data() -> None:
    """Sample data; never in production."""


def assert_no_real_money() -> None:
    """Refuse where real payments live.

    Raises: click.ClickException
    """
    if current_app.config["PAYDESK"].is_production:
        raise click.ClickException("This installation handles real money. Made-up rows stay out.")


@data.command("load")
@click.option("--payments", type=click.IntRange(1, 5_000_000), required=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same mix.")
@as_json
@with_appcontext
def load(payments: int, seed: int, as_json: bool) -> None:
    """Add a year of realistic payments with everything that belongs to them, labelled as demo."""
    assert_no_real_money()

    def show(done: int, rows: int) -> None:
        if not as_json:
            click.echo(f"\r{done:>9,} of {payments:,} payments, {rows:,} rows", nl=False)

    loaded = samples.load(payments, seed=seed, api_version=API_VERSION, progress=show)
    if as_json:
        answer(
            {
                "payments": loaded.payments,
                "orders": loaded.orders,
                "rows": loaded.rows,
                "seconds": round(loaded.seconds, 1),
            }
        )
        return
    click.echo(f"\n{loaded.rows:,} rows in {loaded.seconds:.1f} s")


def register(app: Flask) -> None:
    """Add these commands."""
    app.cli.add_command(data)
    demo.register(app)
