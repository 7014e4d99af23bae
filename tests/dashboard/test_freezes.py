"""Freezes on the desk: who freezes, what is shown before, who asks for a lift, and that typed words stay."""

from __future__ import annotations

import re

import markupsafe
import pytest
from sqlalchemy import select

from core import clock
from core.money import Money, asset
from core.money_out import Act
from core.states import Freeze as State
from core.states import Role
from domain.actors import system
from domain.control import approvals, freezes, held
from domain.control.freezes import Wanted
from domain.control.warrants import Content
from domain.database import reading, transaction
from domain.transitions import Why
from models.audit import AuditRow
from models.control import Approval, Freeze
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, ids_of, text

FORM = {"hold": "all", "target": "", "until": "", "reason": "two releases of one order"}


def engage(scope: str = "all", scope_id: str = "", reason: str = "look first") -> str:
    with transaction() as session:
        why = Why(system("operator"), "operator", reason)
        return freezes.engage(session, Wanted(scope, scope_id, reason), why=why)[0].id


def only_freeze() -> Freeze:
    with reading() as session:
        return session.scalars(select(Freeze)).one()


def agree_to_lift(approval_id: str, browser: Browser) -> None:
    with reading() as session:
        shown = approvals.get(session, approval_id).content_hash
    answer = browser.post(f"/approvals/{approval_id}/approve", content_hash=shown, reason="fine")
    assert answer.status_code == 303, text(answer.text)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_and_does_what_the_table_says(desk: Desk, who: Personas, role: Role) -> None:
    freeze_id, browser = engage(), desk.browser(who.by_role(role))
    staff = role not in (Role.BUYER, Role.SELLER, Role.MERCHANT)
    engages = role in (Role.FINANCE, Role.ADMIN, Role.ENGINEER)
    lifts = role in (Role.FINANCE, Role.ADMIN)
    for path, may in (
        ("/freezes", staff),
        (f"/freezes/{freeze_id}", staff),
        ("/freezes/new", engages),
        ("/freezes/settlement", engages),
        ("/freezes/notice", role in (Role.ADMIN, Role.ENGINEER)),
    ):
        assert browser.get(path).status_code == (200 if may else 403), path
    # Who may is led to prove themselves first.
    answer = browser.get(f"/freezes/{freeze_id}/lift")
    assert answer.status_code == (303 if lifts else 403)
    assert ('href="/freezes"' in browser.page("/")) == staff
    if staff:
        page = text(browser.page("/freezes"))
        assert ("Finance, admins and engineers freeze money out." in page) == (not engages)
        page = text(browser.page(f"/freezes/{freeze_id}"))
        assert ("Finance and admins lift a freeze." in page) == (not lifts)
    assert browser.post("/freezes", FORM).status_code == (303 if engages else 403)


def test_a_freeze_is_made_by_one_press_and_found_by_the_next(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ed)
    answer = browser.post("/freezes", FORM | {"until": "2h"})
    row = only_freeze()
    assert (answer.status_code, answer.location) == (303, f"/freezes/{row.id}")
    assert row.until is not None
    assert 7190 < (row.until - clock.now()).total_seconds() <= 7200
    page = text(browser.page(f"/freezes/{row.id}"))
    for said in ("Frozen: Everything", "two releases of one order", "Ends by itself", "Ed"):
        assert said in page, said
    assert "Held already: Everything" in text(browser.page(browser.post("/freezes", FORM).location))
    assert only_freeze().until is None
    assert "until it is lifted" in text(browser.page("/freezes"))


def test_what_would_be_held_is_shown_before(desk: Desk, who: Personas, till: Till) -> None:
    payment = till.payment(who.mels_key)
    browser = desk.browser(who.fin)
    page = browser.page("/freezes/new")
    assert "Refunds 0" in text(page)
    assert only_posts_to(page, "/freezes")
    part = browser.part(f"/freezes/preview?hold=order&target={payment['orderId']}")
    assert "No money waits to go out." in text(part)
    assert 'id="forecast"' in page
    assert "Name the merchant to hold." in text(browser.part("/freezes/preview?hold=merchant"))
    assert "no such order" in text(browser.part("/freezes/preview?hold=order&target=ord_x"))
    engage()
    assert "Held already" in text(browser.part("/freezes/preview?hold=all"))
    # Without scripts the form shows it itself and keeps what was typed.
    answer = browser.post("/freezes", FORM | {"hold": "rail:card", "preview": "yes"})
    assert answer.status_code == 200
    assert "two releases of one order" in answer.text
    assert 'value="rail:card" selected' in answer.text
    assert only_freeze().scope == "all"


def only_posts_to(page: str, path: str) -> bool:
    forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', page)
    return path in forms and set(forms) <= {path, "/account/theme", "/logout"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": ""}, "Say why in a few words."),
        ({"reason": "4242 4242 4242 4242"}, "looks like a card number"),
        ({"reason": "x" * 501}, "at most 500"),
        ({"hold": "merchant"}, "Name the merchant to hold."),
        ({"hold": "merchant", "target": "Nobody's"}, "no such merchant"),
        ({"hold": "order", "target": "ord_<script>"}, "no such order"),
        ({"hold": "rail:pigeon"}, "Choose what to hold."),
        ({"hold": "galaxy"}, "Choose what to hold."),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_form_that_cannot_be_done_says_why_and_keeps_what_was_typed(
    desk: Desk, who: Personas, changed: dict[str, str], said: str
) -> None:
    sent = FORM | {"until": "4h"} | changed
    answer = desk.browser(who.fin).post("/freezes", sent)
    assert answer.status_code == 422
    assert said in text(answer.text)
    assert 'value="4h" selected' in answer.text
    assert f'value="{markupsafe.escape(sent["target"])}"' in answer.text
    assert "<script>" not in answer.text.replace("<script src", "").replace("<script nonce", "")
    with reading() as session:
        assert session.scalars(select(Freeze)).all() == []


def test_a_merchant_is_found_by_name_and_an_order_by_link(
    desk: Desk, who: Personas, till: Till
) -> None:
    order = till.order(who.mels_key)["orderId"]
    browser = desk.browser(who.fin)
    browser.post("/freezes", FORM | {"hold": "merchant", "target": "Mel's"})
    row = only_freeze()
    assert (row.scope, row.scope_id) == ("merchant", who.merchant("Mel's"))
    assert "Merchant Mel's" in text(browser.page("/freezes"))
    page = browser.page(f"/freezes/new?hold=order&target={order}")
    assert f'value="{order}"' in page
    assert 'value="order" selected' in page


def test_tabs_tell_what_holds_from_what_held(desk: Desk, who: Personas) -> None:
    browser, first, second = desk.browser(who.ann), engage(), engage("rail", "card")
    with transaction() as session:
        row = freezes.lock(session, first)
        why = Why(system("operator"), "operator")
        freezes.end(session, row, to=State.LIFTED, why=why, lifted_by=["usr_1"])
    assert ids_of(browser.page("/freezes"), "freeze") == [second]
    assert ids_of(browser.page("/freezes?state=lifted"), "freeze") == [first]
    assert ids_of(browser.page("/freezes?state=all"), "freeze") == [second, first]
    assert ids_of(browser.page("/freezes?state=all&scope=rail"), "freeze") == [second]
    assert "No freeze here yet" in browser.page("/freezes?state=expired")
    assert "Nothing matches this filter" in browser.page("/freezes?scope=order")
    part = browser.part("/freezes/rows?state=all")
    assert 'hx-trigger="sse:freezes"' in part
    assert 'hx-swap-oob="true"' in part


def test_nothing_frozen_is_said(desk: Desk, who: Personas) -> None:
    assert "Nothing is frozen" in desk.browser(who.sue).page("/freezes")
    assert desk.browser(who.sue).get("/freezes/frz_nothing").status_code == 404


def test_two_people_lift_it_on_the_desk(desk: Desk, who: Personas) -> None:
    freeze_id = engage()
    path = f"/freezes/{freeze_id}/lift"
    stale = desk.browser(who.fin)
    assert stale.get(path).location.startswith("/account/step-up?next=")
    assert stale.post(path, reason="all is well").location.startswith("/account/step-up?next=")
    fin = desk.browser(who.fin, fresh=True)
    assert "Until they do, everything stays held" in text(fin.page(path))
    short = fin.post(path, reason="")
    assert (short.status_code, "Say why" in short.text) == (422, True)
    answer = fin.post(path, reason="all is well")
    assert answer.location == f"/freezes/{freeze_id}"
    page = text(fin.page(answer.location))
    assert "Asked for; a second person must agree" in page
    assert "It was asked for; somebody else must agree." in page
    assert fin.get(path).status_code == 303
    again = fin.post(path, reason="really")
    assert again.status_code == 422
    assert "You have asked for this already" in text(again.text)
    with reading() as session:
        approval = session.scalars(select(Approval)).one()
        assert approval.text == "Lift the freeze on everything"
    agree_to_lift(approval.id, desk.browser(who.flo, fresh=True))
    page = text(fin.page(f"/freezes/{freeze_id}"))
    for said in ("Lifted by", "Fin and Flo", "It holds nothing any more.", "all is well"):
        assert said in page, said
    with reading() as session:
        lifted = select(AuditRow).where(AuditRow.action == "freeze.lift")
        assert session.scalars(lifted).one().source == f"approval:{approval.id}"


def test_what_waits_is_listed_with_the_way_to_it(
    desk: Desk, who: Personas, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = till.payment(who.mels_key)
    wanted = Content(
        Act.REFUND,
        "refund",
        "ref_of_no_row",
        "Refund",
        amount=Money(1_250, asset("EUR")),
        rail="card",
        merchant_id=who.merchant("Mel's"),
        order_id=payment["orderId"],
    )
    with transaction() as session:
        approval = approvals.request(
            session, wanted, actor=system("test"), reason=None, source="test"
        )
    freeze_id = engage("merchant", who.merchant("Mel's"))
    page = desk.browser(who.sue).page(f"/freezes/{freeze_id}")
    assert f'href="/approvals/{approval.id}"' in page
    assert "12.50 EUR" in text(page)
    monkeypatch.setattr(held, "MOST_LISTED", 0)
    other = engage("merchant", who.merchant("Eve's"))
    assert "No money waits to go out." in text(desk.browser(who.sue).page(f"/freezes/{other}"))
