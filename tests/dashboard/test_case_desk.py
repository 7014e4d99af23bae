"""The exception desk: taking cases, notes, settling with what will happen shown before."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from core import clock
from core.states import Role
from domain.database import reading, transaction
from models.cases import CaseNote, ExceptionCase
from models.control import Approval
from models.people import DeskSession
from tests.api.personas import Personas, change
from tests.api.till import Till
from tests.dashboard.case_forms import case, entries, form_of, paid, settle
from tests.dashboard.desk import Desk, ids_of, rows, text


def test_a_row_says_all_that_triage_needs(desk: Desk, who: Personas, till: Till) -> None:
    case_id = paid(till, who, 3000)
    page = desk.browser(who.fin).page("/exceptions")
    (row,) = rows(page)
    for words in ("Paid 30.00 of 25.00 EUR", "5.00 EUR", "Overpaid", "Finance", "nobody yet"):
        assert words in row
    assert re.search(r"due in \d+ working hours?", row)
    assert "At risk, unsettled: 5.00 EUR" in text(page)
    for key in "axrne":
        assert f'data-press="{key}"' in page
    plain = desk.browser(who.ann).page("/exceptions")
    for key in "axrn":
        assert f'data-press="{key}"' not in plain, "an auditor only reads"
    assert ids_of(plain, "case") == [case_id]


def test_tabs_count_what_they_lead_to(desk: Desk, who: Personas, till: Till) -> None:
    cases = [paid(till, who, 3000 + number) for number in range(3)]
    with transaction() as session:
        session.get_one(ExceptionCase, cases[0]).sla_due_at = clock.after(-3600)
    fin = desk.browser(who.fin, fresh=True)
    fin.post(f"/exceptions/{cases[1]}/assign", user=who.fin.id)
    fin.post(f"/exceptions/{cases[2]}/assign", user=who.sue.id)
    settle(fin, cases[2], "accept")
    page = fin.page("/exceptions")
    counted = dict(re.findall(r'class="tab"[^>]*>([^<]+?) <span class="tab-count">([^<]+)<', page))
    found = {"To be settled": "", "Mine": "mine", "Nobody’s": "open", "Overdue": "overdue"}
    assert {name: counted[name] for name in found} == {
        "To be settled": "2",
        "Mine": "1",
        "Nobody’s": "1",
        "Overdue": "1",
    }
    for name, state in found.items():
        shown = ids_of(fin.page(f"/exceptions?state={state}"), "case")
        assert str(len(shown)) == counted[name], name
    assert "overdue" in rows(fin.page("/exceptions?state=overdue"))[0]
    assert ids_of(fin.page("/exceptions?state=resolved"), "case") == [cases[2]]
    assert "No case waits for a second person." in fin.page("/exceptions?state=waiting")
    narrowed = fin.page("/exceptions?kind=UNDERPAID")
    assert ">0</span>" in narrowed, "counts follow the filters"
    assert ids_of(fin.page("/exceptions?risk=yes"), "case") == [cases[1], cases[0]]


def test_a_case_is_taken_with_one_press_with_htmx_and_without(
    desk: Desk, who: Personas, till: Till
) -> None:
    first, second = paid(till, who, 3000), paid(till, who, 3100)
    fin = desk.browser(who.fin)
    sent = {"user": who.fin.id, "back": "/exceptions?kind=OVERPAID"}
    part = fin.post(f"/exceptions/{first}/assign", sent, htmx=True)
    assert part.status_code == 200 and "<html" not in part.text
    assert 'id="case-rows"' in part.text and "You" in rows(part.text)[1]
    plain = fin.post(f"/exceptions/{second}/assign", sent)
    assert (plain.status_code, plain.location) == (303, "/exceptions?kind=OVERPAID")
    assert {case(each).owner_id for each in (first, second)} == {who.fin.id}
    evil = fin.post(f"/exceptions/{first}/assign", {"user": "", "back": "//evil.test"})
    assert evil.location == f"/exceptions/{first}"
    assert case(first).owner_id is None


def test_giving_a_case_asks_to_whom_and_refuses_strangers(
    desk: Desk, who: Personas, till: Till
) -> None:
    case_id = paid(till, who, 3000)
    fin, auditor, sue = desk.browser(who.fin), who.ann, who.sue
    form = fin.page(f"/exceptions/{case_id}/assign")
    assert sue.id in form and auditor.id not in form and who.bo.id not in form
    refused = fin.post(f"/exceptions/{case_id}/assign", user=who.bo.id)
    assert refused.status_code == 422
    assert "no active member of the staff" in text(refused.text)
    assert fin.post(f"/exceptions/{case_id}/assign", user=sue.id).status_code == 303
    assert "Given to Sue" in text(fin.page(f"/exceptions/{case_id}"))


def test_notes_are_added_in_place_and_kept_when_wrong(
    desk: Desk, who: Personas, till: Till
) -> None:
    case_id = paid(till, who, 3000)
    sue = desk.browser(who.sue)
    path = f"/exceptions/{case_id}/notes"
    part = sue.post(path, {"note": "<b>called</b> the buyer"}, htmx=True)
    assert part.status_code == 200 and "&lt;b&gt;called&lt;/b&gt; the buyer" in part.text
    for wrong in ("", "4242 4242 4242 4242", "x" * 2001):
        for htmx in (True, False):
            answer = sue.post(path, {"note": wrong}, htmx=htmx)
            assert answer.status_code == 422
            assert ("<html" in answer.text) is not htmx
            assert wrong in answer.text
    assert sue.post(path, {"note": "again"}).location == f"/exceptions/{case_id}#notes"
    with reading() as session:
        assert len(list(session.scalars(select(CaseNote)))) == 2
    own = desk.browser(who.mel).page(f"/exceptions/{case_id}")
    assert "called" not in own and "How it can be settled" not in own and "Notes" not in text(own)


def test_a_merchant_reads_what_a_case_is_and_nothing_of_what_the_staff_make_of_it(
    desk: Desk, who: Personas, till: Till
) -> None:
    case_id = paid(till, who, 2400)
    sue, mel = desk.browser(who.sue), desk.browser(who.mel)
    sue.post(f"/exceptions/{case_id}/assign", {"user": who.sue.id})
    payment_id = str(case(case_id).payment_id)
    places = (
        f"/exceptions/{case_id}",
        "/exceptions?state=all",
        "/",
        "/search?q=underpaid",
        f"/payments/{payment_id}",
    )
    for path in places:
        staff, own = text(sue.page(path)), text(mel.page(path))
        assert "a difference of 1.00" in staff, path
        assert "Underpaid. Somebody looks at it." in own, path
        for words in ("a difference of", "At risk", " 1.00 EUR", "Finance", "working hour"):
            assert words not in own, (path, words)
    for narrowed in ("team=finance", "overdue=yes", "state=overdue", "risk=yes"):
        assert ids_of(mel.page(f"/exceptions?{narrowed}"), "case") == [case_id]
    assert [name for name in ("Team", "Overdue") if name in text(mel.page("/exceptions"))] == []


def test_every_verb_of_the_kind_is_offered_or_says_why_not(
    desk: Desk, who: Personas, till: Till
) -> None:
    case_id = paid(till, who, 2400)
    offered = text(desk.browser(who.fin).page(f"/exceptions/{case_id}"))
    assert "Top up Ask the payer for what is missing: 1.00 EUR." in offered
    support = desk.browser(who.sue)
    page = support.page(f"/exceptions/{case_id}")
    assert page.count('aria-disabled="true"') == 4
    assert "Your role does not settle cases this way." in text(page)
    till.intent(who.mel, str(case(case_id).order_id))
    busy = text(desk.browser(who.fin).page(f"/exceptions/{case_id}/resolve"))
    assert "Top up The order has an open payment already" in busy
    away = desk.browser(who.fin).get(f"/exceptions/{case_id}/resolve?verb=top_up")
    assert away.location == f"/exceptions/{case_id}/resolve"


def test_the_form_shows_what_will_be_posted_and_the_post_does_that(
    desk: Desk, who: Personas, till: Till
) -> None:
    case_id = paid(till, who, 3000)
    fin = desk.browser(who.fin)
    page = fin.page(f"/exceptions/{case_id}/resolve?verb=credit&back=/exceptions?state=mine")
    said = text(page)
    for words in ("What will happen", "Posted at once", ":escrow_hold 5.00 EUR", ":funds 5.00 EUR"):
        assert words in said, words
    sent = form_of(page)
    assert sent["shown"] == "5.00"
    no_reason = fin.post(f"/exceptions/{case_id}/resolve", sent | {"reason": ""})
    assert no_reason.status_code == 422 and "Say why" in text(no_reason.text)
    assert entries("case_credit") == 0
    for _ in range(2):
        done = fin.post(f"/exceptions/{case_id}/resolve", sent | {"reason": "Buyer wants it so"})
        assert (done.status_code, done.location) == (303, "/exceptions?state=mine")
    assert entries("case_credit") == 1
    assert "Settled: credit" in text(fin.page("/exceptions"))
    settled = text(fin.page(f"/exceptions/{case_id}"))
    for words in ("How it was settled", "Settled by Fin", "Journal entry", "Buyer wants it so"):
        assert words in settled, words
    again = fin.get(f"/exceptions/{case_id}/resolve")
    assert again.location == f"/exceptions/{case_id}"


def test_a_form_that_has_gone_stale_moves_nothing(desk: Desk, who: Personas, till: Till) -> None:
    case_id = paid(till, who, 3000)
    fin = desk.browser(who.fin)
    sent = form_of(fin.page(f"/exceptions/{case_id}/resolve?verb=credit"))
    wrong = fin.post(
        f"/exceptions/{case_id}/resolve", sent | {"shown": "4.00", "reason": "because"}
    )
    assert wrong.status_code == 422 and "This would move 5.00 EUR" in text(wrong.text)
    nonsense = fin.post(
        f"/exceptions/{case_id}/resolve", sent | {"shown": "x", "reason": "because"}
    )
    assert nonsense.status_code == 422
    settle(desk.browser(who.flo), case_id, "accept")
    late = fin.post(f"/exceptions/{case_id}/resolve", sent | {"reason": "because"})
    assert late.status_code == 303
    assert "resolved already" in text(fin.page(f"/exceptions/{case_id}"))
    assert entries("case_credit") == 0


def test_money_out_asks_for_a_fresh_proof_first_and_a_second_person_then(
    desk: Desk, who: Personas, till: Till
) -> None:
    case_id = paid(till, who, 2400)
    path = f"/exceptions/{case_id}/resolve"
    stale = desk.browser(who.fin)
    led = stale.get(f"{path}?verb=write_off")
    assert led.location.startswith("/account/step-up?next=%2Fexceptions%2F")
    fin = desk.browser(who.fin, fresh=True)
    sent = form_of(fin.page(f"{path}?verb=write_off")) | {"reason": "Not worth a letter"}
    with transaction() as session:
        session.get_one(DeskSession, fin.session_id).stepped_up_at = clock.after(-3600)
    assert fin.post(path, sent).location.startswith("/account/step-up")
    assert case(case_id).approval_id is None
    with transaction() as session:
        session.get_one(DeskSession, fin.session_id).stepped_up_at = clock.now()
    assert fin.post(path, sent).status_code == 303
    page = text(fin.page(f"/exceptions/{case_id}"))
    assert "Asked for; a second person must agree" in page
    assert "waits for a second person" in page
    with reading() as session:
        assert session.scalars(select(Approval)).one().state == "pending"
    assert entries("write_off") == 0
    assert ids_of(fin.page("/exceptions?state=waiting"), "case") == [case_id]


@pytest.mark.parametrize("role", list(Role))
def test_each_page_is_for_its_roles(desk: Desk, who: Personas, till: Till, role: Role) -> None:
    case_id = paid(till, who, 3000)
    browser = desk.browser(who.by_role(role), fresh=True)
    staff = role in (Role.SUPPORT, Role.FINANCE, Role.ADMIN, Role.ENGINEER, Role.AUDITOR)
    acting = staff and role != Role.AUDITOR
    money = role in (Role.FINANCE, Role.ADMIN)
    settles = money or role == Role.SUPPORT
    reads = staff or role == Role.MERCHANT
    for path, may in (
        ("/exceptions", reads),
        (f"/exceptions/{case_id}", reads),
        (f"/exceptions/{case_id}/assign", acting),
        (f"/exceptions/{case_id}/resolve", settles),
        (f"/exceptions/bulk?case={case_id}", money),
        ("/exceptions/targets", staff),
        ("/exceptions/targets/UNDERPAID", money),
    ):
        status = browser.get(path).status_code
        if role == Role.MERCHANT and path == "/exceptions/targets":
            assert status == 404
        else:
            assert status == (200 if may else 403), (role, path)
    if reads:
        offered = f'href="/exceptions/{case_id}/resolve"' in browser.page(f"/exceptions/{case_id}")
        assert offered is settles
    before = case(case_id)
    for path, sent, may in (
        (f"/exceptions/{case_id}/assign", {"user": who.fin.id}, acting),
        (f"/exceptions/{case_id}/notes", {"note": "hello"}, acting),
        ("/exceptions/targets/UNDERPAID", {"team": "x", "hours": "1", "clock": "x"}, money),
    ):
        status = browser.post(path, dict(sent)).status_code
        assert (status == 403) is not may, (role, path, status)
    sent = {"verb": "accept", "reason": "because", "once": "try-1"}
    status = browser.post(f"/exceptions/{case_id}/resolve", sent).status_code
    assert status == (303 if money else 403)
    assert (case(case_id).state == "resolved") is money
    assert before.state == "open"


def test_hostile_words_and_names_change_nothing(desk: Desk, who: Personas, till: Till) -> None:
    case_id = paid(till, who, 3000)
    change(who.sue.id, name="<script>alert(1)</script>")
    fin = desk.browser(who.fin)
    fin.post(f"/exceptions/{case_id}/assign", user=who.sue.id)
    for path in ("/exceptions", f"/exceptions/{case_id}", f"/exceptions/{case_id}/assign"):
        assert "<script>alert" not in fin.page(path)
    for query in ("state=%00", "kind='%3B--", "q=%ED%A0%80", "cursor=zzz", "verb=%F0"):
        assert fin.get(f"/exceptions?{query}").status_code in (200, 400), query
    for verb in ("%00", "../x", "link%00"):
        asked = fin.get(f"/exceptions/{case_id}/resolve?verb={verb}")
        assert asked.status_code in (200, 303), verb
    sent = {"verb": "accept", "reason": "because", "back": "javascript:alert(1)"}
    assert fin.post(f"/exceptions/{case_id}/resolve", sent).location == f"/exceptions/{case_id}"


def test_parts_are_parts_and_pages_are_pages(desk: Desk, who: Personas, till: Till) -> None:
    case_id = paid(till, who, 3000)
    fin = desk.browser(who.fin)
    part = fin.part(f"/exceptions/{case_id}/body")
    assert f"sse:exception-{case_id}" in part and 'id="case-body"' in part
    assert fin.get(f"/exceptions/{case_id}/body").location == f"/exceptions/{case_id}"
    assert desk.browser(who.eve).get(f"/exceptions/{case_id}/body").status_code == 404
    assert desk.anonymous().get(f"/exceptions/{case_id}").status_code in (302, 303, 401)
    bare = fin.post(f"/exceptions/{case_id}/assign", {"user": ""}, csrf=False)
    assert bare.status_code == 403
