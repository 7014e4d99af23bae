"""The bank desk's pages: importing with a look at how a CSV reads, matching with why, searching, and who may."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import TestResponse

from domain import calendar, database
from models.payments import Payment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import Browser, Desk, rows, text
from tests.domain import banking
from tests.domain.banking import Row, camt, lines, only, sheet
from tests.web.uploads import BORDER, form_of

HERE = "/bank"
OWN = "PD0123456789ABCD"


def send(browser: Browser, body: bytes, *, account: str = "main") -> TestResponse:
    return browser.client.post(
        f"{HERE}/import",
        data=form_of({"account": account, "csrf_token": browser.kept_csrf()}, "statement", body),
        content_type=f"multipart/form-data; boundary={BORDER}",
    )


@pytest.fixture
def payment_id(till: Till, who: Personas) -> str:
    """A payment that arrived, with a reference that travels with a bank transfer."""
    payment = till.payment(who.bo)
    till.settle(payment)
    with database.transaction() as session:
        session.get_one(Payment, payment["paymentId"]).bank_reference = OWN
    return str(payment["paymentId"])


def test_a_statement_is_imported_and_its_line_matched(
    desk: Desk, who: Personas, payment_id: str
) -> None:
    fin = desk.browser(who.fin)
    assert "No statement was imported yet" in fin.page(f"{HERE}/statements")
    assert "No bank lines yet" in fin.page(f"{HERE}/lines")
    answer = send(fin, camt(Row(2_500, OWN, bank="B1")))
    assert answer.status_code == 303
    page = text(fin.page(answer.headers["Location"]))
    assert "Suggested 1" in page and "Balance after 125.00 EUR" in page
    [row] = rows(fin.page(f"{HERE}/statements"))
    assert "main, 22 September 2026" in row and "1 to match" in row
    [row] = rows(fin.page(f"{HERE}/lines?state=suggested"))
    assert "our own bank reference, the same amount" in row and "certain" in row
    line = f"{HERE}/lines/{only().id}"
    assert "Certain" in text(fin.page(line)) and "Jane Doe" in fin.page(line)
    form = text(fin.page(f"{line}/match?kind=payment&target={payment_id}"))
    assert "Nothing is booked" in form and "Why it was suggested" in form
    said = {"kind": "payment", "target": payment_id}
    assert fin.post(f"{line}/match", said, reason="no").status_code == 422
    assert fin.post(f"{line}/match", said, reason="on the statement").status_code == 303
    assert only().payment_id == payment_id
    shown = text(fin.page(line))
    assert "Matched" in shown and "on the statement" in shown
    assert fin.post(f"{line}/match", said, reason="a second time").status_code == 422
    assert fin.post(f"{line}/unmatch", reason="another one").status_code == 303
    assert only().payment_id is None


def test_a_csv_is_looked_at_before_it_is_imported(desk: Desk, who: Personas) -> None:
    fin = desk.browser(who.fin)
    body = sheet(Row(2_500, "=1+1"), Row(-300))
    answer = send(fin, body)
    assert answer.status_code == 303
    draft = answer.headers["Location"]
    page = fin.page(draft)
    assert "The mapping" not in page and "Say first what is missing" in page
    mapping = {
        f"column-{what}": name for what, name in banking.MAPPING.columns.items()
    } | {
        "delimiter": ",",
        "encoding": "utf-8-sig",
        "decimal": ".",
        "dates": "%Y-%m-%d",
        "header": "1",
        "currency": "EUR",
    }  # fmt: skip
    again = fin.post(draft, mapping, act="preview")
    assert again.status_code == 200
    assert [re.sub(r"\s+", " ", row) for row in rows(again.text)] == [
        "2026-09-22 =1+1 line 2 · Jane Doe 25.00 EUR",
        "2026-09-22 Invoice 7 line 3 · Jane Doe −3.00 EUR",
    ]
    wrong = fin.post(draft, mapping | {"dates": "%d.%m.%Y"}, act="import")
    assert (wrong.status_code, "no day such as 21.11.2026" in wrong.text) == (422, True)
    assert lines() == []
    done = fin.post(draft, mapping, act="import")
    assert done.status_code == 303
    assert [row.amount_minor for row in lines()] == [-300, 2_500]
    assert fin.get(draft).status_code == 404
    # The next file of the account reads as this one did.
    more = send(fin, sheet(Row(100)))
    assert "1.00 EUR" in text(fin.page(more.headers["Location"]))


def test_somebody_elses_file_is_not_there(desk: Desk, who: Personas) -> None:
    draft = send(desk.browser(who.fin), sheet(Row())).headers["Location"]
    ada = desk.browser(who.ada)
    assert ada.get(draft).status_code == 404
    assert ada.post(draft, act="import").status_code == 404


def test_a_file_that_cannot_be_taken_is_refused_beside_the_form(desk: Desk, who: Personas) -> None:
    fin = desk.browser(who.fin)
    first = send(fin, camt(Row(bank="B1")))
    assert first.status_code == 303
    for body, account, words in (
        (camt(Row(bank="B1")), "main", "imported already"),
        (camt(Row(), closing=1), "main", "lines are missing or wrong"),
        (b"<!DOCTYPE x []><x/>", "main", "DOCTYPE"),
        (b"", "main", "the file is empty"),
        (camt(Row()), "a b", "letters, digits, dots and dashes"),
    ):
        answer = send(fin, body, account=account)
        assert (answer.status_code, words in text(answer.text)) == (422, True), words
    assert first.headers["Location"] in send(fin, camt(Row(bank="B1"))).text
    nothing = fin.post(f"{HERE}/import", account="main")
    assert (nothing.status_code, "Choose one file first" in nothing.text) == (422, True)


def test_all_that_is_certain_is_matched_together_after_a_look(
    desk: Desk, who: Personas, payment_id: str
) -> None:
    fin = desk.browser(who.fin)
    assert "No line is certain now" in fin.page(f"{HERE}/lines/certain")
    send(fin, camt(Row(2_500, OWN, bank="B1"), Row(10, "Stranger", bank="B2")))
    page = fin.page(f"{HERE}/lines/certain")
    [row] = rows(page)
    assert OWN in row and "Stranger" not in text(page)
    [token] = re.findall(r'name="line" value="([^"]+)"', page)
    assert fin.post(f"{HERE}/lines/certain", line=token).status_code == 422
    assert (
        fin.post(f"{HERE}/lines/certain", line="bln_x payment pay_x", reason="all").status_code
        == 303
    )
    assert [row.state for row in lines()] == ["unmatched", "suggested"]
    assert fin.post(f"{HERE}/lines/certain", line=token, reason="all of them").status_code == 303
    assert "1 line matched" in text(fin.page(f"{HERE}/lines"))
    assert [row.payment_id for row in lines()] == [None, payment_id]


def test_a_payment_is_looked_for_and_the_window_explained(
    desk: Desk, who: Personas, payment_id: str
) -> None:
    send(desk.browser(who.fin), camt(Row(2_500, OWN, bank="B1", on=calendar.today())))
    sue = desk.browser(who.sue)
    assert "Payment not found?" in sue.page(HERE)
    page = sue.page(f"{HERE}?reference=pd+0123+4567+89ab+cd")
    ours, line = rows(page)
    assert "the same reference, written another way" in ours.lower()
    assert "Bank statement" in line
    assert f'href="/payments/{payment_id}"' in page
    none = text(sue.page(f"{HERE}?reference=PDZZZZZZZ"))
    assert "Nothing was found" in none and "so it was looked further" in none
    assert "Looked 90 days around today" in none
    wrong = text(sue.page(f"{HERE}?reference=ab&amount=much"))
    assert "Write an amount such as 125.00" in wrong
    assert "Give at least 4 letters" in text(sue.page(f"{HERE}?reference=ab"))


def test_each_role_sees_its_part(desk: Desk, who: Personas) -> None:
    fin = desk.browser(who.fin)
    send(fin, camt(Row(bank="B1")))
    line_id = only().id
    sue, ed, ann = (desk.browser(person) for person in (who.sue, who.ed, who.ann))
    assert "Bank desk" in sue.page("/")
    shown = sue.page(f"{HERE}/lines/{line_id}")
    assert "Jane" not in shown and "J…" in shown
    assert "Finance and admins import and match." in text(shown)
    assert sue.get(f"{HERE}/statements").status_code == 403
    assert ed.get(f"{HERE}/lines").status_code == 403
    assert "Payment not found?" in ed.page(HERE)
    assert "Jane Doe" in ann.page(f"{HERE}/lines/{line_id}")
    for browser in (sue, ann, ed):
        assert browser.get(f"{HERE}/import").status_code == 403
        assert browser.post(f"{HERE}/lines/{line_id}/match", reason="mine").status_code == 403
        assert browser.post(f"{HERE}/lines/certain", reason="mine").status_code == 403
    assert fin.get(f"{HERE}/lines/bln_none").status_code == 404
    assert fin.get(f"{HERE}/statements/bst_none").status_code == 404
    assert desk.anonymous().get(HERE).status_code == 303


def test_parts_of_pages_are_fetched_by_themselves(desk: Desk, who: Personas) -> None:
    fin = desk.browser(who.fin)
    send(fin, camt(Row(bank="B1")))
    assert "Invoice 7" in fin.part(f"{HERE}/lines/rows?state=unmatched")
    assert "22 September 2026" in fin.part(f"{HERE}/statements/rows")
    assert "Jane Doe" in fin.part(f"{HERE}/lines/{only().id}/body")
    assert fin.get(f"{HERE}/lines/rows?q=x").headers["Location"] == f"{HERE}/lines?q=x"
    assert "No line matches" in fin.page(f"{HERE}/lines?q=nothing-like-it")
    assert "format=csv" in fin.page(f"{HERE}/lines")
    assert fin.get(f"/search?q={only().id}").headers["Location"] == f"{HERE}/lines/{only().id}"


def test_the_sample_belongs_to_the_sandbox(desk: Desk, who: Personas) -> None:
    fin = desk.browser(who.fin)
    assert fin.get(f"{HERE}/sample.xml").status_code == 404
    assert "sample" not in text(fin.page(HERE))
