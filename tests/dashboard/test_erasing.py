"""Erasing and retention on the desk: what will happen is said first, only a proved admin does it, people may ask."""

from __future__ import annotations

import re

from domain import database
from domain.jobs import exporting
from domain.people import legal_holds
from models.people import User
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Desk, text

WHY = "Asked for by letter"
HOSTILE = "<script>alert(1)</script>"


def user(user_id: str) -> User:
    with database.reading() as session:
        return session.get_one(User, user_id)


def test_an_admin_erases_after_reading_what_goes_and_what_stays(desk: Desk, who: Personas) -> None:
    bo = desk.browser(who.bo)
    here = f"/users/{who.bo.id}/erase"
    stale, ada = desk.browser(who.ada), desk.browser(who.ada, fresh=True)
    assert "step-up" in (stale.get(here).location or "")
    page = text(ada.page(here))
    assert "Name and e-mail address" in page and "Entries of the audit log" in page
    empty = ada.post(here, reason="")
    assert empty.status_code == 422 and "Say why in a few words." in empty.text
    assert user(who.bo.id).erased_at is None
    done = ada.post(here, reason=WHY)
    assert done.location == f"/users/{who.bo.id}"
    page = text(ada.page(f"/users/{who.bo.id}"))
    assert "Erased person" in page and who.bo.email not in page
    assert who.bo.email not in ada.page("/users")
    # Whoever was signed in is out.
    assert "/login" in (bo.get("/").location or "")
    again = ada.post(here, reason=WHY)
    assert again.status_code == 422 and "erased already" in again.text


def test_what_is_open_is_said_before_anything_is_pressed(desk: Desk, who: Personas) -> None:
    Till.open(desk.app).order(who.bo)
    ada = desk.browser(who.ada, fresh=True)
    assert "not paid; void or collect first" in text(ada.page(f"/users/{who.bo.id}"))
    assert "Something has to end first" in ada.page(f"/users/{who.bo.id}/erase")
    refused = ada.post(f"/users/{who.bo.id}/erase", reason=WHY)
    assert refused.status_code == 422 and user(who.bo.id).erased_at is None


def test_nobody_else_erases_holds_or_lifts(desk: Desk, who: Personas) -> None:
    for person in (who.fin, who.sue, who.ann, who.ed, who.bo):
        browser = desk.browser(person, fresh=True)
        assert browser.get(f"/users/{who.eve.id}/erase").status_code == 403
        assert browser.post(f"/users/{who.eve.id}/erase", reason=WHY).status_code == 403
        assert browser.post("/retention/hold", reason=WHY).status_code == 403
    assert desk.browser(who.fin).get("/retention").status_code == 403
    auditor = desk.browser(who.ann).page("/retention")
    assert "Your role reads only." in auditor
    own = desk.browser(who.ada, fresh=True).post(f"/users/{who.ada.id}/erase", reason=WHY)
    assert own.status_code in (403, 422) and user(who.ada.id).erased_at is None


def test_people_ask_and_take_back(desk: Desk, who: Personas) -> None:
    bo, ada = desk.browser(who.bo), desk.browser(who.ada)
    assert "Ask to be erased" in bo.page("/account")
    assert "An admin looks at it within a month" in bo.page("/account/erasure")
    assert bo.post("/account/erasure").location == "/account"
    assert "You asked to be erased" in bo.page("/account")
    assert "answer by" in text(ada.page("/retention"))
    assert "Asked to be erased" in text(ada.page(f"/users/{who.bo.id}"))
    assert bo.post("/account/erasure/withdraw").location == "/account"
    assert "Nobody now." in ada.page("/retention")


def test_a_hold_is_placed_shown_and_lifted(desk: Desk, who: Personas) -> None:
    ada = desk.browser(who.ada, fresh=True)
    assert "usr_… or pay_…" in ada.page("/retention/hold")
    wrong = ada.post("/retention/hold", kind="user", object="usr_nobody", reason=WHY)
    assert wrong.status_code == 422 and "There is none with this id." in wrong.text
    placed = ada.post("/retention/hold", kind="user", object=who.bo.id, reason=HOSTILE)
    assert placed.location == "/retention"
    page = ada.page("/retention")
    assert HOSTILE not in page and "&lt;script&gt;" in page and who.bo.id in page
    twice = ada.post("/retention/hold", kind="user", object=who.bo.id, reason=WHY)
    assert twice.status_code == 422 and "stands on this already" in twice.text
    assert "A legal hold stands" in ada.page(f"/users/{who.bo.id}/erase")
    with database.reading() as session:
        (hold,) = legal_holds.list_open(session)
    assert HOSTILE not in ada.page(f"/retention/holds/{hold.id}/lift")
    assert ada.post(f"/retention/holds/{hold.id}/lift", reason=WHY).location == "/retention"
    assert "None stands." in ada.page("/retention")
    assert ada.get(f"/retention/holds/{hold.id}/lift").status_code == 404


def test_retention_says_how_long_and_counts(desk: Desk, who: Personas) -> None:
    page = text(desk.browser(who.ada).page("/retention"))
    for said in ("90 days", "10 years from the end of the year", "INVOICE_RETENTION_YEARS"):
        assert said in page


def test_a_person_fetches_a_copy_of_their_data_and_an_admin_makes_one(
    desk: Desk, who: Personas
) -> None:
    stale, bo = desk.browser(who.bo), desk.browser(who.bo, fresh=True)
    assert "step-up" in (stale.get("/account/data-export").location or "")
    assert "step-up" in (stale.post("/account/data-export").location or "")
    assert bo.post("/account/data-export").location == "/account"
    assert "is being made" in bo.page("/account")
    assert bo.post("/account/data-export").location == "/account"
    assert "waits to be fetched" in bo.page("/account")
    assert exporting.make_next() and not exporting.make_next()
    found = re.search(r"/account/data-export/(dex_\w+)\.zip", bo.page("/account"))
    assert found, "the account page leads to no copy"
    copy = bo.get(found[0])
    assert copy.content_type == "application/zip" and copy.data.startswith(b"PK")
    assert copy.headers["Cache-Control"] == "no-store"
    eve, ada = desk.browser(who.eve, fresh=True), desk.browser(who.ada, fresh=True)
    assert eve.get(found[0]).status_code == 404
    page = ada.page(f"/users/{who.bo.id}/data-export")
    there = f"/users/{who.bo.id}/data-export/{found[1]}.zip"
    assert there in page and ada.get(there).data.startswith(b"PK")
    assert ada.get(f"/users/{who.eve.id}/data-export/{found[1]}.zip").status_code == 404
    assert ada.post(f"/users/{who.eve.id}/data-export", reason="").status_code == 422
    assert ada.post(f"/users/{who.eve.id}/data-export", reason=WHY).status_code == 303
    for person in (who.ann, who.fin):
        assert desk.browser(person, fresh=True).get(there).status_code == 403
