"""Enabling a rule of the exception desk, agreed to by two."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.money_out import Act
from core.states import RuleState
from core.strictjson import Json
from domain.actors import Actor
from domain.cases import case_rules
from domain.control.acts import Kind
from domain.control.warrants import Content, Warrant
from models.cases import CaseRule


def _read(session: Session, asked: Content) -> Content | None:
    rule = session.get(CaseRule, asked.object_id, populate_existing=True)
    if asked.act != Act.RULE_ENABLE or rule is None or rule.state != RuleState.DRAFT.value:
        return None
    return case_rules.content(session, rule)


def _carry_out(session: Session, warrant: Warrant) -> dict[str, Json]:
    rule = case_rules.enable(session, warrant)
    return {"ruleId": rule.id, "version": rule.version}


def _objects(session: Session, asked: Content, actor: Actor) -> str | None:
    rule = session.get(CaseRule, asked.object_id)
    is_author = rule is not None and case_rules.is_author(session, rule, actor)
    return case_rules.OWN_DRAFT if is_author else None


KIND = Kind(read=_read, carry_out=_carry_out, objects=_objects)
