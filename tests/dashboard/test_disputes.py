"""Disputes on the desk: the deadline first, a draft that is kept, what will be sent before it is, two to give up."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest

from core import clock
from core.errors import ProviderUnknown
from core.states import Role
from core.strictjson import Json
from domain.actors import Actor
from domain.control import approvals
from domain.database import reading, transaction
from domain.jobs import janitor
from models.control import Approval
from models.disputes import Dispute
from models.operations import Operation
from tests.api.personas import Persona, Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, ids_of, rows, text

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f"
    b"\x15\xc4\x89\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4\x00\x00\x00\x00IEND"
    b"\xaeB`\x82"
)
TAKEN: dict[str, Json] = {
    "id": "txn_1",
    "amount": -2_500,
    "currency": "eur",
    "created": 1_790_000_000,
    "fee": 1_500,
}


@pytest.fixture
def disputed(till: Till, who: Personas) -> dict[str, Any]:
    """Give a dispute of Mel's as the API tells it."""
    payment = till.payment(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    till.settle(payment)
    name = str(till.rail.dispute(payment["providerReference"], 2_500)["id"])
    till.tell_dispute(name, "funds_withdrawn", balance_transactions=[TAKEN])
    return dict(till.get("/api/disputes", who.fin).get_json()["items"][0])


def href_of(dispute: dict[str, Any]) -> str:
    return f"/disputes/{dispute['disputeId']}"


def write(browser: Browser, dispute: dict[str, Any], **sent: str) -> Any:
    return browser.post(f"{href_of(dispute)}/evidence", sent)


def hand_in(browser: Browser, dispute: dict[str, Any]) -> Any:
    path = f"{href_of(dispute)}/submit"
    return browser.post(path, seen=hidden(browser.page(path), "seen"))


def test_list_puts_the_soonest_deadline_first_and_says_what_is_empty(
    desk: Desk, till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    later = till.payment(who.mels_key)
    till.settle(later)
    till.dispute(later)
    with transaction() as session:
        row = session.get_one(Dispute, disputed["disputeId"])
        row.evidence_due_at = clock.now() + timedelta(days=1, minutes=5)
    sue = desk.browser(who.sue)
    page = sue.page("/disputes")
    assert ids_of(page, "dispute")[0] == disputed["disputeId"]
    first = rows(page)[0]
    assert "Answer it" in first and "due in 1 d" in first and "25.00 EUR taken" in first
    assert "No dispute has this name" in text(sue.page("/disputes?q=dsp_none"))
    assert "None here" in text(sue.page("/disputes?state=lost"))
    found = sue.page(f"/disputes?state=all&q={disputed['providerReference']}")
    assert ids_of(found, "dispute") == [disputed["disputeId"]]
    assert "<html" not in sue.part("/disputes/rows")
    home = text(sue.page("/"))
    assert "Disputes to answer 2" in home
    assert desk.browser(who.eve).get(href_of(disputed)).status_code == 404
    assert ids_of(desk.browser(who.eve).page("/disputes"), "dispute") == []


def test_page_says_what_the_bank_says_what_it_took_and_what_the_books_say(
    desk: Desk, who: Personas, disputed: dict[str, Any]
) -> None:
    page = text(desk.browser(who.fin).page(href_of(disputed)))
    assert "The cardholder says they did not make this payment." in page
    assert "The bank wants an answer by" in page
    assert "Taken by the bank 25.00 EUR" in page and "At risk 25.00 EUR" in page
    assert ":at_risk" in page and "Fee of a dispute" in page
    payment = text(desk.browser(who.sue).page(f"/payments/{disputed['paymentId']}"))
    assert "The payer's bank asks 25.00 EUR back; nothing is refunded or released" in payment
    order = text(desk.browser(who.sue).page(f"/orders/{disputed['orderId']}"))
    assert "The payer's bank asks 25.00 EUR back" in order
    assert "Release held The payer's bank disputes 25.00 EUR." in order
    merchant = desk.browser(who.mel)
    assert "In the books" not in text(merchant.page(href_of(disputed)))


def test_draft_is_kept_and_what_is_wrong_is_said_with_what_was_typed(
    desk: Desk, till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    sue = desk.browser(who.sue)
    answer = write(sue, disputed, uncategorizedText="It was <b>signed</b> for.")
    assert (answer.status_code, answer.location) == (303, f"{href_of(disputed)}#evidence")
    page = sue.page(href_of(disputed))
    assert "It was &lt;b&gt;signed&lt;/b&gt; for." in page
    wrong = write(sue, disputed, uncategorizedText="kept", serviceDate="soon")
    assert wrong.status_code == 422
    assert "Write a day such as" in wrong.text and ">kept</textarea>" in wrong.text
    card = write(sue, disputed, uncategorizedText="4242 4242 4242 4242")
    assert (card.status_code, "looks like a card number" in card.text) == (422, True)
    assert till.rail.handed_in == []
    ann = desk.browser(who.ann)
    assert "answer disputes" in text(ann.page(href_of(disputed)))
    assert write(ann, disputed, uncategorizedText="x").status_code == 403


def test_exactly_what_was_shown_is_handed_in_once(
    desk: Desk, till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    sue = desk.browser(who.sue)
    assert sue.get(f"{href_of(disputed)}/submit").status_code == 303
    answer = write(sue, disputed, uncategorizedText="Signed for.", then="send")
    assert answer.location == f"{href_of(disputed)}/submit"
    seen = hidden(sue.page(f"{href_of(disputed)}/submit"), "seen")
    write(desk.browser(who.fin), disputed, uncategorizedText="Something else.")
    sue.post(f"{href_of(disputed)}/submit", seen=seen)
    assert "changed the draft" in text(sue.page(href_of(disputed)))
    assert till.rail.handed_in == []
    assert hand_in(sue, disputed).location == href_of(disputed)
    assert [each.uncategorized_text for each in till.rail.handed_in] == ["Something else."]
    page = text(sue.page(href_of(disputed)))
    assert "The evidence is with the bank; it decides now" in page
    assert "Evidence was handed in already" in page
    sue.post(f"{href_of(disputed)}/submit", seen=seen)
    assert len(till.rail.handed_in) == 1


def test_answer_that_was_lost_is_said_and_found_out(
    desk: Desk, till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    lost = ProviderUnknown()
    lost.after_effect = True  # type: ignore[attr-defined]
    till.rail.script = [lost]
    sue = desk.browser(who.sue)
    write(sue, disputed, uncategorizedText="Signed for.")
    hand_in(sue, disputed)
    page = text(sue.page(href_of(disputed)))
    assert "The provider has not answered yet" in page
    assert "The evidence is being handed in" in page
    with transaction() as session:
        for row in session.query(Operation).filter(Operation.due_at.is_not(None)):
            row.due_at, row.lease_until = clock.now(), None
    assert janitor.finish_operation()
    assert len(till.rail.handed_in) == 1
    assert "The bank decides" in text(sue.page(href_of(disputed)))


def test_file_is_attached_chosen_and_sent_with_the_rest(
    desk: Desk, till: Till, who: Personas, disputed: dict[str, Any]
) -> None:
    sue, href = desk.browser(who.sue), href_of(disputed)
    form = {"csrf_token": sue.csrf(), "file": (io.BytesIO(PNG), "proof.png")}
    sent = sue.client.post(f"{href}/files", data=form)
    assert sent.status_code == 303, sent.text
    page = sue.page(href)
    file_id = re.search(r'name="fileIds" value="([^"]+)"', page)[1]  # type: ignore[index]
    assert "proof.png" in sue.part(f"{href}/choice?fileIds={file_id}")
    write(sue, disputed, fileIds=file_id, uncategorizedText="See the photo.")
    assert "File proof.png" in text(sue.page(f"{href}/submit"))
    hand_in(sue, disputed)
    assert [(f.name, f.body) for f in till.rail.handed_in[0].files] == [("proof.png", PNG)]
    assert desk.browser(who.mel).get(f"{href}/files").status_code == 403


def test_giving_up_takes_a_reason_a_fresh_proof_and_a_second_person(
    desk: Desk, who: Personas, disputed: dict[str, Any]
) -> None:
    href = href_of(disputed)
    assert desk.browser(who.sue).get(f"{href}/accept").status_code == 403
    assert "Finance and admins give disputes up." in desk.browser(who.sue).page(href)
    stale = desk.browser(who.fin).get(f"{href}/accept")
    assert stale.location.startswith("/account/step-up")
    fin = desk.browser(who.fin, fresh=True)
    said = text(fin.page(f"{href}/accept"))
    assert "The payer keeps 25.00 EUR; it is booked as lost" in said
    assert fin.post(f"{href}/accept", reason="").status_code == 422
    fin.post(f"{href}/accept", reason="Goods never left")
    assert "Giving it up waits for a second person" in text(fin.page(href))
    _agree(disputed, who.flo)
    assert janitor.finish_operation()
    page = text(fin.page(href))
    assert "Lost" in page and "Dispute lost" in page and "Lost 25.00 EUR" in page


def _agree(dispute: dict[str, Any], person: Persona) -> None:
    who = Actor(
        person.id, "user", Role.FINANCE, "Flo", session_id="ses_flo", stepped_up_at=clock.now()
    )
    with reading() as session:
        approval_id = session.get_one(Dispute, dispute["disputeId"]).approval_id
    with transaction() as session:
        row = session.get_one(Approval, approval_id)
        approvals.agree(session, row.id, actor=who, content_hash=row.content_hash, reason="Agreed")
