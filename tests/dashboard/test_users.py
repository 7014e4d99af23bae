"""People on the desk: seen by admins and auditors, changed by admins who have just proved themselves."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from core.permissions import Permission
from core.states import Role
from dashboard import people_words
from domain import database
from domain.people import people
from models.control import Approval
from models.people import User
from models.proofs import AccountLink
from tests.api import personas
from tests.api.personas import Personas
from tests.dashboard.desk import Desk, ids_of, rows, text

WHY = "The team changed"
HOSTILE = "<script>alert(1)</script>"


def user(user_id: str) -> User:
    with database.reading() as session:
        return session.get_one(User, user_id)


def approvals() -> list[Approval]:
    with database.reading() as session:
        return list(session.scalars(select(Approval)))


def shown_link(page: str) -> str:
    found = re.search(r"(/account/set-password/[\w-]+)<", page)
    assert found, text(page)
    return found[1]


def test_the_list_says_who_is_who(desk: Desk, who: Personas) -> None:
    personas.give_password(who.fin.id)
    personas.change(who.ed.id, state="disabled")
    assert who.mel.merchant_id
    page = desk.browser(who.ada).page("/users")
    found = {row.split(" ")[1]: row for row in rows(page)}
    assert found["Fin"].startswith("Active Fin fin@people.test Finance None Not asked of staff")
    assert found["Ed"].startswith("Disabled Ed ed@people.test Engineer")
    assert "Merchant Mel's None Approved" in found["Mel"]
    assert found["Ada"].startswith("Invited Ada")


def test_the_list_is_narrowed_by_its_address(desk: Desk, who: Personas) -> None:
    everybody = {who.ada.id, who.fin.id, who.bo.id, who.mel.id}
    personas.change(who.fin.id, state="disabled")
    browser = desk.browser(who.ada)

    def found(query: str) -> set[str]:
        return set(ids_of(browser.page(f"/users?{query}"), "user"))

    assert found("") == everybody
    assert found("role=staff") == {who.ada.id, who.fin.id}
    assert found("role=buyer") == {who.bo.id}
    assert found("state=disabled") == {who.fin.id}
    assert found("kyc=approved") == everybody
    assert found("kyc=rejected") == set()
    assert found(f"q={who.mel.email}") == {who.mel.id}
    assert found("q=b") == {who.bo.id}
    assert found("factor=yes") == set()
    assert found("factor=no") == everybody
    assert "Nobody matches these filters" in browser.page("/users?q=nobody")
    assert ids_of(browser.part("/users/rows?role=buyer"), "user") == [who.bo.id]
    assert browser.get("/users/rows?role=buyer").location == "/users?role=buyer"


def test_an_auditor_reads_and_presses_nothing(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ann, fresh=True)
    assert "Your role reads only." in browser.page("/users")
    page = browser.page(f"/users/{who.bo.id}")
    assert page.count("Your role reads only.") >= 6
    for name in ("role", "name", "kyc", "link", "second-factor", "disable", "enable"):
        assert browser.get(f"/users/{who.bo.id}/{name}").status_code == 403
        assert browser.post(f"/users/{who.bo.id}/{name}", reason=WHY).status_code == 403
    assert browser.post(f"/users/{who.bo.id}/sessions/end").status_code == 403
    assert browser.get("/users/invite").status_code == 403


def test_a_person_has_a_page(desk: Desk, who: Personas) -> None:
    desk.browser(who.fin)
    said = text(desk.browser(who.ada).page(f"/users/{who.fin.id}"))
    for words in (who.fin.email, "Firefox", "Sign out everywhere", "API token", "Finance"):
        assert words in said, words
    assert desk.browser(who.ada).get("/users/usr_nothing").status_code == 404
    part = desk.browser(who.ada).part(f"/users/{who.fin.id}/body")
    assert f'hx-get="/users/{who.fin.id}/body"' in part


def test_ones_own_account_is_somebody_elses_to_change(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ada, fresh=True)
    assert who.abe.id
    assert "another admin does it" in browser.page(f"/users/{who.ada.id}")
    answer = browser.post(f"/users/{who.ada.id}/role", role="finance", reason=WHY)
    assert answer.status_code == 422
    assert "an account of your own" in answer.text
    assert user(who.ada.id).role == "admin"


@pytest.mark.parametrize("name", ["role", "name", "kyc", "link", "second-factor", "disable"])
def test_an_admin_proves_themselves_first(desk: Desk, who: Personas, name: str) -> None:
    browser = desk.browser(who.ada)
    path = f"/users/{who.bo.id}/{name}"
    assert browser.get(path).location.startswith("/account/step-up?next=")
    sent = {"reason": WHY, "role": "seller", "name": "X", "kyc": "none"}
    assert browser.post(path, sent).location.startswith("/account/step-up?next=")
    changed = user(who.bo.id)
    assert (changed.role, changed.name, changed.kyc, changed.state) == (
        "buyer",
        "Bo",
        "approved",
        "active",
    )


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_role_is_changed_with_a_reason(desk: Desk, who: Personas, htmx: bool) -> None:
    browser = desk.browser(who.ada, fresh=True)
    path = f"/users/{who.bo.id}/role"
    assert "Sees their own sales" in browser.page(path) or "sees their own sales" in browser.page(
        path
    )
    wrong = browser.post(path, role="seller", reason="", htmx=htmx)
    assert wrong.status_code == 422
    assert ("<html" in wrong.text) != htmx
    assert 'value="seller" selected' in wrong.text
    assert browser.post(path, role="owner", reason=WHY, htmx=htmx).status_code == 422
    done = browser.post(path, role="seller", reason=WHY, htmx=htmx)
    assert (done.headers.get("HX-Redirect") or done.location) == f"/users/{who.bo.id}"
    assert user(who.bo.id).role == "seller"
    assert "The role is changed" in browser.page(f"/users/{who.bo.id}")


def test_power_over_money_waits_for_a_second_admin(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ada, fresh=True)
    answer = browser.post(f"/users/{who.sue.id}/role", role="finance", reason=WHY)
    assert answer.location == f"/users/{who.sue.id}"
    page = browser.page(f"/users/{who.sue.id}")
    assert "a second person must agree" in page
    assert "A change waits for a second admin already." in page
    assert approvals()[0].id in browser.page("/users")
    assert user(who.sue.id).role == "support"
    again = browser.post(f"/users/{who.sue.id}/role", role="admin", reason=WHY)
    assert again.status_code == 422


def test_disabling_ends_what_they_are_signed_in_to(desk: Desk, who: Personas) -> None:
    fin, browser = desk.browser(who.fin), desk.browser(who.ada, fresh=True)
    assert "cannot sign in any more" in browser.page(f"/users/{who.fin.id}/disable")
    browser.post(f"/users/{who.fin.id}/disable", reason=WHY)
    assert fin.get("/").status_code == 303
    assert "Disabled" in text(browser.page(f"/users/{who.fin.id}"))
    browser.post(f"/users/{who.fin.id}/enable", reason=WHY)
    assert user(who.fin.id).state == "disabled"
    assert len(approvals()) == 1


def test_the_last_admin_is_shown_as_such(desk: Desk, who: Personas) -> None:
    page = desk.browser(who.ann).page(f"/users/{who.ada.id}")
    assert "This is the last admin." not in page
    browser = desk.browser(who.ada, fresh=True)
    personas.change(who.abe.id, state="disabled")
    assert "another admin does it" in browser.page(f"/users/{who.ada.id}")


def test_sessions_are_ended_one_by_one_and_together(desk: Desk, who: Personas) -> None:
    first, second = desk.browser(who.fin), desk.browser(who.fin)
    browser, stranger = desk.browser(who.ada), desk.browser(who.sue)
    path = f"/users/{who.fin.id}/sessions/end"
    assert browser.post(path, session=str(stranger.session_id)).status_code == 404
    assert stranger.get("/").status_code == 200
    browser.post(path, session=str(first.session_id))
    assert first.get("/").status_code == 303
    assert second.get("/").status_code == 200
    browser.post(path)
    assert second.get("/").status_code == 303


def test_an_invitation_shows_its_link_once_where_nothing_is_mailed(
    desk: Desk, who: Personas
) -> None:
    browser = desk.browser(who.ada, fresh=True)
    sent = {"email": "nina@people.test", "name": HOSTILE, "role": "support"}
    wrong = browser.post("/users/invite", sent)
    assert wrong.status_code == 422
    assert 'value="nina@people.test"' in wrong.text
    assert HOSTILE not in wrong.text
    answer = browser.post("/users/invite", sent | {"reason": WHY})
    assert answer.status_code == 200
    assert HOSTILE not in answer.text
    link = shown_link(answer.text)
    with database.reading() as session:
        made = people.find_user(session, "nina@people.test")
        assert made is not None
    for path in ("/users", f"/users/{made.id}", "/account"):
        page = browser.page(path)
        assert link not in page
        assert HOSTILE not in page
    assert desk.anonymous().get(link).status_code == 200


def test_staff_with_power_over_money_get_no_link_before_two_agreed(
    desk: Desk, who: Personas
) -> None:
    browser = desk.browser(who.ada, fresh=True)
    sent = {"email": "max@people.test", "name": "Max", "role": "finance", "reason": WHY}
    answer = browser.post("/users/invite", sent)
    assert answer.location == "/users"
    page = browser.page("/users")
    assert "max@people.test" in page
    with database.reading() as session:
        assert people.find_user(session, "max@people.test") is None
        assert session.scalars(select(AccountLink)).all() == []


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"email": "no address"}, "This is not an e-mail address."),
        ({"email": "fin@people.test"}, "There is a user with this address."),
        ({"role": "merchant"}, "belongs to a merchant"),
        ({"role": "owner"}, "Choose a role."),
        ({"name": "x" * 121}, "at most 120 characters"),
        ({"email": "ada+2@people.test"}, "an account of your own"),
    ],
)
def test_a_wrong_invitation_keeps_what_was_typed(
    desk: Desk, who: Personas, sent: dict[str, str], said: str
) -> None:
    assert who.fin.id
    browser = desk.browser(who.ada, fresh=True)
    form = {"email": "nina@people.test", "name": "Nina", "role": "buyer", "reason": WHY} | sent
    answer = browser.post("/users/invite", form)
    assert answer.status_code == 422
    assert said in text(answer.text)
    assert f'value="{form["email"]}"' in answer.text
    assert WHY in answer.text


def test_a_reset_link_is_sent_again_and_ends_the_one_before(desk: Desk, who: Personas) -> None:
    personas.give_password(who.bo.id)
    browser = desk.browser(who.ada, fresh=True)
    links = [
        shown_link(browser.post(f"/users/{who.bo.id}/link", reason=WHY).text) for _ in range(2)
    ]
    stranger = desk.anonymous()
    assert [stranger.get(link).status_code for link in links] == [410, 200]
    page = text(browser.page(f"/users/{who.bo.id}"))
    assert "Last letter Reset link, on its way" in page
    assert "User: reset" in page


def test_the_rules_are_shown_as_they_are(desk: Desk, who: Personas) -> None:
    for person in (who.ann, who.bo):
        page = desk.browser(person).page("/users/roles")
        for permission in Permission:
            assert f'title="{permission.value}"' in page
        assert "Change of a role" in page
    assert set(people_words.ROLES) == set(Role)


def test_what_may_be_chosen_reaches_one_by_mail(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.fin)

    def chosen() -> set[str]:
        return set(re.findall(r'name="kind" value="(\w+)" checked', browser.page("/account")))

    assert "approval_needed" in chosen()
    answer = browser.post("/account/notices", kind="freeze_engaged")
    assert answer.location == "/account#notices"
    assert chosen() == {"freeze_engaged"}
    assert 'name="kind"' not in desk.browser(who.bo).page("/account")
    assert desk.browser(who.bo).post("/account/notices", kind="freeze_engaged").status_code == 303
    assert user(who.bo.id).notify in (None, {})


def test_whoever_agrees_to_an_invitation_reads_the_whole_address(desk: Desk, who: Personas) -> None:
    sent = {"email": "max@people.test", "name": "Max", "role": "finance", "reason": WHY}
    desk.browser(who.ada, fresh=True).post("/users/invite", sent)
    path = f"/approvals/{approvals()[0].id}"
    assert "max@people.test" in desk.browser(who.abe).page(path)
    page = desk.browser(who.ed).page(path)
    assert "max@people.test" not in page
    assert "m…@people.test" in page
    assert str(approvals()[0].details["email"]) not in page
