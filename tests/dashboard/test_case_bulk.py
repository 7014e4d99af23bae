"""Many cases settled by one decision, and the targets that finance sets."""

from __future__ import annotations

import re

from sqlalchemy import select

from domain.database import reading
from models.audit import AuditRow
from models.cases import CaseTarget
from tests.api.personas import Personas
from tests.api.till import Till
from tests.dashboard.case_forms import case, entries, paid
from tests.dashboard.desk import Desk, rows, text


def test_several_are_settled_at_once_with_one_outcome_each(
    desk: Desk, who: Personas, till: Till
) -> None:
    over = [paid(till, who, 3000 + number) for number in range(2)]
    under = paid(till, who, 2400)
    fin = desk.browser(who.fin)
    chosen = "&".join(f"case={each}" for each in (*over, under, "exc_none"))
    first = text(fin.page(f"/exceptions/bulk?{chosen}"))
    assert "Settle 3 cases" in first and "Choose a way" in first
    assert "Accept: 3 of 3" in first and "Credit: 2 of 3" in first and "Reissue: none of 3" in first
    page = fin.page(f"/exceptions/bulk?{chosen}&verb=credit&back=/exceptions")
    said = text(page)
    for words in ("Credit: 2 cases of 3", "1 case cannot be settled so", "Moved in all: 10.01 EUR"):
        assert words in said, words
    fields = re.findall(r'type="hidden" name="(case|sum|back|verb|once)" value="([^"]*)"', page)
    sent = [*fields[fields.index(("case", over[0])) :], ("csrf_token", fin.csrf())]
    data: dict[str, list[str]] = {}
    for name, value in sent:
        if value not in data.setdefault(name, []):
            data[name].append(value)
    for _ in range(2):
        answer = fin.client.post("/exceptions/bulk", data=data | {"reason": ["Month end"]})
        assert answer.status_code == 200
        outcomes = rows(answer.text)
        assert [row.split()[0] for row in outcomes] == ["Settled", "Settled", "Not"]
        assert "is not settled by" in outcomes[2]
    assert entries("case_credit") == 2
    assert case(under).state == "open"
    assert fin.get("/exceptions/bulk").location == "/exceptions"
    wrong = fin.client.post("/exceptions/bulk", data=data | {"reason": [""]})
    assert wrong.status_code == 422


def test_bulk_does_not_move_another_sum_than_was_shown(
    desk: Desk, who: Personas, till: Till
) -> None:
    case_id = paid(till, who, 3000)
    fin = desk.browser(who.fin)
    sent = {"case": case_id, "verb": "credit", "reason": "because", "sum": f"{case_id}:4.00"}
    answer = fin.post("/exceptions/bulk", sent)
    assert "This would move 5.00 EUR, not 4.00 EUR" in text(answer.text)
    assert case(case_id).state == "open"


def test_targets_are_set_audited_and_count_for_what_comes(
    desk: Desk, who: Personas, till: Till
) -> None:
    ada, path = desk.browser(who.ada), "/exceptions/targets/UNDERPAID"
    old = case(paid(till, who, 2400))
    wanted = {"team": "support", "hours": "3", "clock": "always"}
    for wrong in (
        {"hours": "0"},
        {"hours": "x"},
        {"hours": "9" * 5000},
        {"hours": "２"},
        {"team": "nobody"},
        {"clock": "moon"},
    ):
        assert ada.post(path, wanted | wrong).status_code == 422, wrong
    assert ada.post(path, wanted).status_code == 303
    assert "Support 3 hours" in text(ada.page("/exceptions/targets"))
    new = case(paid(till, who, 2400))
    assert (old.team, new.team) == ("finance", "support")
    assert new.sla_due_at is not None
    assert (new.sla_due_at - new.opened_at).total_seconds() == 3 * 3600
    with reading() as session:
        acts = session.scalars(select(AuditRow).where(AuditRow.object_id == "UNDERPAID")).all()
        assert [(row.action, row.actor, row.before["hours"]) for row in acts] == [
            ("exception.set_target", who.ada.id, 8)
        ]
    assert ada.post(f"{path}/reset").status_code == 303
    with reading() as session:
        assert session.scalars(select(CaseTarget)).all() == []
    assert ada.get("/exceptions/targets/NOTHING").status_code == 404
