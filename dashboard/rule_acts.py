"""What people do with a rule: ask to enable it, end it, and take back what it did with a case."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import Conflict
from core.permissions import Permission
from dashboard import confirming, guarded, render, rules, words
from dashboard.confirming import Question
from dashboard.shapes import Alert, Fact, Link
from domain.cases import case_rule_acts, case_rules
from domain.database import reading, transaction
from domain.desk import Session
from models.cases import CaseRule
from web import access

routes = Blueprint("desk_rule_acts", __name__)
_TAKEN_BACK = "The rule's decision was taken back on the desk"


def _trail(rule: CaseRule) -> list[Link]:
    href = f"{rules.HREF}/{rule.id}"
    return [
        Link("Exceptions", "/exceptions"),
        Link("Rules", rules.HREF),
        Link(words.short(rule.id), href),
    ]


def _enable(session: Session, rule: CaseRule) -> Question:
    backtest = rule.backtest
    facts = [
        Fact("People decided alike", f"{backtest['agreed']} of {backtest['matched']} past cases"),
        Fact("People decided otherwise", str(backtest["differing"])),
        Fact("Version", str(rule.version)),
    ]
    return Question(
        title="Ask to enable this rule",
        lead=rules.sentence(session, rule, rule.kind),
        effects=[
            "Somebody else must agree within a day: neither you nor the author of this version",
            "From then on it resolves cases that open and meet it; those that wait already stay",
            f"At most {case_rules.DAY_LIMIT} cases a day; those with much at risk stay with people",
            "Each can be reopened; when people reopen two of its last 20, the rule ends itself",
        ],
        facts=facts,
        action=f"{rules.HREF}/{rule.id}/enable",
        label="Ask a second person",
        back=f"{rules.HREF}/{rule.id}",
        trail=_trail(rule),
    )


def _disable(session: Session, rule: CaseRule) -> Question:
    is_draft = rule.state == "draft"
    effects = ["It does nothing from this moment on", "What it resolved stays resolved"]
    return Question(
        title="Drop this draft" if is_draft else "End this rule",
        lead=rules.sentence(session, rule, rule.kind),
        effects=["Nobody can enable it; its next version may be written"] if is_draft else effects,
        action=f"{rules.HREF}/{rule.id}/disable",
        label="Drop draft" if is_draft else "End rule",
        tone="danger",
        back=f"{rules.HREF}/{rule.id}",
        trail=_trail(rule),
    )


@routes.get(f"{rules.HREF}/<rule_id>/enable")
@access.page(Permission.RULES_ENABLE)
def ask_enable(rule_id: str) -> Response:
    with reading() as session:
        question = _enable(session, case_rules.get(session, rule_id))
    return confirming.show(question)


@routes.post(f"{rules.HREF}/<rule_id>/enable")
@access.page(Permission.RULES_ENABLE)
def enable(rule_id: str) -> Response:
    actor, reason = render.actor(), confirming.reason()
    with reading() as session:
        question = _enable(session, case_rules.get(session, rule_id))
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(question, reason=reason, error=error)
    try:
        with transaction() as session:
            asked = case_rules.ask_enable(
                session, rule_id, actor=actor, reason=reason, source=f"user:{actor.id}"
            )
    except Conflict as refused:
        problem = Alert("warn", "Not asked for", refused.message)
        return confirming.show(question, reason=reason, problem=problem)
    render.tell(guarded.waits(asked))
    return render.to(f"{rules.HREF}/{rule_id}")


@routes.get(f"{rules.HREF}/<rule_id>/disable")
@access.page(Permission.RULES_ENABLE)
def ask_disable(rule_id: str) -> Response:
    with reading() as session:
        question = _disable(session, case_rules.get(session, rule_id))
    return confirming.show(question)


@routes.post(f"{rules.HREF}/<rule_id>/disable")
@access.page(Permission.RULES_ENABLE)
def disable(rule_id: str) -> Response:
    actor, reason = render.actor(), confirming.reason()
    with reading() as session:
        question = _disable(session, case_rules.get(session, rule_id))
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(question, reason=reason, error=error)
    with transaction() as session:
        case_rules.disable(session, rule_id, actor=actor, reason=reason, source=f"user:{actor.id}")
    render.tell(Alert("good", "The rule does nothing any more"))
    return render.to(f"{rules.HREF}/{rule_id}")


@routes.post("/exceptions/<case_id>/take-back")
@access.page(Permission.EXCEPTIONS_BULK)
def take_back(case_id: str) -> Response:
    """Reopen with one click; the form may say why and where to go back to."""
    actor = render.actor()
    reason = confirming.reason() or _TAKEN_BACK
    back = render.local(render.typed("back")) or f"/exceptions/{case_id}"
    if (error := confirming.reason_error(reason)) is not None:
        render.tell(Alert("warn", "Not reopened", error))
        return render.to(back)
    try:
        with transaction() as session:
            rule = case_rule_acts.take_back(
                session, case_id, actor=actor, reason=reason, source=f"user:{actor.id}"
            )
    except Conflict as refused:
        render.tell(Alert("warn", "Not reopened", refused.message))
        return render.to(back)
    render.tell(_taken(rule))
    return render.to(back)


def _taken(rule: CaseRule) -> Alert:
    if rule.state == "disabled":
        text = "People took back too many of its last cases: the rule ended itself."
        return Alert("warn", "The case is open again, and the rule has stopped", text)
    return Alert("good", "The case is open again", "It counts against the rule.")
