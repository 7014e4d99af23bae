"""Saying what a bank line shows, taking that back, and confirming all that is certain at once."""

from __future__ import annotations

from flask import Blueprint, Response, request

from core.errors import AppError
from core.permissions import Permission
from dashboard import bank_words, confirming, render, words
from dashboard.bank_words import KINDS, LINES
from dashboard.confirming import Question
from dashboard.shapes import Alert, Fact, Input, Link, Option, View
from domain.bank import matching, suggesting
from domain.bank.certain import Certain, confirm, list_certain
from domain.bank.matching import Act, Target
from domain.database import reading, transaction
from models.statements import BankLine
from web import access

routes = Blueprint("desk_bank_line_acts", __name__)
_EFFECTS = {
    "payout": [
        "What the line shows moves from “on its way” to the bank account in the books",
        "What it shows less, such as a fee of the bank, stays on its way until it is booked",
    ],
    "payment": [
        "The line is kept as the proof that the money is on our account",
        "Nothing is booked: the provider has booked the payment already",
    ],
    "refund": [
        "The line is kept as the proof that the money has left our account",
        "Nothing is booked: the provider has booked the refund already",
    ],
}
_BACK = "The match can be taken back"


def _find(line_id: str) -> BankLine:
    with reading() as session:
        return matching.get_line(session, line_id)


def _trail(line: BankLine) -> list[Link]:
    return [Link("Bank lines", LINES), Link(words.short(line.id), f"{LINES}/{line.id}")]


def _facts(line: BankLine) -> list[Fact]:
    return [
        Fact("Line", money=words.money(line.amount_minor, line.asset)),
        Fact("Booked on", f"{line.booked_on.day} {line.booked_on:%B %Y}", note=line.account),
        Fact("Reference", line.reference or "None"),
    ]


def _question(line: BankLine, kind: str, target: str, wrong: dict[str, str]) -> Question:
    chosen = kind if kind in KINDS else ("refund" if line.amount_minor < 0 else "payout")
    with reading() as session:
        found = suggesting.of_line(session, line)
    why = next((each.why for each in found if (each.kind, each.id) == (chosen, target)), None)
    facts = _facts(line)
    if why is not None:
        facts.append(Fact("Why it was suggested", words.sentence(why)))
    inputs = [
        Input(
            "kind",
            "The line shows",
            "select",
            options=[Option(value, f"A {value}", value == chosen) for value in KINDS],
            error=wrong.get("kind"),
            required=True,
        ),
        Input(
            "target",
            "Its id",
            value=target,
            error=wrong.get("target"),
            hint="Ours, such as pay_… for a payment, ppo_… for a payout, ref_… for a refund.",
            required=True,
            maxlength=40,
            autocomplete="off",
        ),
    ]
    return Question(
        title="Match this line",
        lead=f"Say what the line of {line.account} shows.",
        effects=[*_EFFECTS[chosen], _BACK] if target else [_BACK],
        action=f"{LINES}/{line.id}/match",
        label="Match",
        back=f"{LINES}/{line.id}",
        trail=_trail(line),
        facts=facts,
        inputs=inputs,
    )


@routes.get(f"{LINES}/<line_id>/match")
@access.page(Permission.BANK_MATCH)
def ask_match(line_id: str) -> Response:
    line = _find(line_id)
    if line.state == "matched":
        render.tell(Alert("info", "This line is matched already"))
        return render.to(f"{LINES}/{line.id}")
    kind, target = (render.storable(request.args.get(name, "")) for name in ("kind", "target"))
    return confirming.show(_question(line, kind, target[:40], {}))


@routes.post(f"{LINES}/<line_id>/match")
@access.page(Permission.BANK_MATCH)
def match(line_id: str) -> Response:
    line, reason, actor = _find(line_id), confirming.reason(), render.actor()
    kind, target = render.typed("kind"), render.typed("target")[:40]
    wrong = {} if kind in KINDS else {"kind": "Choose what the line shows."}
    if not target:
        wrong["target"] = "Say which one, by its id."
    question = _question(line, kind, target, wrong)
    error = confirming.reason_error(reason)
    if wrong or error is not None:
        said = Alert("bad", "Nothing matched") if error is None else None
        return confirming.show(question, reason=reason, error=error, problem=said)
    try:
        with transaction() as session:
            act = Act(actor, f"user:{actor.id}", reason)
            matching.match(session, line_id, Target(kind, target), act)
    except AppError as refused:
        if refused.http_status == 403:
            raise
        text = refused.message
        if refused.http_status == 404:
            text = f"There is no {kind} of that id."
        problem = Alert("bad", "Nothing matched", text)
        return confirming.show(question, reason=reason, problem=problem)
    shown = words.plain(words.money(line.amount_minor, line.asset))
    render.tell(Alert("good", f"{shown} was matched"))
    return render.to(f"{LINES}/{line_id}")


def _undo_question(line: BankLine) -> Question:
    target = matching.target_of(line)
    is_payout = target is not None and target.kind == "payout"
    effects = ["The line shows nothing again, and can be matched anew"]
    if is_payout:
        effects.insert(0, "The entry that moved the payout to the bank account is reversed today")
    if line.statement_id is None:
        effects[-1] = "The line goes too: a person typed it, and no statement says it yet"
    shown = f"{KINDS[target.kind]} {target.id}" if target else ""
    return Question(
        title="Take this match back",
        lead=f"It was matched with: {shown}.",
        effects=effects,
        action=f"{LINES}/{line.id}/unmatch",
        label="Take it back",
        back=f"{LINES}/{line.id}",
        trail=_trail(line),
        facts=_facts(line),
        tone="danger",
    )


@routes.get(f"{LINES}/<line_id>/unmatch")
@access.page(Permission.BANK_MATCH)
def ask_unmatch(line_id: str) -> Response:
    line = _find(line_id)
    if line.state != "matched":
        render.tell(Alert("info", "There is no match to take back"))
        return render.to(f"{LINES}/{line.id}")
    return confirming.show(_undo_question(line))


@routes.post(f"{LINES}/<line_id>/unmatch")
@access.page(Permission.BANK_MATCH)
def unmatch(line_id: str) -> Response:
    line, reason, actor = _find(line_id), confirming.reason(), render.actor()
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_undo_question(line), reason=reason, error=error)
    try:
        with transaction() as session:
            left = matching.unmatch(session, line_id, Act(actor, f"user:{actor.id}", reason))
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "Nothing was taken back", refused.message)
        return confirming.show(_undo_question(line), reason=reason, problem=problem)
    render.tell(Alert("good", "The match was taken back"))
    return render.to(LINES if left is None else f"{LINES}/{line_id}")


def _certain_page(found: list[Certain], *, reason: str = "", error: str | None = None) -> Response:
    view: View = {
        "rows": [
            {
                "id": each.line_id,
                "href": f"{LINES}/{each.line_id}",
                "money": words.shown(each.amount),
                "reference": each.reference,
                "text": bank_words.suggestion_words(each.suggestion),
                "value": each.token,
            }
            for each in found
        ],
        "count": len(found),
        "reason": confirming.reason_input(reason, error),
        "action": f"{LINES}/certain",
        "back": LINES,
    }
    return render.page("bank/certain.html", view, status=422 if error else 200, live=False)


@routes.get(f"{LINES}/certain")
@access.page(Permission.BANK_MATCH)
def ask_certain() -> Response:
    with reading() as session:
        return _certain_page(list_certain(session))


@routes.post(f"{LINES}/certain")
@access.page(Permission.BANK_MATCH)
def match_certain() -> Response:
    reason, actor = confirming.reason(), render.actor()
    chosen = {render.storable(each) for each in request.form.getlist("line")}
    with reading() as session:
        found = list_certain(session)
    shown = [each for each in found if each.token in chosen]
    if (error := confirming.reason_error(reason)) is not None:
        return _certain_page(found, reason=reason, error=error)
    done, failed = 0, list[str]()
    for each in shown:
        try:
            with transaction() as session:
                confirm(session, each, Act(actor, f"user:{actor.id}", reason))
            done += 1
        except AppError as refused:
            failed.append(f"{each.reference}: {refused.message}")
    changed = len(chosen) - len(shown)
    if changed:
        failed.append(f"{words.counted(changed, 'line')} changed since they were shown.")
    tone = "good" if done and not failed else "warn"
    title = f"{words.counted(done, 'line')} matched" if done else "No line was matched"
    render.tell(Alert(tone, title, " ".join(failed)[:500] or None))
    return render.to(LINES)
