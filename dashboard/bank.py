"""The bank desk's first page: looking for a payment that was not found, and the sandbox's sample statement."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, Response

from core.errors import InvalidInput, NotFound
from core.money import ASSETS
from core.permissions import Permission
from dashboard import bank_words, listing, render, words
from dashboard.bank_words import HERE
from dashboard.listing import Asked as Address
from dashboard.shapes import Alert, Empty, Input, Option, State, View
from domain import calendar
from domain.actors import Actor
from domain.bank import asking_banks, sample, search
from domain.bank.search import DAYS, MOST_DAYS, OURS, PROVIDER, STATEMENT, Asked, Found, Result
from domain.database import reading
from web import access

routes = Blueprint("desk_bank", __name__)
NAMES = ("reference", "amount", "currency", "from", "to", "days")
_WINDOWS = {str(DAYS): "a week", "14": "two weeks", "30": "a month", str(MOST_DAYS): "three months"}
_SOURCES = {
    OURS: State("Ours", "done", "info"),
    STATEMENT: State("Bank statement", "half", "quiet"),
    PROVIDER: State("Provider only", "warn", "warn"),
}


def _day(asked: Address, name: str) -> date | None:
    at = listing.day_of(asked, name)[0]
    return at.date() if at else None


def _asked(asked: Address) -> Asked:
    days = asked.one_of("days", list(_WINDOWS)) or str(DAYS)
    return Asked(
        reference=asked.get("reference"),
        amount=asked.get("amount"),
        currency=asked.get("currency").upper(),
        since=_day(asked, "from"),
        until=_day(asked, "to"),
        window_days=int(days),
    )


def _inputs(asked: Address, wrong: dict[str, str]) -> list[Input]:
    common = ("EUR", "GBP", "USD", *sorted(set(ASSETS) - {"EUR", "GBP", "USD"}))
    chosen = asked.get("currency").upper()
    currencies = [Option("", "Any", selected=not chosen)]
    currencies += [Option(code, code, code == chosen) for code in common]
    windows = asked.one_of("days", list(_WINDOWS)) or str(DAYS)
    return [
        Input(
            "reference",
            "Reference",
            value=asked.get("reference"),
            error=wrong.get("reference"),
            hint="As the payer's bank shows it; blanks, case, O and 0 do not matter.",
            maxlength=200,
            autocomplete="off",
            autofocus=not asked.values,
        ),
        Input(
            "amount",
            "Amount",
            value=asked.get("amount"),
            error=wrong.get("amount"),
            maxlength=24,
            inputmode="decimal",
            autocomplete="off",
        ),
        Input("currency", "Currency", "select", options=currencies, error=wrong.get("currency")),
        *(
            Input(name, label, "date", value=asked.get(name), error=listing.day_of(asked, name)[1])
            for name, label in (("from", "Paid from"), ("to", "Paid until"))
        ),
        Input(
            "days",
            "Look around it for",
            "select",
            options=[Option(value, label, value == windows) for value, label in _WINDOWS.items()],
            hint="When nothing is found, it is looked further by itself.",
        ),
    ]


def _view(asked: Address, actor: Actor) -> View:
    is_asked, wrong = bool(asked.values), dict[str, str]()
    found, unasked = Result([], DAYS, widened=False), list[asking_banks.Unasked]()
    wanted = _asked(asked)
    if is_asked:
        try:
            with reading() as session:
                found = search.search(session, wanted, actor=actor)
            found, unasked = asking_banks.widen(wanted, found)
        except InvalidInput as refused:
            wrong = _wrong(refused)
    return {
        "places": bank_words.places(actor, HERE),
        "acts": [bank_words.import_act(actor)] if actor.may(Permission.BANK_STATEMENTS) else [],
        "inputs": _inputs(asked, wrong),
        "asked": is_asked and not wrong,
        "clear_href": HERE if is_asked else None,
        "rows": [_row(each, actor) for each in found.items],
        "heard": _heard(wanted, found),
        "unasked": [
            Alert("warn", f"{words.provider_label(each.provider)} could not be asked", each.why)
            for each in unasked
        ],
        "empty_note": Empty(
            "Nothing was found",
            "Ask the payer for the reference on their bank's own statement and the day it left."
            " A transfer between banks takes up to three working days.",
            "search",
        ),
        "sample": render.settings().is_sandbox and actor.may(Permission.BANK_IMPORT),
    }


def _wrong(refused: InvalidInput) -> dict[str, str]:
    rows = refused.details.get("fields")
    assert isinstance(rows, list)  # every such refusal names its field
    return {str(row["field"]): str(row["message"]) for row in rows}


def _heard(asked: Asked, found: Result) -> str:
    since, until = asked.days()
    about = f"{since.day} {since:%B %Y}"
    if since != until:
        about = f"{about} to {until.day} {until:%B %Y}"
    if since == until == calendar.today():
        about = "today"
    looked = f"Looked {found.days} days around {about}"
    if found.widened:
        return f"{looked}: nothing was within {asked.window_days} days, so it was looked further."
    return f"{looked}."


def _row(said: Found, actor: Actor) -> View:
    href, title = None, said.provider_reference or said.bank_reference or "No reference"
    if said.line_id is not None:
        title = said.bank_reference or title
        if actor.may(Permission.BANK_LINES):
            href = f"{bank_words.LINES}/{said.line_id}"
    elif said.payment_id is not None:
        href, title = f"/payments/{said.payment_id}", words.short(said.payment_id)
    return {
        "id": said.line_id or said.payment_id or said.provider_reference,
        "source": _SOURCES[said.source],
        "href": href,
        "title": title,
        "money": words.shown(said.amount) if said.amount else None,
        "why": words.sentence(said.why),
        "score": said.score,
        "at": words.moment(said.at),
        "status": said.status.replace("_", " "),
        "bank_reference": said.bank_reference if said.line_id is None else None,
    }


@routes.get(HERE)
@access.page(Permission.BANK_SEARCH)
def index() -> Response:
    return render.page(
        "bank/index.html", _view(listing.read(HERE, NAMES), render.actor()), live=False
    )


@routes.get(f"{HERE}/sample.xml")
@access.page(Permission.BANK_IMPORT, note="the sandbox only")
def sample_file() -> Response:
    """Hand out a statement that fits what is in the sandbox."""
    if not render.settings().is_sandbox:
        raise NotFound
    with reading() as session:
        body = sample.write(session)
    answer = Response(body, content_type="application/xml; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename="sample-camt053.xml")
    answer.headers["Cache-Control"] = "no-store"
    return answer
