"""Accept: everything stays as it is, and somebody said why."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.case_kinds import Verb
from domain.cases.case_subjects import PAYABLE, Subject, missing, unapplied
from domain.cases.case_verbs import Answer, Deed, Doing, Kind, Plan, Refusal


def _plan(subject: Subject) -> Answer:
    if subject.has_open_dispute:
        return Refusal("The bank has not decided yet. Answer the dispute, or give it up, first.")
    if subject.is_red:
        return Refusal("The rule is still broken. Mend what breaks it first.")
    effects = ["No money moves and nothing is posted; the case is closed with your reason."]
    if subject.payment is not None and (order := subject.order) is not None:
        lacks, left = missing(subject), unapplied(subject)
        if lacks.minor and order.status in PAYABLE:
            effects.append(f"The order goes on waiting for {lacks.major()} {lacks.asset.code}.")
        if left.minor:
            effects.append(f"{left.major()} {left.asset.code} stays booked as unapplied.")
    return Plan(effects)


def _do(session: Session, doing: Doing) -> Deed:
    del session, doing
    return Deed()


KINDS = {Verb.ACCEPT: Kind("Accept", "Keep it as it is, with a reason.", _plan, _do)}
