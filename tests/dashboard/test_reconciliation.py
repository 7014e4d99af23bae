"""Comparisons on the desk: begun with a form, followed, read side by side, cancelled, applied as shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core import clock
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, hidden, rows, text
from tests.domain import fake_charges, mirror

HERE = "/reconciliation"


@pytest.fixture
def stocked(till: Till, who: Personas) -> dict[str, Any]:
    """Two payments of which events were missed, one settled, and money that is none of ours."""
    till.settle(till.payment(who.bo))
    missed = [till.payment(who.bo) for _ in range(2)]
    for payment in missed:
        record = till.rail.intents[payment["providerReference"]]
        record |= {"status": "succeeded", "amount_received": record["amount"]}
    money = {"status": "succeeded", "amount_received": 900}
    till.rail.intents["pi_<b>1"] = fake_charges.intent("pi_<b>1", "", 900, **money)
    return missed[0]


def day(days: int = 0) -> str:
    return f"{clock.now() - timedelta(days=days):%Y-%m-%d}"


def begin(browser: Browser, **more: str) -> str:
    sent = {"provider": "stripe", "from": day(1), "to": day(), "reason": ""}
    answer = browser.post(f"{HERE}/start", sent | more)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_a_comparison_is_begun_read_and_what_it_offers_is_applied(
    desk: Desk, till: Till, who: Personas, stocked: dict[str, Any]
) -> None:
    ed = desk.browser(who.ed)
    assert "Nothing was compared yet" in text(ed.page(HERE))
    form = text(ed.page(f"{HERE}/start"))
    assert "nothing is applied" in form
    run = begin(ed)
    assert "Reading payments" in text(ed.page(run))
    mirror.work()
    shown = text(ed.page(run))
    assert "4 Compared" in shown
    assert "1 Equal" in shown
    assert "3 Different" in shown
    assert "Events were missed of 2 payments" in shown
    page = ed.page(run)
    found = rows(page)
    assert any("Status differs Offered" in row and "paid, 25.00 EUR" in row for row in found)
    assert any("Unknown here People decide" in row and "paid, 9.00 EUR" in row for row in found)
    assert "<b>1" not in page
    only = ed.page(f"{run}?kind=recon_missing_here")
    assert len(rows(only)) == 1
    assert "Nothing differs so" in text(ed.page(f"{run}?kind=recon_missing_here&state=gone"))
    asked = ed.page(f"{run}/apply")
    assert "payment from pending to confirmed; books 25.00 EUR (deposit received)" in text(asked)
    wrong = ed.post(f"{run}/apply", number=hidden(asked, "number"), reason="")
    assert (wrong.status_code, "Say why in a few words." in wrong.text) == (422, True)
    stale = ed.post(f"{run}/apply", number="7", reason="webhooks were off")
    assert (stale.status_code, "You were shown 7" in stale.text) == (422, True)
    done = ed.post(f"{run}/apply", number=hidden(asked, "number"), reason="webhooks were off")
    assert done.headers["Location"] == run
    again = ed.post(f"{run}/apply", number=hidden(asked, "number"), reason="webhooks were off")
    assert again.status_code == 303
    mirror.work()
    page = text(ed.page(run))
    assert page.count("Status differs Applied") == 2
    assert "webhooks were off" in page
    assert till.get(f"/api/payments/{stocked['paymentId']}", who.fin).get_json()["status"] == (
        "completed"
    )
    assert ed.get(f"{run}/apply").status_code == 303
    listed = text(ed.page(HERE))
    assert "3 differ" in listed


def test_parts_fetch_themselves_and_whoever_opens_them_gets_the_page(
    desk: Desk, who: Personas, stocked: dict[str, Any]
) -> None:
    del stocked
    fin = desk.browser(who.fin)
    run = begin(fin)
    assert "Comparing" in text(fin.part(f"{HERE}/rows"))
    for path, page in (
        (f"{HERE}/rows", HERE),
        (f"{run}/body", run),
        (f"{run}/differences", run),
    ):
        fin.part(path)
        assert fin.get(path).headers["Location"] == page
    assert f"sse:reconciliation-{run.rsplit('/', 1)[1]}" in fin.page(run)


def test_wrong_days_are_said_beside_their_field_and_what_was_typed_stays(
    desk: Desk, who: Personas, till: Till
) -> None:
    del till
    fin = desk.browser(who.fin)
    good = {"provider": "stripe", "from": day(3), "to": day(), "reason": "audit of March"}
    for changed, said in (
        ({"from": "soon"}, "Choose a day."),
        ({"to": day(-2)}, "Choose a day up to today."),
        ({"to": day(9)}, "It must not end before it begins."),
        ({"from": day(900)}, "Compare at most 400 days at a time."),
        ({"provider": "nobody"}, "Choose a provider."),
        ({"reason": "4242 4242 4242 4242"}, "looks like a card number"),
    ):
        answer = fin.post(f"{HERE}/start", good | changed)
        assert (answer.status_code, said in text(answer.text)) == (422, True), changed
    assert "audit of March" in fin.post(f"{HERE}/start", good | {"from": "soon"}).text
    assert "<html" not in fin.post(f"{HERE}/start", good | {"from": ""}, htmx=True).text


def test_a_second_press_leads_to_the_run_and_a_cancelled_one_says_so(
    desk: Desk, who: Personas, stocked: dict[str, Any]
) -> None:
    del stocked
    ada, fin = desk.browser(who.ada), desk.browser(who.fin)
    run = begin(ada, to=day(1), **{"from": day(3)})
    assert begin(fin, to=day(1), **{"from": day(3)}) == run
    assert "What will happen" in text(fin.page(f"{run}/cancel"))
    assert fin.post(f"{run}/cancel", reason="").status_code == 422
    assert fin.post(f"{run}/cancel", reason="wrong days").headers["Location"] == run
    assert "Cancelled" in text(fin.page(run))
    assert fin.get(f"{run}/cancel").status_code == 303
    late = fin.post(f"{run}/cancel", reason="wrong days")
    assert (late.status_code, "This run is over" in late.text) == (422, True)
    mirror.work()
    assert "Cancelled" in text(fin.page(f"{HERE}?state=cancelled"))


def test_readers_see_all_and_their_buttons_say_why_not(
    desk: Desk, who: Personas, stocked: dict[str, Any]
) -> None:
    del stocked
    run = begin(desk.browser(who.fin))
    mirror.work()
    for person in (who.sue, who.ann):
        reader = desk.browser(person)
        assert "Finance, admins and engineers compare." in text(reader.page(HERE))
        page = reader.page(run)
        assert 'aria-disabled="true"' in page
        assert f'href="{run}/apply"' not in page
        for act in ("start", f"{run.rsplit('/', 1)[1]}/cancel", f"{run.rsplit('/', 1)[1]}/apply"):
            assert reader.get(f"{HERE}/{act}").status_code == 403
            assert reader.post(f"{HERE}/{act}", reason="because").status_code == 403
    assert desk.browser(who.mel).get(HERE).status_code == 403
    assert desk.browser(who.fin).get(f"{HERE}/rec_nobody").status_code == 404


def test_a_case_of_a_difference_shows_what_each_side_says(
    desk: Desk, who: Personas, stocked: dict[str, Any]
) -> None:
    del stocked
    fin = desk.browser(who.fin)
    run = begin(fin)
    mirror.work()
    href = fin.page(run).split('href="/exceptions/')[1].split('"')[0]
    shown = text(fin.page(f"/exceptions/{href}"))
    assert "Unknown here. We say unknown; Stripe says paid, 9.00 EUR." in shown
