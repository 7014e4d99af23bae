"""A past written by hand: cases that people decided so or so, and cases that wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from core import clock, ids
from core.money import Money, asset
from core.states import Kyc, Role
from domain import database
from domain.actors import Actor, system
from domain.cases import case_rules
from domain.cases.case_rules import Wanted
from domain.control import approvals
from domain.jobs import rules as sweeping
from domain.people import people
from models.cases import CaseRule, ExceptionCase

EUR = asset("EUR")
SMALL: list[dict[str, object]] = [{"field": "shortfallPercent", "op": "lt", "value": "3"}]


def case(
    found: str = "97.40",
    *,
    expected: str = "100.00",
    verb: str | None = None,
    by: str = "usr_fin",
    kind: str = "UNDERPAID",
    days_ago: float = 1,
    at: datetime | None = None,
    **more: object,
) -> str:
    """Write a case; with a verb, one that was decided. Gives its id."""
    case_id = ids.new("exc")
    asked, got = _minor(expected), _minor(found)
    opened = at or clock.now() - timedelta(days=days_ago)
    values: dict[str, object] = {
        "id": case_id,
        "kind": kind,
        "state": "resolved" if verb else "open",
        "subject_key": f"{kind}:{case_id}",
        "sentence": f"Paid {found} of {expected} EUR.",
        "expected": expected,
        "found": found,
        "risk_minor": abs(asked - got),
        "asset": "EUR/2",
        "team": "finance",
        "source": "test",
        "opened_at": opened,
        "sla_due_at": opened + timedelta(hours=8),
        "resolved_at": opened + timedelta(hours=1) if verb else None,
        "resolved_by": by if verb else None,
        "verb": verb,
        "resolution": {},
        "demo": False,
    }
    with database.transaction() as session:
        session.add(ExceptionCase(**values | more))
    return case_id


def _minor(text: str) -> int:
    whole, _, part = text.partition(".")
    return Money(int(whole + (part + "00")[:2]), EUR).minor


def accepted(number: int, found: str = "97.40") -> list[str]:
    """Write cases that people accepted."""
    return [case(found, verb="accept", days_ago=1 + place / 10) for place in range(number)]


def read(case_id: str) -> ExceptionCase:
    with database.reading() as session:
        return session.get_one(ExceptionCase, case_id)


def read_rule(rule_id: str) -> CaseRule:
    with database.reading() as session:
        return session.get_one(CaseRule, rule_id)


def person(name: str, role: Role = Role.FINANCE) -> Actor:
    """Add somebody who sits at the desk and has just proved themselves."""
    wanted = people.NewUser(f"{name}@desk.test", role, name=name.capitalize(), kyc=Kyc.APPROVED)
    with database.transaction() as session:
        made = people.create_user(session, wanted, actor=system("test"), source="test")
    return at_desk(made.id, role)


def at_desk(user_id: str, role: Role) -> Actor:
    """Seat a known person at the desk."""
    return Actor(
        user_id,
        "user",
        role,
        user_id,
        kyc=Kyc.APPROVED,
        session_id=ids.new("ses"),
        stepped_up_at=clock.now(),
    )


def wanted(
    conditions: Sequence[Mapping[str, object]] | None = None,
    *,
    kind: str = "UNDERPAID",
    **more: str,
) -> Wanted:
    return Wanted(
        kind,
        SMALL if conditions is None else conditions,
        more.get("verb", "accept"),
        more.get("note", "Small ones are not worth a letter."),
    )


def draft(actor: Actor, asked: Wanted | None = None) -> CaseRule:
    with database.transaction() as session:
        return case_rules.draft(session, asked or wanted(), actor=actor, source="test")


def ask(actor: Actor, rule_id: str) -> tuple[str, str]:
    """Ask that a rule be enabled; gives the approval and its hash."""
    with database.transaction() as session:
        asked = case_rules.ask_enable(
            session, rule_id, actor=actor, reason="It is always so", source="test"
        )
        return asked.id, asked.content_hash


def agree(actor: Actor, approval_id: str, content_hash: str) -> approvals.Decision:
    with database.transaction() as session:
        return approvals.agree(
            session, approval_id, actor=actor, content_hash=content_hash, reason="Yes"
        )


def enabled(author: Actor, other: Actor, asked: Wanted | None = None) -> CaseRule:
    """Draft a rule and have somebody else enable it."""
    rule = draft(author, asked)
    agree(other, *ask(author, rule.id))
    return read_rule(rule.id)


def sweep() -> bool:
    """Let the rules act, as a worker does that has just begun."""
    return sweeping.apply_rules(sweeping.Sweep())
