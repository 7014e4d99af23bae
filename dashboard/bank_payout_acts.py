"""Saying which line of a bank statement shows a payout, and taking that back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response

from core import money
from core.errors import AppError
from core.money import Money, asset
from core.permissions import Permission
from dashboard import bank_payout_words, confirming, render, words
from dashboard.bank_payout_words import HERE
from dashboard.shapes import Alert, Fact, Input, Link, View
from domain import calendar
from domain.database import reading, transaction
from domain.reconciliation import payout_matching, payout_queries
from domain.reconciliation.payout_matching import BankLine
from domain.reconciliation.payouts import RETURNED
from models.reconciliation import ProviderPayout
from web import access

routes = Blueprint("desk_bank_payout_acts", __name__)
_ACCOUNT = re.compile(r"[A-Za-z0-9_.\-]{1,40}", re.ASCII)
LONGEST_LINE = 100


@dataclass(frozen=True)
class _Form:
    """What was typed of a bank line."""

    account: str = ""
    line: str = ""
    amount: str = ""
    booked_on: str = ""
    reason: str = ""


def _find(payout_id: str) -> ProviderPayout:
    with reading() as session:
        return payout_queries.get_payout(session, payout_id, livemode=render.actor().livemode)


def _facts(payout: ProviderPayout) -> list[Fact]:
    with reading() as session:
        made_of = payout_queries.contents(session, payout)
    facts = [
        Fact("Payout", money=words.money(payout.amount_minor, payout.asset)),
        Fact("Begun", at=words.moment(payout.created_at)),
    ]
    if payout.arrives_at:
        facts.append(Fact("Expected at the bank", at=words.moment(payout.arrives_at)))
    if made_of.count:
        said = words.counted(made_of.count, "booking")
        facts.append(Fact("Made of", said, href=f"{HERE}/{payout.id}#made-of"))
    return facts


def _inputs(payout: ProviderPayout, form: _Form, wrong: dict[str, str]) -> list[Input]:
    whole = Money(payout.amount_minor, asset(payout.asset))
    return [
        Input(
            "account",
            "Bank account",
            value=form.account,
            error=wrong.get("account"),
            hint="Your short name for it, such as main-eur. Its books are cash: and that name.",
            required=True,
            maxlength=40,
            autocomplete="off",
        ),
        Input(
            "line",
            "Line of the statement",
            value=form.line,
            error=wrong.get("line"),
            hint="The bank's own reference of the line. One line shows one payout.",
            required=True,
            maxlength=LONGEST_LINE,
            autocomplete="off",
        ),
        confirming.amount_input(
            whole.asset,
            form.amount,
            error=wrong.get("amount"),
            hint=f"As the line shows it; {whole.major()} {whole.asset.code} was paid out.",
        ),
        Input(
            "booked_on",
            "Booked by the bank on",
            "date",
            value=form.booked_on,
            error=wrong.get("booked_on"),
            required=True,
        ),
        confirming.reason_input(form.reason, wrong.get("reason")),
    ]


def _ask_match(
    payout: ProviderPayout,
    form: _Form,
    *,
    wrong: dict[str, str] | None = None,
    problem: Alert | None = None,
) -> Response:
    act: View = {
        "title": "Match this payout",
        "short": bank_payout_words.short(payout),
        "lead": f"Say which line of a bank statement shows {payout.provider_reference}.",
        "effects": [
            "What the line shows moves from “on its way” to the bank account in the books",
            "What it shows less, such as a fee of the bank, stays on its way until it is booked",
            "The match can be taken back",
        ],
        "facts": _facts(payout),
        "action": f"{HERE}/{payout.id}/match",
        "inputs": _inputs(payout, form, wrong or {}),
        "label": "Match",
        "back": f"{HERE}/{payout.id}",
    }
    return _confirm(act, problem, is_again=bool(wrong) or problem is not None)


def _confirm(act: View, problem: Alert | None, *, is_again: bool) -> Response:
    trail = [Link("Bank payouts", HERE), Link(str(act["short"]), str(act["back"]))]
    view: View = {"trail": trail, "problem": problem, "act": act}
    if is_again and render.wants_fragment():
        return render.part("acts/_form.html", view, status=422)
    return render.page("acts/confirm.html", view, status=422 if is_again else 200, live=False)


def _read() -> _Form:
    return _Form(
        render.typed("account").strip(),
        render.typed("line").strip(),
        render.typed("amount").strip(),
        render.typed("booked_on").strip(),
        confirming.reason(),
    )


def _line(payout: ProviderPayout, form: _Form) -> tuple[BankLine | None, dict[str, str]]:
    """Read the line, or say beside each field what is wrong with it."""
    wrong: dict[str, str] = {}
    unit = asset(payout.asset)
    amount, day = None, None
    if not _ACCOUNT.fullmatch(form.account):
        wrong["account"] = "Use letters, digits, dots, dashes and underscores, at most 40."
    if not form.line or len(form.line) > LONGEST_LINE or not form.line.isprintable():
        wrong["line"] = f"Name the line as the bank does, in at most {LONGEST_LINE} characters."
    try:
        amount = money.parse(form.amount, unit)
    except ValueError:
        example = Money(payout.amount_minor, unit).major()
        wrong["amount"] = f"Write an amount such as {example}, without a currency."
    try:
        day = date.fromisoformat(form.booked_on)
    except ValueError:
        wrong["booked_on"] = "Choose the day on which the bank booked it."
    if day is not None and not calendar.day_of(payout.created_at) <= day <= calendar.today():
        wrong["booked_on"] = "Choose a day since the payout was begun, up to today."
    if (error := confirming.reason_error(form.reason)) is not None:
        wrong["reason"] = error
    if wrong or amount is None or day is None:
        return None, wrong
    return BankLine(form.account, form.line, amount, day), {}


@routes.get(f"{HERE}/<payout_id>/match")
@access.page(Permission.RECONCILIATION_MATCH)
def ask_match(payout_id: str) -> Response:
    payout = _find(payout_id)
    if payout.matched_at is not None or payout.status in RETURNED:
        render.tell(Alert("info", "There is nothing to match", "It was found, or it came back."))
        return render.to(f"{HERE}/{payout.id}")
    expected = calendar.day_of(payout.arrives_at or payout.created_at)
    whole = Money(payout.amount_minor, asset(payout.asset)).major()
    day = min(expected, calendar.today())
    return _ask_match(payout, _Form(amount=whole, booked_on=str(day)))


@routes.post(f"{HERE}/<payout_id>/match")
@access.page(Permission.RECONCILIATION_MATCH)
def match(payout_id: str) -> Response:
    payout, form, actor = _find(payout_id), _read(), render.actor()
    line, wrong = _line(payout, form)
    if line is None:
        return _ask_match(payout, form, wrong=wrong)
    try:
        with transaction() as session:
            payout_matching.match(
                session,
                payout.id,
                line,
                actor=actor,
                source=f"user:{actor.id}",
                note=form.reason,
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        return _ask_match(payout, form, problem=Alert("bad", "Nothing matched", refused.message))
    said = words.plain(words.shown(line.amount))
    render.tell(Alert("good", f"{said} was found at the bank"))
    return render.to(f"{HERE}/{payout.id}")


def _ask_unmatch(
    payout: ProviderPayout, reason: str = "", error: str | None = None, said: str | None = None
) -> Response:
    act: View = {
        "title": "Take this match back",
        "short": bank_payout_words.short(payout),
        "lead": f"{payout.provider_reference} was matched with {payout.bank_line}.",
        "effects": [
            "The entry that moved it to the bank account is reversed in the open month",
            "The payout is listed as not found again, and the line is free",
        ],
        "facts": _facts(payout),
        "action": f"{HERE}/{payout.id}/unmatch",
        "inputs": [confirming.reason_input(reason, error)],
        "label": "Take it back",
        "back": f"{HERE}/{payout.id}",
    }
    problem = Alert("bad", "Nothing was taken back", said) if said else None
    return _confirm(act, problem, is_again=error is not None or said is not None)


@routes.get(f"{HERE}/<payout_id>/unmatch")
@access.page(Permission.RECONCILIATION_MATCH)
def ask_unmatch(payout_id: str) -> Response:
    payout = _find(payout_id)
    if payout.matched_at is None:
        render.tell(Alert("info", "There is no match to take back"))
        return render.to(f"{HERE}/{payout.id}")
    return _ask_unmatch(payout)


@routes.post(f"{HERE}/<payout_id>/unmatch")
@access.page(Permission.RECONCILIATION_MATCH)
def unmatch(payout_id: str) -> Response:
    payout, reason, actor = _find(payout_id), confirming.reason(), render.actor()
    if (error := confirming.reason_error(reason)) is not None:
        return _ask_unmatch(payout, reason, error)
    try:
        with transaction() as session:
            payout_matching.unmatch(
                session, payout.id, actor=actor, source=f"user:{actor.id}", note=reason
            )
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        return _ask_unmatch(payout, reason, said=refused.message)
    render.tell(Alert("good", "The match was taken back"))
    return render.to(f"{HERE}/{payout.id}")
