"""The audit page: who opens it, what narrows it, what a row opens to, and exports that run nowhere."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from core import clock
from core.states import Role
from domain import audit
from domain.actors import Actor
from domain.books import chains, verification
from domain.database import transaction
from models.presence import Schedule
from tests.api.personas import Personas
from tests.dashboard.desk import Desk, text

BEGAN = datetime(2026, 11, 1, 9, tzinfo=UTC)


def write(
    actor_id: str,
    action: str,
    *,
    object_kind: str = "payment",
    object_id: str = "pay_1",
    reason: str | None = None,
    source: str = "test",
    refused: bool = False,
) -> None:
    with transaction() as session:
        audit.write(
            session,
            action,
            actor=Actor(actor_id, "user", Role.FINANCE, "Fin", address="192.0.2.7"),
            object_kind=object_kind,
            object_id=object_id,
            source=source,
            reason=reason,
            before={"state": "pending", "gone": True},
            after={"state": "completed", "list": ["a"]},
            refused=refused,
        )


def acts(page: str) -> list[str]:
    """Give the actions of the rows, newest first."""
    return re.findall(r'class="audit-act"><code>([^<]+)</code>', page)


@pytest.mark.parametrize("role", list(Role))
def test_finance_admins_and_auditors_open_it(desk: Desk, who: Personas, role: Role) -> None:
    browser = desk.browser(who.by_role(role))
    may = role in (Role.FINANCE, Role.ADMIN, Role.AUDITOR)
    assert browser.get("/audit").status_code == (200 if may else 403)
    assert browser.get("/audit/export?format=csv").status_code == (200 if may else 403)
    assert ('class="nav-link" href="/audit"' in browser.page("/")) == may


def test_each_filter_narrows_it(desk: Desk, who: Personas) -> None:
    # People are made when first asked for, which is written down too.
    assert who.fin.id != who.ada.id
    with time_machine.travel(BEGAN):
        write(who.fin.id, "thing.made", object_id="pay_made", reason="asked 100% by Mel_")
    with time_machine.travel(BEGAN + timedelta(days=1)):
        write(who.ada.id, "thing.ended", object_kind="freeze", object_id="frz_1", refused=True)
    with time_machine.travel(BEGAN + timedelta(days=2)):
        write("system:worker", "other.done", source="inbound:inb_7")
    browser = desk.browser(who.ann)

    def found(query: str) -> list[str]:
        return acts(browser.page(f"/audit?{query}"))

    everything = found("from=2026-11-01&to=2026-11-03")
    assert everything == ["other.done", "thing.ended", "thing.made"]
    span = "&from=2026-11-01&to=2026-11-03"
    assert found("from=2026-11-02&to=2026-11-02") == ["thing.ended"]
    assert found(f"actor={who.fin.id}{span}") == ["thing.made"]
    assert found(f"actor={who.fin.email}{span}") == ["thing.made"]
    assert found(f"actor=FIN{span}") == ["thing.made"]
    assert found(f"actor=worker{span}") == ["other.done"]
    assert found(f"actor=nobody%40people.test{span}") == found(f"actor=Zoe{span}") == []
    assert found(f"actor=%25{span}") == []
    assert found(f"action=thing{span}") == ["thing.ended", "thing.made"]
    assert found(f"action=thing.made{span}") == ["thing.made"]
    assert found(f"object=pay_made{span}") == ["thing.made"]
    assert found(f"object=freeze{span}") == ["thing.ended"]
    assert found(f"refused=yes{span}") == ["thing.ended"]
    assert found(f"q=asked+100%25{span}") == ["thing.made"]
    assert found(f"q=a%25d{span}") == []
    assert found(f"q=inb_7{span}") == ["other.done"]
    assert found(f"by=people{span}") == ["thing.ended", "thing.made"]
    assert "Nothing matches these filters" in browser.page("/audit?q=zzz")
    assert browser.get("/audit?from=yesterday").status_code == 200
    assert browser.get("/audit?cursor=x").status_code == 400


def test_it_is_paged_and_keeps_its_filters(desk: Desk, who: Personas) -> None:
    for number in range(53):
        with time_machine.travel(BEGAN + timedelta(seconds=number)):
            write(who.fin.id, "thing.made", object_id=f"pay_{number:02}")
    browser = desk.browser(who.ann)
    first = browser.page("/audit?action=thing")
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older
    second = browser.page(older[1].replace("&amp;", "&"))
    assert (len(acts(first)), len(acts(second))) == (50, 3)
    assert set(acts(second)) == {"thing.made"}
    shown = re.findall(r"payment pay_\d\d</span>", first + second)
    assert len(set(shown)) == 53


def test_a_row_opens_to_all_that_is_kept_of_it(desk: Desk, who: Personas) -> None:
    payment, approval = "pay_01jd7m2c4e0v5d3k8r6t9w1x2y3z", "apr_01jd7m4aaa0v5d3k8r6t9w1x2y3z"
    write(who.fin.id, "refund.send", object_id=payment, source=f"approval:{approval}", reason="ok")
    write(who.fin.id, "user.change", object_kind="user", object_id=who.bo.id)
    chains.link_all(everything=True)
    admin = desk.browser(who.ada).page("/audit?actor=fin")
    read = text(admin)
    for said in ("refund.send", "Fin", "192.0.2.7", "before: pending", "after: completed", '["a"]'):
        assert said in read, said
    assert re.search(r'<code class="ref-value"[^>]*data-full="[0-9a-f]{64}"', admin)
    assert f'href="/payments/{payment}"' in admin
    assert f'href="/approvals/{approval}"' in admin
    assert f'href="/users/{who.bo.id}"' in admin
    # Finance reads that a person was changed, and has no page of people to be led to.
    assert "/users/" not in desk.browser(who.fin).page("/audit?actor=fin")


def test_hostile_words_are_words(desk: Desk, who: Personas) -> None:
    probe = '"><script>alert(1)</script>{{7*7}}<img src=x onerror=alert(1)>'
    write(who.fin.id, "thing.made", reason=probe, object_id=probe[:60])
    page = desk.browser(who.ann).page("/audit?action=thing")
    assert "<script>alert" not in page and "<img src=x" not in page
    assert "{{7*7}}" in page


def test_the_badge_tells_what_the_last_proof_found(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ann)
    assert "Not proved yet" in text(browser.page("/audit"))
    verification.verify()
    write(who.fin.id, "thing.made")
    chains.link_all(everything=True)
    page = text(browser.page("/audit"))
    assert "Chain proved" in page
    assert re.search(r"[1-9]\d* since\.", page)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_badge_tells_when_the_chain_is_broken(desk: Desk, who: Personas) -> None:
    browser = desk.browser(who.ann)
    with transaction() as session:
        bad = {"name": "audit_chain", "ok": False, "rows": 3, "firstBad": "aud_1 was changed"}
        outcome = {"ok": False, "at": "2026-11-01T09:00:00.000Z", "chainLength": 3}
        session.add(
            Schedule(
                name="verify",
                expression="manual",
                due_at=clock.now(),
                fence=0,
                outcome=outcome | {"checks": [bad]},
            )
        )
    page = text(browser.page("/audit"))
    assert "Chain broken" in page
    assert "aud_1 was changed" in page


def test_an_export_holds_what_the_page_shows_and_no_formula(desk: Desk, who: Personas) -> None:
    for start in ("=", "+", "-", "@", "\t", "\r", "plain"):
        write(who.fin.id, "export.me", reason=f"{start}cmd|' /C calc'!A0")
    write(who.fin.id, "leave.me")
    browser = desk.browser(who.ann)
    page = browser.page("/audit?action=export")
    assert 'href="/audit/export?action=export&amp;format=csv"' in page
    answer = browser.get("/audit/export?action=export&format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 7
    dangerous = ("=", "+", "-", "@", "\t", "\r", "\n")
    assert not [cell for row in rows for cell in row.values() if (cell or "").startswith(dangerous)]
    assert {row["approvalId"] for row in rows} == {""}
    answer = browser.get("/audit/export?action=export&format=json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.json"'
    assert len(json.loads(answer.text)["items"]) == 7
