"""Rules of the exception desk: the list, and one rule with its sentence, its past, its work and its versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response

from core.case_kinds import KINDS, Verb
from core.money_out import Act as Guarded
from core.permissions import Permission
from core.states import RuleState
from core.strictjson import Json
from dashboard import listing, render, words
from dashboard.listing import Asked
from dashboard.shapes import Act, Alert, Empty, Fact, Link, State, View
from domain import naming
from domain.actors import Actor
from domain.cases import case_conditions, case_rule_queries, case_rules, case_verbs
from domain.cases.case_rule_queries import Uses
from domain.control import approvals
from domain.database import reading
from domain.desk import Session
from models.cases import CaseRule, CaseRuleUse, CaseRuleVersion, ExceptionCase
from models.control import Approval
from web import access

routes = Blueprint("desk_rules", __name__)
HREF = "/exceptions/rules"
STATES: Mapping[str, State] = {
    "draft": State("Draft", "dotted", "quiet", "Does nothing yet"),
    "enabled": State("At work", "done", "good"),
    "disabled": State("Ended", "hold", "quiet"),
}
_WAITS = State("Waits for a second person", "half", "info")
_REVERSED = "Taken back from the rule"


def verb_label(verb: str) -> str:
    """Name what is done to a case."""
    known = {each.value: each for each in Verb}
    return case_verbs.kind(known[verb]).label if verb in known else verb.replace("_", " ")


def sentence(session: Session, rule: CaseRule | CaseRuleVersion, kind: str) -> str:
    """Say what a rule does, in one sentence."""
    conditions = case_rules.conditions_of(rule)
    names = case_rules.merchant_names(session, conditions)
    return said(kind, case_conditions.explain(conditions, names), rule.verb)


def said(kind: str, when: str, verb: str) -> str:
    """Put kind, conditions and verb into one sentence."""
    label = KINDS[kind].label.lower() if kind in KINDS else kind
    return f"When a case of the kind “{label}” opens and {when}: {verb_label(verb).lower()} it."


def _row(session: Session, rule: CaseRule, uses: Uses, names: Mapping[str, str]) -> View:
    return {
        "id": rule.id,
        "version": listing.version(rule.version, rule.state, uses.resolved, uses.reversed),
        "href": f"{HREF}/{rule.id}",
        "sentence": sentence(session, rule, rule.kind),
        "state": STATES[rule.state],
        "backtest": _short(rule.backtest),
        "resolved": uses.resolved,
        "reversed": uses.reversed,
        "by": names.get(rule.drafted_by, rule.drafted_by),
        "no": rule.version,
        "drafted": words.moment(rule.drafted_at),
    }


def _short(backtest: Mapping[str, Json]) -> str:
    return f"{backtest.get('agreed')} of {backtest.get('matched')} past cases decided alike"


@routes.get(HREF)
@access.page(Permission.RULES_READ)
def index() -> Response:
    asked, actor = listing.read(HREF, ()), render.actor()
    page = listing.page_of(asked)
    with reading() as session:
        rules, is_more = case_rule_queries.list_rules(session, page=page)
        uses = case_rule_queries.uses_of(session, [rule.id for rule in rules])
        authors = [rule.drafted_by for rule in rules]
        names = naming.actor_names(session, authors, for_staff=True)
        rows = [_row(session, rule, uses.get(rule.id, Uses()), names) for rule in rules]
    more = (rules[-1].drafted_at, rules[-1].id) if is_more else None
    view: View = {
        "lead": "What the desk always decides alike may become a rule: one person drafts it, it is held "
        "against past cases, another person enables it. Each case it resolves can be taken back.",
        "acts": [draft_act(actor)],
        "rows": rows,
        "page": listing.pages(asked, len(rows), more),
        "empty_note": _empty(asked),
    }
    return render.page("rules/index.html", view, live=False)


def _empty(asked: Asked) -> Empty:
    if asked.get("cursor"):
        return Empty("No more rules", None, "list", href=HREF, label="Back to the newest")
    text = "When people decide the same kind of case alike again and again, make a rule of it."
    return Empty("No rules yet", text, "list")


def draft_act(actor: Actor) -> Act:
    """Offer to draft a rule, or say why not."""
    may = actor.may(Permission.RULES_DRAFT)
    reason = None if may else "Finance and admins draft rules."
    return Act("draft", "Draft a rule", f"{HREF}/new", may, reason, icon="sliders", tone="primary")


@dataclass(frozen=True)
class Shown:
    """A rule with what its page needs beside it."""

    rule: CaseRule
    waiting: Approval | None
    uses: Uses
    names: Mapping[str, str]

    @property
    def href(self) -> str:
        """The page's own address."""
        return f"{HREF}/{self.rule.id}"


@routes.get(f"{HREF}/<rule_id>")
@access.page(Permission.RULES_READ)
def show(rule_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        rule = case_rules.get(session, rule_id)
        versions = case_rule_queries.list_versions(session, rule_id)
        resolved = case_rule_queries.list_uses(session, rule_id)
        who = [each.drafted_by for each in versions]
        who += [use.reversed_by for use, _ in resolved if use.reversed_by]
        shown = Shown(
            rule=rule,
            waiting=approvals.find_open(session, Guarded.RULE_ENABLE, rule.id),
            uses=case_rule_queries.uses_of(session, [rule.id]).get(rule.id, Uses()),
            names=naming.actor_names(session, who, for_staff=True),
        )
        view: View = {
            "rule": _head(session, shown, actor),
            "waits": _waits(shown),
            "backtest": backtest_view(session, rule.backtest),
            "uses": [_use(use, case, shown, actor) for use, case in resolved],
            "uses_note": _uses_note(shown.uses, len(resolved)),
            "versions": [_version(session, each, shown) for each in versions],
        }
    return render.page("rules/show.html", view, live=False)


def _head(session: Session, shown: Shown, actor: Actor) -> View:
    rule = shown.rule
    waits = rule.state == RuleState.DRAFT.value and shown.waiting is not None
    return {
        "title": f"Rule for “{KINDS[rule.kind].label.lower()}”" if rule.kind in KINDS else "Rule",
        "short": words.short(rule.id),
        "state": _WAITS if waits else STATES[rule.state],
        "sentence": sentence(session, rule, rule.kind),
        "ref": words.ref("rule id", rule.id),
        "note": rule.note,
        "acts": _acts(shown, actor),
        "facts": _facts(shown),
    }


def _acts(shown: Shown, actor: Actor) -> list[Act]:
    rule, href = shown.rule, shown.href
    role = None if actor.may(Permission.RULES_ENABLE) else "Your role reads rules only."
    if rule.state == RuleState.ENABLED.value:
        return [
            Act("disable", "End this rule", f"{href}/disable", role is None, role, tone="danger")
        ]
    revise = Act("revise", "Write the next version", f"{href}/revise", role is None, role)
    if rule.state == RuleState.DISABLED.value:
        return [revise]
    reason = role or (
        "It is asked for already; a second person decides." if shown.waiting else None
    )
    enable = Act(
        "enable", "Ask to enable it", f"{href}/enable", reason is None, reason, tone="primary"
    )
    drop = Act("disable", "Drop this draft", f"{href}/disable", role is None, role)
    return [enable, revise, drop]


def _facts(shown: Shown) -> list[Fact]:
    rule = shown.rule
    found = [
        Fact("Version", str(rule.version)),
        Fact("Author", shown.names.get(rule.drafted_by, rule.drafted_by)),
        Fact("Drafted", at=words.moment(rule.drafted_at)),
        Fact("Resolved", words.counted(shown.uses.resolved, "case")),
        Fact("Taken back", words.counted(shown.uses.reversed, "case")),
        Fact("At most", f"{case_rules.DAY_LIMIT} cases a day"),
    ]
    if rule.enabled_at is not None:
        found.append(Fact("Enabled", at=words.moment(rule.enabled_at)))
    if rule.disabled_at is not None:
        found.append(Fact("Ended", at=words.moment(rule.disabled_at)))
    if rule.approval_id is not None:
        href = f"/approvals/{rule.approval_id}"
        found.append(Fact("Approval", words.short(rule.approval_id), href=href))
    return found


def _waits(shown: Shown) -> Alert | None:
    if shown.waiting is None or shown.rule.state != RuleState.DRAFT.value:
        return None
    return Alert(
        "info",
        "A second person must agree",
        "Neither whoever asked nor the author of this version may.",
        f"/approvals/{shown.waiting.id}",
        "Open the approval",
    )


def backtest_view(session: Session, stored: Mapping[str, Json]) -> View:
    """Prepare a back-test: its numbers, the cases decided otherwise, and how far it looked."""
    listed = stored.get("differingCases")
    rows = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    cases = case_rule_queries.cases_by_id(session, [str(each["caseId"]) for each in rows])
    examined, differing = int(str(stored["examined"])), int(str(stored["differing"]))
    at = words.absolute(datetime.fromisoformat(str(stored["at"])))
    note = f"{words.counted(examined, 'case')} of this kind that people decided within a year"
    note += f", looked at on {at}"
    if not stored.get("isWhole"):
        note += "; there are older ones that were not looked at"
    return {
        "figures": [
            Fact("Would be resolved", str(stored["matched"])),
            Fact("People decided alike", str(stored["agreed"])),
            Fact("People decided otherwise", str(differing)),
            Fact("Left to people, too much at risk", str(stored["tooLarge"])),
        ],
        "note": note,
        "rows": [_differing(str(each["caseId"]), str(each["verb"]), cases) for each in rows],
        "more": differing - len(rows),
        "is_empty": stored["matched"] == 0,
    }


def _differing(case_id: str, verb: str, cases: Mapping[str, ExceptionCase]) -> View:
    found = cases.get(case_id)
    return {
        "case": Link(words.short(case_id), f"/exceptions/{case_id}"),
        "sentence": found.sentence if found is not None else "",
        "decided": _REVERSED if verb == "reversed" else verb_label(verb),
    }


def _use(use: CaseRuleUse, case: ExceptionCase, shown: Shown, actor: Actor) -> View:
    may = actor.may(Permission.EXCEPTIONS_BULK)
    reason = None if may else "Finance and admins take back what a rule did."
    back = Act(
        f"back-{use.id}",
        "Reopen",
        f"/exceptions/{case.id}/take-back",
        may,
        reason,
        "post",
        fields={"back": shown.href},
    )
    taken: View | None = None
    if use.reversed_at is not None:
        taken = {
            "by": shown.names.get(use.reversed_by or "", use.reversed_by),
            "at": words.moment(use.reversed_at),
            "reason": use.reversed_reason,
        }
    return {
        "id": use.id,
        "case": Link(words.short(case.id), f"/exceptions/{case.id}"),
        "sentence": case.sentence,
        "no": use.version,
        "verb": verb_label(use.verb),
        "at": words.moment(use.at),
        "taken_back": taken,
        "act": back if taken is None else None,
    }


def _uses_note(uses: Uses, listed: int) -> str | None:
    return f"The newest {listed} of {uses.resolved}" if uses.resolved > listed else None


def _version(session: Session, row: CaseRuleVersion, shown: Shown) -> View:
    return {
        "no": row.version,
        "sentence": sentence(session, row, shown.rule.kind),
        "note": row.note,
        "backtest": _short(row.backtest),
        "by": shown.names.get(row.drafted_by, row.drafted_by),
        "at": words.moment(row.drafted_at),
        "is_current": row.version == shown.rule.version,
    }
