"""Disputes over the wire: from test card to won and lost, lost answers that hand nothing in twice, many hands at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from core.errors import AppError
from core.states import Role
from domain import database
from domain.actors import Actor
from domain.disputes import disputes
from domain.disputes.evidence import Draft
from domain.payments import operations
from models.disputes import Dispute
from tests.domain.world import actor
from tests.reliability.clients import until
from tests.reliability.stage import Stage

pytestmark = pytest.mark.kill
FIN: Actor = actor("usr_fin", Role.FINANCE)
UPDATE = "disputes.update"


@pytest.fixture(autouse=True)
def _without_faults(stage: Stage) -> None:
    stage.provider.control("DELETE", "faults")


def disputed(stage: Stage, card: str = "createDispute") -> Dispute:
    """Pay by a card whose bank disputes it; gives the dispute as it is known."""
    begun = stage.buyer.intent(stage.buyer.order())
    reference = begun["providerReference"]
    stage.provider.pay(reference, card=card)
    until(lambda: bool(truth(stage, reference)), what="the bank to dispute it")
    hear(stage)
    with database.reading() as session:
        own = Dispute.payment_id == begun["paymentId"]
        return session.scalars(select(Dispute).where(own)).one()


def truth(stage: Stage, reference: str) -> list[dict[str, Any]]:
    """Give what the provider itself says of an intent's disputes."""
    found: list[dict[str, Any]] = stage.provider.control("GET", "ledger")[reference]["disputes"]
    return found


def hear(stage: Stage) -> None:
    stage.provider.deliver_new()
    stage.work_until_idle()


def now(dispute: Dispute) -> Dispute:
    with database.reading() as session:
        return session.get_one(Dispute, dispute.id)


def hand_in(dispute: Dispute, text: str) -> None:
    draft = Draft(uncategorized_text=text)
    with database.transaction() as session:
        begun = disputes.begin_submission(session, dispute.id, draft, actor=FIN, source="test")
    outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=FIN)
    with database.transaction() as session:
        operations.settle(session, outcome)


def decided(stage: Stage, dispute: Dispute) -> Dispute:
    """Let the stand-in's bank decide, and hear of it."""
    name = dispute.provider_reference

    def is_over() -> bool:
        ledger = stage.provider.control("GET", "ledger")
        found = [each for line in ledger.values() for each in line["disputes"]]
        return any(e["id"] == name and e["status"] in ("won", "lost") for e in found)

    stage.provider.control("POST", "clock", {"advance_seconds": 60})
    until(is_over, what="the bank to decide")
    hear(stage)
    return now(dispute)


@pytest.mark.parametrize(
    ("text", "end"), [("winning_evidence", "won"), ("losing_evidence", "lost")]
)
def test_dispute_of_a_test_card_is_answered_and_decided(stage: Stage, text: str, end: str) -> None:
    dispute = disputed(stage)
    assert (dispute.status, dispute.withdrawn_minor) == ("needs_response", 2_500)
    hand_in(dispute, text)
    assert now(dispute).status == "under_review"
    over = decided(stage, dispute)
    back = 2_500 if end == "won" else 0
    assert (over.status, over.reinstated_minor) == (end, back)
    stage.conclude()


def test_lost_answers_hand_nothing_in_twice(stage: Stage) -> None:
    dispute = disputed(stage)
    stage.provider.fault({"op": UPDATE, "kind": "timeout_after_effect", "times": 2})
    hand_in(dispute, "winning_evidence")
    assert now(dispute).evidence_submitted_at is None
    stage.hurry()
    stage.work_until_idle()
    assert now(dispute).evidence_submitted_at is not None
    ledger = stage.provider.control("GET", "ledger").values()
    [there] = [
        each
        for line in ledger
        for each in line["disputes"]
        if each["id"] == dispute.provider_reference
    ]
    assert there["evidence_details"]["submission_count"] == 1
    assert decided(stage, dispute).status == "won"
    stage.conclude()


def test_sixteen_hands_at_once_hand_in_once(stage: Stage) -> None:
    dispute = disputed(stage)
    done, refused = [], []
    together = threading.Barrier(16)

    def press(number: int) -> None:
        together.wait()
        try:
            hand_in(dispute, "winning_evidence" if number % 2 else "losing_evidence")
            done.append(number)
        except AppError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=press, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), len(refused)) == (1, 15)
    assert set(refused) <= {"CONFLICT", "LOST_RACE", "EVIDENCE_ALREADY_SUBMITTED"}
    ledger = stage.provider.control("GET", "ledger").values()
    counts = [
        each["evidence_details"]["submission_count"]
        for line in ledger
        for each in line["disputes"]
        if each["id"] == dispute.provider_reference
    ]
    assert counts == [1]
    decided(stage, dispute)
    stage.conclude()


def test_events_that_never_come_are_made_up_for_by_asking(stage: Stage) -> None:
    dispute = disputed(stage)
    stage.provider.fault(
        {"event": "charge.dispute.closed", "kind": "never_create", "times": None},
        {"event": "charge.dispute.funds_reinstated", "kind": "never_create", "times": None},
    )
    hand_in(dispute, "winning_evidence")
    over = decided(stage, dispute)
    assert (over.status, over.reinstated_minor) == ("won", 2_500)
    stage.conclude()
