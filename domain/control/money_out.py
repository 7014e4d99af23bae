"""The one door to every guarded act: who may ask, what holds it, and whether one person is enough.

`core/money_out.py` is the table; this is its enforcement. An executor carries out nothing without
the warrant that is given here or by `domain/control/approvals.py`.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import Forbidden
from core.money_out import RULES, Rule, Second
from domain.actors import Actor
from domain.control import approvals, freezes
from domain.control.thresholds import is_above_threshold
from domain.control.warrants import Content, Warrant
from domain.people import step_up
from models.control import Approval


def ask(
    session: Session, content: Content, *, actor: Actor, source: str, reason: str | None
) -> Approval | Warrant:
    """Ask for a guarded act. Gives a warrant when one person is enough, else the waiting approval.

    A token or an API key only ever requests. 1. the table allows the asker; 2. no freeze holds it,
    read under its lock; 3. on the desk, the asker has just proved themselves.
    Writes: approvals. Emits: approval.requested. Raises: Forbidden, also STEP_UP_REQUIRED; Frozen,
    Conflict. Transaction: caller's.
    """
    rule = RULES[content.act]
    assert_may_ask(rule, content, actor=actor)
    if rule.is_held_by_freeze:
        freezes.assert_open(session, content)
    if actor.is_at_desk and rule.asker_steps_up:
        step_up.assert_fresh(actor)
    if actor.is_at_desk and not needs_second(rule, content):
        return Warrant(
            content=content, actor=actor, maker_id=actor.id, source=source, reason=reason
        )
    return approvals.request(session, content, actor=actor, reason=reason, source=source)


def assert_may_ask(rule: Rule, content: Content, *, actor: Actor) -> None:
    """Check that the table lets this person or caller ask for an act.

    Raises: Forbidden
    """
    permission = rule.asks if actor.is_at_desk else rule.requests
    if not actor.may(permission):
        raise Forbidden
    is_large = content.weighed is not None and is_above_threshold(content.weighed)
    if actor.is_at_desk and is_large and rule.asks_above and not actor.may(rule.asks_above):
        raise Forbidden(_too_large(content))


def _too_large(content: Content) -> str:
    if content.alone is None or not content.alone.minor:
        return "This amount is above what your role may ask for. Pass it to finance."
    before = f"{content.alone.major()} {content.alone.asset.code}"
    return (
        f"With the {before} that was sent alone before, this is above what your role may ask for."
        " Pass it to finance."
    )


def needs_second(rule: Rule, content: Content) -> bool:
    """Tell whether a second person must agree to an act that is asked for on the desk."""
    if rule.second == Second.ALWAYS:
        return True
    if rule.second == Second.WHEN_GRANTING:
        return bool(content.details.get("needsSecond"))
    return content.weighed is None or is_above_threshold(content.weighed)
