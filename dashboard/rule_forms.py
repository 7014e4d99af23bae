"""Drafting a rule: a form with up to five conditions, tried on past cases before it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from core.case_kinds import KINDS
from core.errors import Conflict, InvalidInput
from core.permissions import Permission
from dashboard import render, rules, words
from dashboard.listing import asked_text
from dashboard.shapes import Alert, Input, Link, Option, View
from domain.actors import Actor
from domain.cases import case_backtests, case_conditions, case_queries, case_rules, case_suggestions
from domain.cases.case_conditions import FIELDS, MOST_CONDITIONS, OPS, Condition
from domain.cases.case_rules import Wanted
from domain.cases.case_suggestions import Suggestion
from domain.database import reading, transaction
from domain.desk import Session
from models.cases import CaseRule
from web import access

routes = Blueprint("desk_rule_forms", __name__)
_KINDS = {kind: each.label for kind, each in KINDS.items() if kind not in case_rules.PEOPLE_ONLY}
_FIELDS = {"": "Choose"} | {name: each.label for name, each in FIELDS.items()}
_HINT = (
    "Percent: 3 or 2.5. Money: 5.00 EUR. Names: stripe, card, EUR or a merchant's id; "
    "several by comma with “one of”."
)


@dataclass(frozen=True)
class Typed:
    """What the form says. rows: field, operator and value of each line, empty ones too."""

    kind: str
    verb: str
    note: str
    rows: Sequence[tuple[str, str, str]]
    errors: Mapping[str, str] = field(default_factory=dict)

    def wanted(self) -> Wanted:
        """Give what shall be drafted; a line of which nothing was chosen counts as absent."""
        given = [
            {"field": name, "op": op, "value": value}
            for name, op, value in self.rows
            if name or value
        ]
        return Wanted(self.kind, given, self.verb, self.note)

    def line_of(self, place: int) -> int:
        """Give the line of the form on which a condition stands."""
        lines = [no for no, (name, _, value) in enumerate(self.rows) if name or value]
        return lines[place] if place < len(lines) else 0


def _read(text: Callable[[str], str], *, kind: str | None = None) -> Typed:
    numbers = range(1, MOST_CONDITIONS + 1)
    rows = [(text(f"field{no}"), text(f"op{no}"), text(f"value{no}")) for no in numbers]
    return Typed(
        kind or text("kind"),
        text("verb") or case_rules.VERBS[0],
        text("note")[: 2 * case_rules.LONGEST_NOTE],
        rows,
    )


def _of_rule(rule: CaseRule) -> Typed:
    rows = [_line(each) for each in case_rules.conditions_of(rule)]
    rows += [("", "", "")] * (MOST_CONDITIONS - len(rows))
    return Typed(rule.kind, rule.verb, rule.note, rows)


def _line(condition: Condition) -> tuple[str, str, str]:
    value = condition.value
    if isinstance(value, dict):
        return condition.field, condition.op, f"{value['amount']} {value['currency']}"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return condition.field, condition.op, text


def href_for(suggestion: Suggestion, actor: Actor) -> str | None:
    """Give the address of the form that makes a rule of a suggestion; None where none can be made."""
    if not suggestion.may_be_rule or not actor.may(Permission.RULES_DRAFT):
        return None
    said = {"kind": suggestion.kind, "verb": suggestion.verb, "note": suggestion.why}
    for no, condition in enumerate(suggestion.conditions, 1):
        said[f"field{no}"], said[f"op{no}"], said[f"value{no}"] = _line(condition)
    return f"{rules.HREF}/new?{urlencode(said)}"


def _select(name: str, label: str, choices: Mapping[str, str], chosen: str, **more: str) -> Input:
    options = [Option(value, said, value == chosen) for value, said in choices.items()]
    return Input(name, label, "select", options=options, error=more.get("error"))


def _form(typed: Typed, *, action: str, keeps_kind: bool) -> View:
    errors = typed.errors
    lines = []
    for no, (name, op, value) in enumerate(typed.rows, 1):
        lines.append(
            {
                "no": no,
                "field": _select(f"field{no}", f"Condition {no}: what", _FIELDS, name),
                "op": _select(f"op{no}", f"Condition {no}: how", OPS, op),
                "value": Input(f"value{no}", f"Condition {no}: value", value=value, maxlength=200),
                "error": errors.get(f"line{no}"),
            }
        )
    kinds = {typed.kind: _KINDS.get(typed.kind, typed.kind)} if keeps_kind else _KINDS
    verbs = {verb: rules.verb_label(verb) for verb in case_rules.VERBS}
    note = Input(
        "note",
        "Why this is always so",
        "text-area",
        value=typed.note,
        error=errors.get("note"),
        hint="Kept with the rule and with each case that it resolves.",
        required=True,
        maxlength=case_rules.LONGEST_NOTE,
    )
    return {
        "action": action,
        "kind": _select("kind", "Kind of case", kinds, typed.kind, **_error(errors, "kind")),
        "verb": _select("verb", "What the rule does", verbs, typed.verb, **_error(errors, "verb")),
        "lines": lines,
        "problem": errors.get("condition"),
        "hint": _HINT,
        "note": note,
    }


def _error(errors: Mapping[str, str], name: str) -> dict[str, str]:
    return {"error": errors[name]} if name in errors else {}


def _refused(typed: Typed, refused: InvalidInput) -> Typed:
    """Put each thing that is wrong beside its field."""
    errors: dict[str, str] = {}
    fields = refused.details.get("fields")
    for each in fields if isinstance(fields, list | tuple) else ():
        name, said = str(each["field"]), str(each["message"])
        parts = name.split(".")
        if parts[0] == "condition" and len(parts) > 1:
            name = f"line{typed.line_of(int(parts[1])) + 1}"
        errors[name] = said
    return Typed(typed.kind, typed.verb, typed.note, typed.rows, errors)


def _show(
    typed: Typed,
    *,
    rule: CaseRule | None = None,
    preview: View | None = None,
    problem: Alert | None = None,
) -> Response:
    href = f"{rules.HREF}/{rule.id}/revise" if rule else f"{rules.HREF}/new"
    trail = [Link("Exceptions", "/exceptions"), Link("Rules", rules.HREF)]
    if rule is not None:
        trail.append(Link(words.short(rule.id), f"{rules.HREF}/{rule.id}"))
    view: View = {
        "title": f"Version {rule.version + 1} of this rule" if rule else "Draft a rule",
        "trail": trail,
        "form": _form(typed, action=href, keeps_kind=rule is not None),
        "preview": preview,
        "problem": problem,
        "limit": case_rules.DAY_LIMIT,
        "back": f"{rules.HREF}/{rule.id}" if rule else rules.HREF,
    }
    status = 422 if typed.errors or problem else 200
    return render.page("rules/new.html", view, status=status, live=False)


def _preview(session: Session, typed: Typed) -> View:
    said = case_rules.read(session, typed.wanted())
    found = case_backtests.run(session, said.kind, said.conditions, said.verb)
    when = case_conditions.explain(said.conditions, said.merchants)
    sentence = rules.said(said.kind, when, said.verb)
    return rules.backtest_view(session, found.wire()) | {"sentence": sentence}


def _sent(
    typed: Typed, rule: CaseRule | None, keep: Callable[[Session, str], CaseRule]
) -> Response:
    """Try or keep what the form says; what was typed stays, whatever is wrong with it."""
    try:
        if request.form.get("act") != "save":
            with reading() as session:
                return _show(typed, rule=rule, preview=_preview(session, typed))
        with transaction() as session:
            kept = keep(session, f"user:{render.actor().id}")
    except InvalidInput as refused:
        return _show(_refused(typed, refused), rule=rule)
    except Conflict as refused:
        link = refused.details.get("link")
        problem = Alert("warn", "Not kept", refused.message)
        if isinstance(link, str):
            problem = Alert("warn", "Not kept", refused.message, link, "Open that rule")
        return _show(typed, rule=rule, problem=problem)
    text = "It does nothing until somebody else has enabled it."
    render.tell(Alert("good", "The draft is kept", text))
    return render.to(f"{rules.HREF}/{kept.id}")


@routes.get(f"{rules.HREF}/new")
@access.page(Permission.RULES_DRAFT)
def new() -> Response:
    typed = _read(asked_text)
    if not typed.wanted().conditions or not typed.note:
        return _show(typed)
    # Made of a suggestion: its past is shown at once.
    try:
        with reading() as session:
            return _show(typed, preview=_preview(session, typed))
    except InvalidInput:
        return _show(typed)


@routes.get(f"{rules.HREF}/draft")
@access.page(Permission.RULES_DRAFT)
def draft_of_case() -> Response:
    """Make a rule of what is suggested for a case: the form, filled in."""
    actor = render.actor()
    with reading() as session:
        case = case_queries.get_case(session, asked_text("case"), actor=actor)
        suggestion = case_suggestions.suggest(session, case)
    href = href_for(suggestion, actor) if suggestion is not None else None
    if href is None:
        text = "People have not decided enough cases like it alike. Draft one by hand."
        render.tell(Alert("info", "No rule can be made of this case", text))
    return render.to(href or f"{rules.HREF}/new")


@routes.post(f"{rules.HREF}/new")
@access.page(Permission.RULES_DRAFT)
def draft() -> Response:
    typed, actor = _read(render.typed), render.actor()
    return _sent(
        typed,
        None,
        lambda session, source: case_rules.draft(
            session, typed.wanted(), actor=actor, source=source
        ),
    )


def _rule(rule_id: str) -> CaseRule:
    with reading() as session:
        return case_rules.get(session, rule_id)


@routes.get(f"{rules.HREF}/<rule_id>/revise")
@access.page(Permission.RULES_DRAFT)
def ask_revise(rule_id: str) -> Response:
    rule = _rule(rule_id)
    if rule.state == "enabled":
        render.tell(Alert("warn", "This rule is at work", "End it, then write its next version."))
        return render.to(f"{rules.HREF}/{rule.id}")
    return _show(_of_rule(rule), rule=rule)


@routes.post(f"{rules.HREF}/<rule_id>/revise")
@access.page(Permission.RULES_DRAFT)
def revise(rule_id: str) -> Response:
    rule, actor = _rule(rule_id), render.actor()
    typed = _read(render.typed, kind=rule.kind)
    return _sent(
        typed,
        rule,
        lambda session, source: case_rules.revise(
            session, rule_id, typed.wanted(), actor=actor, source=source
        ),
    )
