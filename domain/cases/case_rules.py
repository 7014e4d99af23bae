"""Rules of the exception desk: drafted by one person, back-tested, enabled by another, ended by any one.

A rule is a kind, conditions and a verb. What it does with cases is `domain/cases/case_rule_acts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock, ids
from core.case_kinds import KINDS, Verb
from core.errors import Conflict, NotFound, SamePerson, invalid
from core.money_out import Act
from core.redaction import holds_card_number
from core.states import Approval as Waiting
from core.states import RuleState as State
from core.strictjson import Json
from domain import audit, database, events
from domain.actors import Actor
from domain.cases import case_backtests, case_conditions
from domain.cases.case_conditions import Condition
from domain.control import approval_checks, approvals, money_out
from domain.control.warrants import Content, Warrant
from domain.people import people
from domain.transitions import Why, move_together
from models.cases import CaseRule, CaseRuleVersion
from models.control import Approval
from models.people import Merchant, User

# A rule moves no money and asks nobody for anything, so of all verbs only this one is left to it:
# refunds, write-offs and marks need people by the table of `core/money_out.py`; credit, top-up and
# reissue make something new of somebody's money; link needs to be told what to link to.
VERBS = (Verb.ACCEPT.value,)
# Each of these says that something went wrong with money or with its control: people look at it.
PEOPLE_ONLY = frozenset(
    "DISPUTE EFFECT_FAILED FREEZE_BREACH LATE_FAILURE MARKED PAYOUT_FAILED REFUND_FAILED REVERSAL_DUE RULE_STOPPED"
    " UNKNOWN_OUTCOME".split()
)
LONGEST_NOTE = 500
OWN_DRAFT = "You drafted this rule; somebody else must enable it."
DAY_LIMIT = 50


@dataclass(frozen=True)
class Wanted:
    """What somebody wants a rule to say. conditions: as they were sent, not read yet."""

    kind: str
    conditions: Sequence[Mapping[str, object]]
    verb: str
    note: str


@dataclass(frozen=True)
class Read:
    """The same, read: every part may be stored."""

    kind: str
    conditions: tuple[Condition, ...]
    verb: str
    note: str
    merchants: Mapping[str, str] = field(default_factory=dict)


def read(session: Session, wanted: Wanted) -> Read:
    """Read what somebody wants a rule to say.

    Raises: InvalidInput. Transaction: caller's, reads only.
    """
    if wanted.kind not in KINDS:
        raise invalid("kind", "There is no such kind of case.", code="unknown_value")
    if wanted.kind in PEOPLE_ONLY:
        raise invalid("kind", "Cases of this kind are looked at by people, never by a rule.")
    if wanted.verb not in VERBS or wanted.verb not in KINDS[wanted.kind].verbs:
        raise invalid("verb", f"A rule may only {' or '.join(VERBS)}; anything else needs people.")
    conditions = case_conditions.read(wanted.kind, wanted.conditions)
    note = wanted.note.strip()
    if not note or len(note) > LONGEST_NOTE:
        raise invalid("note", f"Say why in at most {LONGEST_NOTE} characters.")
    if holds_card_number(note):
        raise invalid("note", "This looks like a card number. Card numbers are never kept here.")
    merchants = merchant_names(session, conditions)
    for each in _merchants_in(conditions):
        if each not in merchants:
            raise invalid("condition", f"There is no merchant {each}.", code="unknown_value")
    return Read(wanted.kind, conditions, wanted.verb, note, merchants)


def _merchants_in(conditions: Sequence[Condition]) -> list[str]:
    found: list[str] = []
    for each in conditions:
        if each.field == "merchant":
            found += each.value if isinstance(each.value, list) else [str(each.value)]
    return found


def merchant_names(session: Session, conditions: Sequence[Condition]) -> dict[str, str]:
    """Name the merchants that conditions speak of. Transaction: caller's, reads only."""
    wanted = _merchants_in(conditions)
    if not wanted:
        return {}
    return {
        row.id: row.name for row in session.scalars(select(Merchant).where(Merchant.id.in_(wanted)))
    }


def conditions_of(rule: CaseRule | CaseRuleVersion) -> tuple[Condition, ...]:
    """Give a stored rule's conditions."""
    return case_conditions.stored(rule.conditions)


def get(session: Session, rule_id: str, *, lock: bool = False) -> CaseRule:
    """Fetch a rule; only who may read rules is led here.

    Raises: NotFound
    """
    statement = select(CaseRule).where(CaseRule.id == rule_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(statement).first()
    if row is None:
        raise NotFound
    return row


def draft(session: Session, wanted: Wanted, *, actor: Actor, source: str) -> CaseRule:
    """Draft a rule, held against the past at once; there is one of a kind with these conditions.

    Writes: case_rules, case_rule_versions, event_log, audit_log. Emits: rule.drafted.
    Raises: InvalidInput, Conflict. Transaction: caller's.
    """
    said = read(session, wanted)
    backtest = case_backtests.run(session, said.kind, said.conditions, said.verb)
    values = _values(said, backtest.wire(), actor) | {
        "id": ids.new("rul"),
        "version": 1,
        "kind": said.kind,
        "state": State.DRAFT.value,
        "open_key": case_conditions.key(said.kind, said.conditions),
    }
    dialect = sqlite if database.is_sqlite() else postgresql
    statement = dialect.insert(CaseRule).values(values).on_conflict_do_nothing()
    made = session.execute(statement.returning(CaseRule.id)).scalar()
    if made is None:
        raise _known(session, str(values["open_key"]))
    rule = get(session, made)
    _keep_version(session, rule)
    _tell(session, "rule.drafted", rule, why=Why(actor, source, said.note))
    return rule


def _values(said: Read, backtest: dict[str, Json], actor: Actor) -> dict[str, object]:
    return {
        "conditions": [each.wire() for each in said.conditions],
        "verb": said.verb,
        "note": said.note,
        "backtest": backtest,
        "drafted_by": actor.id,
        "drafted_at": clock.now(),
    }


def _known(session: Session, open_key: str) -> Conflict:
    row = session.scalars(select(CaseRule).where(CaseRule.open_key == open_key)).first()
    details = {"ruleId": row.id, "link": f"/exceptions/rules/{row.id}"} if row else {}
    return Conflict("There is a rule for this kind with these conditions.", details=details)


def _keep_version(session: Session, rule: CaseRule) -> None:
    session.add(
        CaseRuleVersion(
            rule_id=rule.id,
            version=rule.version,
            conditions=rule.conditions,
            verb=rule.verb,
            note=rule.note,
            backtest=rule.backtest,
            drafted_by=rule.drafted_by,
            drafted_at=rule.drafted_at,
        )
    )
    session.flush()


def revise(
    session: Session, rule_id: str, wanted: Wanted, *, actor: Actor, source: str
) -> CaseRule:
    """Write the next version of a draft or of a rule that was ended; an enabled one is ended first.

    What was asked for with the version before is void, for its hash is another.
    Writes: case_rules, case_rule_versions, state_changes, event_log, audit_log. Emits: rule.drafted.
    Raises: NotFound, InvalidInput, Conflict, LostRace. Transaction: caller's.
    """
    waiting = _lock_request(session, rule_id)
    rule = get(session, rule_id, lock=True)
    if rule.state == State.ENABLED.value:
        raise Conflict("This rule is at work. Disable it, then write its next version.")
    if wanted.kind != rule.kind:
        raise invalid("kind", "A rule keeps its kind; draft another rule for another kind.")
    said = read(session, wanted)
    open_key = case_conditions.key(said.kind, said.conditions)
    taken = select(CaseRule.id).where(CaseRule.open_key == open_key, CaseRule.id != rule.id)
    if session.scalar(taken) is not None:
        raise _known(session, open_key)
    backtest = case_backtests.run(session, said.kind, said.conditions, said.verb)
    values = _values(said, backtest.wire(), actor) | {
        "version": rule.version + 1,
        "open_key": open_key,
        "enabled_at": None,
        "disabled_at": None,
        "approval_id": None,
    }
    why = Why(actor, source, said.note)
    move_together(session, rule, moves={"case_rule": State.DRAFT.value}, values=values, why=why)
    _keep_version(session, rule)
    _void(session, waiting)
    _tell(session, "rule.drafted", rule, why=why)
    return rule


def _lock_request(session: Session, rule_id: str) -> Approval | None:
    """Lock the request that waits for a rule, before the rule itself: as whoever agrees does."""
    found = approvals.find_open(session, Act.RULE_ENABLE, rule_id)
    return approvals.get(session, found.id, lock=True) if found is not None else None


def _void(session: Session, waiting: Approval | None) -> None:
    if waiting is not None and waiting.state == Waiting.PENDING.value:
        approvals.void(session, waiting, said=approval_checks.CHANGED)


def content(session: Session, rule: CaseRule) -> Content:
    """Say what enabling a rule is: its very version with its back-test."""
    conditions = conditions_of(rule)
    when = case_conditions.explain(conditions, merchant_names(session, conditions))
    matched, agreed = rule.backtest.get("matched"), rule.backtest.get("agreed")
    return Content(
        Act.RULE_ENABLE,
        object_kind="rule",
        object_id=rule.id,
        text=(
            f"Let a rule {rule.verb} “{KINDS[rule.kind].label.lower()}” cases when {when}"
            f" (people decided alike in {agreed} of {matched} past cases)"
        ),
        details={
            "version": rule.version,
            "kind": rule.kind,
            "conditions": case_conditions.key(rule.kind, conditions),
            "verb": rule.verb,
            "backtest": case_backtests.digest(rule.backtest),
        },
    )


def ask_enable(
    session: Session, rule_id: str, *, actor: Actor, reason: str, source: str
) -> Approval:
    """Ask that a draft be enabled; somebody else than the asker and its author agrees.

    Writes, emits: as `approvals.request`. Raises: NotFound, Conflict, Forbidden.
    Transaction: caller's.
    """
    waiting = _lock_request(session, rule_id)
    rule = get(session, rule_id, lock=True)
    if rule.state != State.DRAFT.value:
        raise Conflict(f"This rule is {rule.state}; only a draft is enabled.")
    if waiting is not None and approval_checks.why_void(session, waiting) is not None:
        _void(session, waiting)
    asked = money_out.ask(
        session, content(session, rule), actor=actor, source=source, reason=reason
    )
    if isinstance(asked, Warrant):
        raise TypeError("a rule is never enabled by one person")
    return asked


def enable(session: Session, warrant: Warrant) -> CaseRule:
    """Enable the version that was agreed to; it acts on cases that open from now on.

    Writes: case_rules, state_changes, event_log, audit_log. Emits: rule.enabled.
    Raises: Conflict, SamePerson, IllegalTransition. Transaction: caller's.
    """
    rule = get(session, warrant.content.object_id, lock=True)
    warrant.assert_covers(content(session, rule))
    if is_author(session, rule, warrant.actor):
        raise SamePerson(OWN_DRAFT)
    why = Why(warrant.actor, warrant.source, warrant.reason)
    values = {
        "enabled_at": clock.now(),
        "disabled_at": None,
        "approval_id": warrant.approval_id,
    }
    move_together(session, rule, moves={"case_rule": State.ENABLED.value}, values=values, why=why)
    _tell(session, "rule.enabled", rule, why=why)
    return rule


def is_author(session: Session, rule: CaseRule, actor: Actor) -> bool:
    """Tell whether somebody drafted a rule, with whichever of their accounts."""
    author = session.get(User, rule.drafted_by)
    if author is None:
        return False
    index = author.person_index or people.person_index(people.email_of(author))
    return author.id == actor.id or people.person_of(session, actor) == index


def disable(session: Session, rule_id: str, *, actor: Actor, reason: str, source: str) -> CaseRule:
    """End a rule at once; one person is enough. Ending it again changes nothing.

    Writes: case_rules, state_changes, event_log, audit_log. Emits: rule.disabled.
    Raises: NotFound. Transaction: caller's.
    """
    waiting = _lock_request(session, rule_id)
    rule = get(session, rule_id, lock=True)
    if rule.state == State.DISABLED.value:
        return rule
    why = Why(actor, source, reason)
    values = {"open_key": None, "disabled_at": clock.now()}
    move_together(session, rule, moves={"case_rule": State.DISABLED.value}, values=values, why=why)
    _void(session, waiting)
    _tell(session, "rule.disabled", rule, why=why)
    return rule


_AUDITED = {
    "rule.drafted": "rule.draft",
    "rule.enabled": "rule.enable",
    "rule.disabled": "rule.disable",
}


def _tell(session: Session, kind: str, rule: CaseRule, *, why: Why) -> None:
    body: dict[str, Json] = {"ruleId": rule.id, "version": rule.version}
    told = events.row(
        kind, events.about_staff(rule.id), source=why.source, status=rule.state, body=body
    )
    events.append(session, [told])
    audit.write(
        session,
        _AUDITED[kind],
        actor=why.actor,
        object_kind="rule",
        object_id=rule.id,
        source=why.source,
        reason=why.reason,
        after={
            "version": rule.version,
            "kind": rule.kind,
            "conditions": rule.conditions,
            "verb": rule.verb,
            "state": rule.state,
            "approvalId": rule.approval_id,
        },
    )
