"""Settling several cases at once: what would happen to each, then one outcome for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from core import ids
from core.case_kinds import Verb
from core.errors import AppError, Forbidden
from core.money import Money, parse
from core.permissions import Permission
from dashboard import case_words, confirming, exceptions, guarded, render, words
from dashboard.shapes import Alert, Input, Link, Option, State, View
from domain.cases import case_bulk, case_queries, case_subjects, case_verbs
from domain.cases.case_bulk import Row
from domain.cases.case_subjects import Subject
from domain.cases.case_verbs import Plan, Wanted
from domain.database import reading, transaction
from domain.desk import Session
from domain.people import step_up
from models.cases import ExceptionCase
from web import access

routes = Blueprint("desk_exception_bulk", __name__)
# A link names one payment, and a mark one reference; both are for one case at a time.
VERBS = {verb.value: verb for verb in Verb if verb not in (Verb.LINK, Verb.MARK)}
_OUTCOMES = {
    case_bulk.RESOLVED: State("Settled", "done", "good"),
    case_bulk.PENDING: State("Asked for", "hold", "info"),
    case_bulk.REFUSED: State("Not settled", "failed", "bad"),
}


@dataclass(frozen=True)
class Choice:
    """What was chosen: the cases that are there, the verb, and where to go back to."""

    subjects: Sequence[Subject]
    verb: Verb | None
    back: str
    reason: str = ""
    once: str = ""

    @property
    def ids(self) -> list[str]:
        """The cases' ids."""
        return [subject.case.id for subject in self.subjects]

    def href(self) -> str:
        """The address under which this very choice is shown again."""
        query = [("case", case_id) for case_id in self.ids]
        query += [("verb", self.verb.value)] if self.verb else []
        return "/exceptions/bulk?" + urlencode([*query, ("back", self.back)])


def _chosen(session: Session, given: Sequence[str]) -> list[Subject]:
    wanted = list(dict.fromkeys(render.storable(each) for each in given))[: case_bulk.MOST]
    rows = case_queries.by_ids(session, wanted, actor=render.actor())
    found = case_subjects.load(session, rows)
    return [found[case_id] for case_id in wanted if case_id in found]


def _read(values: Mapping[str, str], given: Sequence[str]) -> Choice:
    with reading() as session:
        subjects = _chosen(session, given)
    back = render.local(render.storable(values.get("back", ""))) or exceptions.LIST
    return Choice(
        subjects,
        VERBS.get(render.storable(values.get("verb", ""))),
        back,
        render.storable(values.get("reason", "")),
        render.storable(values.get("once", "")),
    )


@routes.get("/exceptions/bulk")
@access.page(Permission.EXCEPTIONS_BULK)
def ask() -> Response:
    choice = _read(request.args, request.args.getlist("case"))
    if not choice.subjects:
        render.tell(Alert("warn", "No case is selected", "Select some with x or their boxes."))
        return render.to(choice.back)
    if _steps_up(choice) and (detour := guarded.detour(choice.href())) is not None:
        return detour
    return _show(choice)


def _answers(choice: Choice) -> list[tuple[Subject, Plan | str]]:
    if choice.verb is None:
        return []
    found: list[tuple[Subject, Plan | str]] = []
    for subject in choice.subjects:
        answer = case_verbs.answer(subject, choice.verb)
        found.append((subject, answer if isinstance(answer, Plan) else answer.why))
    return found


def _steps_up(choice: Choice) -> bool:
    return any(isinstance(plan, Plan) and plan.steps_up for _, plan in _answers(choice))


def _show(choice: Choice, *, error: str | None = None, problem: Alert | None = None) -> Response:
    answers = _answers(choice)
    options = [Option("", "Choose a way", choice.verb is None)]
    options += [
        Option(name, _how_many(choice.subjects, verb), verb == choice.verb)
        for name, verb in VERBS.items()
    ]
    how = Input("verb", "Settle them by", "select", options=options, submits=True, required=True)
    view: View = {
        "trail": [Link("Exceptions", exceptions.LIST)],
        "problem": problem,
        "back": choice.back,
        "cases": choice.ids,
        "sums": [
            f"{subject.case.id}:{plan.amount.major()}"
            for subject, plan in answers
            if isinstance(plan, Plan) and plan.amount is not None
        ],
        "chosen": words.counted(len(choice.subjects), "case"),
        "how": how,
        "rows": [_row(subject, answer) for subject, answer in answers]
        or [_row(subject, "") for subject in choice.subjects],
        "act": _act(choice, answers, error) if choice.verb else None,
    }
    status = 422 if error or problem else 200
    return render.page("exceptions/bulk.html", view, status=status, live=False)


def _how_many(subjects: Sequence[Subject], verb: Verb) -> str:
    """Name a way with how many of the cases it settles."""
    fit = sum(isinstance(case_verbs.answer(each, verb), Plan) for each in subjects)
    return f"{case_verbs.kind(verb).label}: {fit or 'none'} of {len(subjects)}"


def _row(subject: Subject, answer: Plan | str) -> View:
    case = subject.case
    amount = answer.amount if isinstance(answer, Plan) else None
    return {
        "id": case.id,
        "href": f"/exceptions/{case.id}",
        "sentence": case.sentence,
        "kind": case_words.kind(case),
        "amount": words.shown(amount) if amount else None,
        "why_not": answer if isinstance(answer, str) else None,
        "by_two": isinstance(answer, Plan) and answer.by_two,
    }


def _act(choice: Choice, answers: Sequence[tuple[Subject, Plan | str]], error: str | None) -> View:
    assert choice.verb is not None  # asked for only with a verb
    plans = [plan for _, plan in answers if isinstance(plan, Plan)]
    label = case_verbs.kind(choice.verb).label
    refused = len(answers) - len(plans)
    effects = [f"{label}: {words.counted(len(plans), 'case')} of {len(answers)}"]
    if refused:
        effects.append(
            f"{words.counted(refused, 'case')} cannot be settled so and stay as they are"
        )
    if (by_two := sum(plan.by_two for plan in plans)) > 0:
        effects.append(f"{words.counted(by_two, 'case')} wait for a second person")
    effects += [f"Moved in all: {words.plain(words.shown(each))}" for each in _sums(plans)]
    effects.append("Each case is settled by itself: what fails for one undoes no other")
    return {
        "effects": effects,
        "fields": {"verb": choice.verb.value, "once": choice.once or ids.new("try")},
        "reason": confirming.reason_input(choice.reason, error),
        "label": f"{label}: {words.counted(len(plans), 'case')}",
        "enabled": bool(plans),
    }


def _sums(plans: Sequence[Plan]) -> list[Money]:
    found: dict[str, Money] = {}
    for plan in plans:
        if plan.amount is not None:
            name = str(plan.amount.asset)
            found[name] = found[name] + plan.amount if name in found else plan.amount
    return list(found.values())


@routes.post("/exceptions/bulk")
@access.page(Permission.EXCEPTIONS_BULK)
def settle() -> Response:
    choice, actor = _read(request.form, request.form.getlist("case")), render.actor()
    if choice.verb is None or not choice.subjects:
        return _show(choice, problem=Alert("warn", "Choose a way to settle them"))
    if (error := confirming.reason_error(choice.reason)) is not None:
        return _show(choice, error=error)
    if _steps_up(choice) and not step_up.is_fresh(actor):
        return guarded.detour(choice.href()) or _show(choice)
    wanted = Wanted(choice.verb, choice.reason, once_key=choice.once or None)
    seen, source = _seen_sums(choice), f"user:{actor.id}"
    done = []
    for case_id in choice.ids:
        own = replace(wanted, amount=seen.get(case_id))
        done.append(case_bulk.attempt(transaction, case_id, own, actor=actor, source=source))
    return _results(choice, done)


def _seen_sums(choice: Choice) -> dict[str, Money]:
    """Read which sum the person was shown for each case; a sum that is no sum of it is left out."""
    units = {subject.case.id: subject.unit for subject in choice.subjects}
    found = {}
    for given in request.form.getlist("sum"):
        case_id, _, text = render.storable(given).partition(":")
        unit = units.get(case_id)
        if unit is not None:
            with suppress(ValueError):
                found[case_id] = parse(text, unit)
    return found


def _results(choice: Choice, done: Sequence[Row]) -> Response:
    cases = {subject.case.id: subject.case for subject in choice.subjects}
    counted = {name: sum(row.outcome == name for row in done) for name in _OUTCOMES}
    view: View = {
        "trail": [Link("Exceptions", exceptions.LIST)],
        "title": case_verbs.kind(choice.verb).label if choice.verb else "",
        "lead": ", ".join(
            f"{number} {_OUTCOMES[name].word.lower()}" for name, number in counted.items() if number
        ),
        "rows": [_outcome(row, cases[row.case_id]) for row in done],
        "back": choice.back,
    }
    return render.page("exceptions/outcomes.html", view, live=False)


def _outcome(row: Row, case: ExceptionCase) -> View:
    return {
        "id": row.case_id,
        "href": f"/exceptions/{row.case_id}",
        "sentence": case.sentence,
        "state": _OUTCOMES[row.outcome],
        "error": _error(row.error) if row.error else None,
    }


def _error(error: AppError) -> str:
    return "Your role may not do this." if isinstance(error, Forbidden) else error.message
