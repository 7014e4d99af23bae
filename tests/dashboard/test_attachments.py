"""Files on cases and payments: what is taken, how it is handed out, who gets it, how it goes."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from domain.cases import file_kinds
from domain.database import reading
from models.audit import AuditRow
from models.cases import Attachment
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.desk import HTMX, Browser, Desk, text
from tests.domain import files
from tests.web.uploads import BORDER, form_of

MIB = 1024 * 1024


def send(
    browser: Browser,
    path: str,
    body: bytes,
    name: str,
    *,
    htmx: bool = False,
    csrf: bool = True,
    more: dict[str, str] | None = None,
) -> TestResponse:
    """Send a file by its form; by htmx, with the token in a header and one for the form."""
    fields = {"csrf_token": browser.csrf()} if csrf else {}
    return browser.client.post(
        path,
        data=form_of(fields, name, body),
        headers=(HTMX if htmx else {}) | (more or {}),
        content_type=f"multipart/form-data; boundary={BORDER}",
    )


@pytest.fixture
def payment(who: Personas, till: Till) -> str:
    return str(till.payment(who.mel)["paymentId"])


@pytest.fixture
def case(who: Personas, till: Till, desk: Desk) -> str:
    made = till.payment(who.mel)
    till.deliver(
        till.event("payment_intent.succeeded", made, status="succeeded", amount_received=2400)
    )
    till.work()
    page = desk.browser(who.fin).page("/exceptions")
    found = re.search(r'href="/exceptions/(exc_\w+)"', page)
    assert found
    return found[1]


def kept(object_id: str) -> list[Attachment]:
    with reading() as session:
        statement = select(Attachment).where(Attachment.object_id == object_id)
        return list(session.scalars(statement.order_by(Attachment.at)))


def acts(action: str) -> list[AuditRow]:
    with reading() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.action == action)))


def test_each_kind_is_taken_and_comes_back_the_same(
    desk: Desk, who: Personas, payment: str
) -> None:
    sue = desk.browser(who.sue)
    # The same picture under two names would be kept once.
    for name, media in files.GOOD_NAMES.items() - {("photo.jpeg", "image/jpeg")}:
        body = files.good(name)
        answer = send(sue, f"/payments/{payment}/files", body, name)
        assert answer.location == f"/payments/{payment}#files", text(answer.text)
        row = kept(payment)[-1]
        assert (row.name, row.media, row.size) == (name, media, len(body))
        page = sue.page(f"/payments/{payment}")
        assert name in text(page)
        assert row.sha256 in page
        handed = sue.get(f"/files/{row.id}")
        assert handed.data == body
        assert handed.headers["Content-Type"].partition(";")[0] == media


def test_file_is_handed_out_as_something_to_save(desk: Desk, who: Personas, payment: str) -> None:
    fin = desk.browser(who.fin)
    send(fin, f"/payments/{payment}/files", files.good("beleg.pdf"), "Beleg “März” é.pdf")
    (row,) = kept(payment)
    answer = fin.get(f"/files/{row.id}")
    said = answer.headers
    assert said["Content-Disposition"].startswith("attachment; filename")
    assert said["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert said["X-Content-Type-Options"] == "nosniff"
    assert said["Cache-Control"] == "no-store"
    assert said["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "\n" not in said["Content-Disposition"]
    (told,) = acts("attachment.download")
    assert (told.actor, told.object_id) == (who.fin.id, row.id)


def test_bytes_are_sealed_where_they_lie(desk: Desk, who: Personas, payment: str) -> None:
    send(desk.browser(who.sue), f"/payments/{payment}/files", b"the buyer called\n", "note.txt")
    with reading() as session:
        sealed = session.scalar(select(Attachment.sealed))
    assert sealed is not None
    assert b"the buyer" not in sealed


def test_hostile_files_are_refused_and_nothing_is_kept(
    desk: Desk, who: Personas, payment: str
) -> None:
    sue = desk.browser(who.sue)
    for hostile in files.HOSTILE:
        answer = send(sue, f"/payments/{payment}/files", hostile.body(), hostile.name)
        assert answer.status_code == 422, (hostile.what, text(answer.text)[:300])
        assert "field-error" in answer.text, hostile.what
    part = send(sue, f"/payments/{payment}/files", b"", "empty.txt", htmx=True)
    assert part.status_code == 422
    assert "<html" not in part.text
    assert kept(payment) == []


def test_cleaned_name_is_what_people_read(desk: Desk, who: Personas, payment: str) -> None:
    sue = desk.browser(who.sue)
    sent = "what?<b>'is'.txt"
    assert send(sue, f"/payments/{payment}/files", b"plain\n", sent).status_code == 303
    (row,) = kept(payment)
    assert row.name == "what__b__is_.txt"
    assert row.name in sue.page(f"/payments/{payment}")


def test_size_has_an_end_and_other_routes_keep_theirs(
    desk: Desk, who: Personas, payment: str
) -> None:
    sue = desk.browser(who.sue)
    path = f"/payments/{payment}/files"
    whole = (b"0123456789abcde\n" * (10 * MIB // 16))[: file_kinds.LARGEST_FILE]
    assert send(sue, path, whole, "ten.txt").status_code == 303
    assert [row.size for row in kept(payment)] == [10 * MIB]
    assert send(sue, path, whole + b"x", "more.txt").status_code == 422
    assert send(sue, path, whole + b"x" * 128 * 1024, "much.txt").status_code == 413
    assert len(kept(payment)) == 1
    for other in (f"/payments/{payment}/notes", "/account/theme"):
        assert send(sue, other, b"x" * 300 * 1024, "note.txt").status_code == 413


def test_same_file_is_there_once(desk: Desk, who: Personas, payment: str) -> None:
    sue, fin = desk.browser(who.sue), desk.browser(who.fin)
    for browser, name in ((sue, "a.txt"), (sue, "a.txt"), (fin, "b.txt")):
        assert send(browser, f"/payments/{payment}/files", b"same\n", name).status_code == 303
    (row,) = kept(payment)
    assert row.name == "a.txt"
    assert len(acts("attachment.add")) == 1


def test_removed_file_leaves_its_row_and_may_come_again(
    desk: Desk, who: Personas, payment: str
) -> None:
    sue, fin = desk.browser(who.sue), desk.browser(who.fin)
    send(sue, f"/payments/{payment}/files", b"private\n", "note.txt")
    (row,) = kept(payment)
    asked = sue.page(f"/files/{row.id}/remove")
    assert "Its content is deleted for good" in asked
    assert sue.post(f"/files/{row.id}/remove", reason=" ").status_code == 422
    assert sue.post(f"/files/{row.id}/remove", reason="Wrong payment").status_code == 303
    assert sue.post(f"/files/{row.id}/remove", reason="Wrong payment").status_code == 303
    assert len(acts("attachment.remove")) == 1
    assert fin.get(f"/files/{row.id}").status_code == 404
    with reading() as session:
        left = session.get_one(Attachment, row.id)
        assert session.scalar(select(Attachment.sealed)) is None
    assert (left.removed_by, left.removed_reason) == (who.sue.id, "Wrong payment")
    assert "Wrong payment" in text(fin.page(f"/payments/{payment}"))
    assert send(fin, f"/payments/{payment}/files", b"private\n", "note.txt").status_code == 303
    assert [each.removed_at is None for each in kept(payment)] == [False, True]


def test_who_did_not_attach_it_does_not_remove_it(desk: Desk, who: Personas, payment: str) -> None:
    send(desk.browser(who.fin), f"/payments/{payment}/files", b"mine\n", "note.txt")
    (row,) = kept(payment)
    sue, ada = desk.browser(who.sue), desk.browser(who.ada)
    page = sue.page(f"/payments/{payment}")
    assert "Somebody else put it here" in page
    assert sue.get(f"/files/{row.id}/remove").status_code == 303
    assert sue.post(f"/files/{row.id}/remove", reason="Not nice").status_code == 403
    assert kept(payment)[0].removed_at is None
    assert ada.post(f"/files/{row.id}/remove", reason="Not needed").status_code == 303


def test_files_exist_for_staff_only(desk: Desk, who: Personas, payment: str, case: str) -> None:
    fin = desk.browser(who.fin)
    for path in (f"/payments/{payment}", f"/exceptions/{case}"):
        assert send(fin, f"{path}/files", b"inner\n", "inner.txt").status_code == 303
    found = [*kept(payment), *kept(case)]
    assert len(found) == 2
    for person in (who.mel, who.eve, who.bo, who.sal):
        browser = desk.browser(person)
        for row in found:
            assert browser.get(f"/files/{row.id}").status_code in (403, 404)
            assert browser.get(f"/files/{row.id}/remove").status_code in (403, 404)
            assert browser.post(f"/files/{row.id}/remove", reason="Mine").status_code in (403, 404)
        for path in (f"/payments/{payment}/files", f"/exceptions/{case}/files"):
            assert browser.get(path).status_code in (403, 404)
            assert send(browser, path, b"x\n", "x.txt").status_code in (403, 404)
    assert "inner.txt" not in desk.browser(who.mel).page(f"/payments/{payment}")
    assert len(kept(payment)) == len(kept(case)) == 1
    ann = desk.browser(who.ann)
    assert ann.get(f"/files/{found[0].id}").status_code == 200
    assert "Attach a file" not in ann.page(f"/payments/{payment}")
    assert send(ann, f"/payments/{payment}/files", b"y\n", "y.txt").status_code == 403


def test_unknown_ids_are_as_good_as_none(
    desk: Desk, who: Personas, payment: str, case: str
) -> None:
    fin = desk.browser(who.fin)
    assert send(fin, f"/payments/{payment}/files", b"inner\n", "inner.txt").status_code == 303
    for path in ("/files/att_nothing", f"/files/{payment}", "/files/att_nothing/remove"):
        assert fin.get(path).status_code == 404, path
    for path in (f"/payments/{case}/files", f"/exceptions/{payment}/files", "/payments/x/files"):
        assert fin.get(path).status_code == 404, path
        assert send(fin, path, b"x\n", "x.txt").status_code == 404, path


def test_form_needs_its_token_and_our_own_page(desk: Desk, who: Personas, payment: str) -> None:
    fin = desk.browser(who.fin)
    path = f"/payments/{payment}/files"
    assert send(fin, path, b"x\n", "x.txt", csrf=False).status_code == 403
    foreign = send(fin, path, b"x\n", "x.txt", more={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert desk.anonymous().get(path).status_code == 303
    assert kept(payment) == []


def test_chunked_body_is_refused(desk: Desk, who: Personas, payment: str) -> None:
    fin = desk.browser(who.fin)
    path = f"/payments/{payment}/files"
    answer = send(fin, path, b"x\n", "x.txt", more={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 411


def test_files_have_a_page_and_a_part(desk: Desk, who: Personas, payment: str, app: Flask) -> None:
    del app
    sue = desk.browser(who.sue)
    assert "No files yet." in sue.page(f"/payments/{payment}/files")
    part = send(sue, f"/payments/{payment}/files", b"x\n", "x.txt", htmx=True)
    assert part.status_code == 200
    assert 'id="files"' in part.text
    assert "<html" not in part.text
    assert "x.txt" in text(sue.page(f"/payments/{payment}/files"))


def test_object_holds_so_many_and_no_more(
    desk: Desk, who: Personas, payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.cases.attachments.MOST_FILES", 2)
    sue = desk.browser(who.sue)
    path = f"/payments/{payment}/files"
    told = [send(sue, path, b"%d\n" % no, f"{no}.txt").status_code for no in range(3)]
    assert told == [303, 303, 422]
