"""The trial balance is nothing at every moment that is asked for; what each rail holds comes from the books."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from flask import Flask

from api.trial_balances import TrialBalanceOut
from core import clock, ids
from core.money import Money, asset
from domain import calendar
from domain.books import accounts, ledger, reserving
from domain.database import transaction
from models.reconciliation import ProviderBooking, ProviderPayout
from tests.api import bookkeeping
from tests.api.bookkeeping import posted, posting
from tests.api.personas import Personas
from tests.api.till import Till

PATH = "/api/ledger/trial-balance"


@pytest.fixture
def till(app: Flask) -> Till:
    return Till.open(app)


def drawn(till: Till, who: Personas, query: str = "") -> dict[str, Any]:
    answer = till.get(f"{PATH}{query}", who.fin)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    TrialBalanceOut.model_validate(found)
    for total in found["totals"]:
        assert total["difference"].strip("0.") == "", total
        own = [each for each in found["accounts"] if each["currency"] == total["currency"]]
        for side in ("debits", "credits"):
            assert sum(Decimal(each[side]) for each in own) == Decimal(total[side])
    return found


def balance(found: dict[str, Any], address: str) -> str | None:
    own = [each["balance"] for each in found["accounts"] if each["address"] == address]
    return own[0] if own else None


def instant(at: datetime) -> str:
    return str(clock.rfc3339(at))


def test_every_account_is_in_it_with_what_was_debited_and_credited(
    till: Till, who: Personas
) -> None:
    assert drawn(till, who) | {"asOf": "", "knownAt": ""} == {
        "asOf": "",
        "knownAt": "",
        "totals": [],
        "accounts": [],
    }
    ground = bookkeeping.ground(till, who)
    posted(till, who, ground.body(posting("cash:main", "adjustments:opening", "700", "JPY")))
    found = drawn(till, who)
    assert [each["currency"] for each in found["totals"]] == ["EUR", "JPY"]
    assert found["totals"][1] == {
        "currency": "JPY",
        "debits": "700",
        "credits": "700",
        "difference": "0",
    }
    funds = next(each for each in found["accounts"] if each["address"] == ground.funds)
    assert (funds["debits"], funds["credits"], funds["balance"]) == ("25.00", "25.00", "0.00")
    assert (funds["kind"], funds["label"][:13]) == ("liability", "Buyer's funds")
    assert balance(found, ground.hold) == "25.00"
    addresses = [each["address"] for each in found["accounts"]]
    assert addresses == sorted(addresses)


def test_as_of_goes_by_effect_and_known_at_by_posting(till: Till, who: Personas) -> None:
    ground = bookkeeping.ground(till, who)
    before, asker, other = clock.now(), who.fin, who.flo
    assert asker.id != other.id
    last = calendar.today().replace(day=1) - timedelta(days=1)
    with time_machine.travel(clock.after(3600), tick=True):
        late = ground.body(
            posting("cash:main", "adjustments:opening"), effectiveOn=last.isoformat()
        )
        posted(till, who, late)
        after = clock.now()
    end_of_last = calendar.begin_of(last + timedelta(days=1))
    # Known now, it took effect last month; known then, nobody had heard of it.
    now = drawn(till, who, f"?asOf={instant(end_of_last)}")
    assert (balance(now, "cash:main"), balance(now, ground.hold)) == ("5.00", None)
    then = drawn(till, who, f"?knownAt={instant(before)}")
    assert (balance(then, "cash:main"), balance(then, ground.hold)) == (None, "25.00")
    both = f"?asOf={instant(end_of_last)}&knownAt={instant(before)}"
    assert drawn(till, who, both)["accounts"] == []
    whole = drawn(till, who, f"?asOf={instant(after)}&knownAt={instant(after)}")
    assert (balance(whole, "cash:main"), balance(whole, ground.hold)) == ("5.00", "25.00")
    assert whole["asOf"] == instant(after)
    for query in ("?asOf=yesterday", "?knownAt=2026-11-21", "?format=pdf", "?x=1"):
        assert till.get(f"{PATH}{query}", who.fin).status_code == 400, query


def test_as_rows_it_ends_with_what_all_of_it_comes_to(till: Till, who: Personas) -> None:
    bookkeeping.ground(till, who)
    answer = till.get(f"{PATH}?format=csv", who.ann)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    *own, total = rows
    assert (total["account"], total["currency"], total["balance"]) == ("TOTAL", "EUR", "0.00")
    assert sum(Decimal(each["debits"]) for each in own) == Decimal(total["debits"])
    assert {each["account"] for each in own} == {
        each["address"] for each in drawn(till, who)["accounts"]
    }
    as_json = till.get(f"{PATH}?format=json", who.ann).get_json()
    assert as_json["accounts"] == drawn(till, who)["accounts"]


def test_the_totals_are_for_those_who_keep_or_audit_the_books(till: Till, who: Personas) -> None:
    for person in (who.fin, who.ada, who.ann):
        for path in (PATH, "/api/ledger/float"):
            assert till.get(path, person).status_code == 200
    for other in (who.sue, who.ed, who.mel, who.mels_key, who.bo, who.sal):
        for path in (PATH, "/api/ledger/float"):
            assert till.get(path, other).status_code == 403


def test_accounts_say_what_is_free_and_what_is_set_aside(till: Till, who: Personas) -> None:
    merchant, eur = who.merchant("Mel's"), asset("EUR")
    owed = accounts.merchant_payable(merchant)
    with transaction() as session:
        movement = ledger.Movement(accounts.adjustments("x"), owed, Money(1000, eur))
        said: dict[str, Any] = {"source": "test", "ties": ledger.Ties()}
        ledger.post(session, "reserve", movements=[movement], source_key="owed", **said)
        held = reserving.reserve(session, owed, Money(400, eur), source_key="held", **said)
    (shown,) = till.get("/api/ledger/accounts", who.mel).get_json()["items"]
    assert (shown["address"], shown["side"]) == (owed.address, "seller")
    assert (shown["balance"]["amount"], shown["reserved"]["amount"]) == ("6.00", "4.00")
    assert shown["label"].startswith("Payable")
    one = till.get(f"/api/ledger/accounts/{owed.address}", who.mel).get_json()
    assert one["reserved"]["amount"] == "4.00"
    assert till.get(f"/api/ledger/accounts/{owed.address}", who.eve).status_code == 404
    part = till.get(f"/api/ledger/accounts/{owed.address}:reserved", who.mel).get_json()
    assert part["balance"]["amount"] == "4.00"
    with transaction() as session:
        reserving.void(session, held.entry_id, source="test")
    (shown,) = till.get("/api/ledger/accounts", who.mel).get_json()["items"]
    assert (shown["balance"]["amount"], shown["reserved"]["amount"]) == ("10.00", "0.00")


def test_a_statement_goes_from_opening_to_closing(till: Till, who: Personas) -> None:
    begin = clock.now() - timedelta(hours=2)
    for number in range(4):
        with time_machine.travel(begin + timedelta(minutes=number), tick=False):
            total = {"amount": f"{number + 1}.00", "currency": "EUR"}
            till.settle(till.payment(who.mels_key, total=total, deposit=None))
    since, until = (instant(begin + timedelta(seconds=each)) for each in (30, 150))
    path = "/api/ledger/accounts/provider:stripe:clearing"
    lines = till.get(f"{path}/postings?from={since}&to={until}", who.fin).get_json()
    assert (lines["opening"]["amount"], lines["closing"]["amount"]) == ("1.00", "6.00")
    assert [each["balanceAfter"]["amount"] for each in lines["items"]] == ["6.00", "3.00"]
    whole = till.get(f"{path}/postings", who.fin).get_json()
    assert (whole["opening"]["amount"], whole["closing"]["amount"]) == ("0.00", "10.00")
    query = f"prefix=order:&from={since}&to={until}"
    found = till.get(f"/api/ledger/accounts?{query}", who.mel).get_json()["items"]
    moved = [each["statement"]["credits"]["amount"] for each in found]
    assert sorted(moved) == ["0.00", "0.00", "2.00", "3.00"]
    for each in found:
        said = {name: Decimal(money["amount"]) for name, money in each["statement"].items()}
        assert said["opening"] - said["debits"] + said["credits"] == said["closing"]
        assert each["side"] == "buyer"
    assert till.get(f"/api/ledger/accounts?side=seller&{query}", who.mel).get_json()["items"] == []
    assert len(till.get("/api/ledger/accounts?side=buyer", who.mel).get_json()["items"]) == 4
    assert till.get("/api/ledger/accounts?side=both", who.mel).status_code == 400


def held(till: Till, who: Personas, query: str = "") -> list[dict[str, Any]]:
    answer = till.get(f"/api/ledger/float{query}", who.fin)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["items"]
    return found


def test_a_rail_holds_what_its_accounts_say_and_nothing_is_invented(
    till: Till, who: Personas
) -> None:
    assert held(till, who) == []
    times = []
    for minutes in (30, 20, 10):
        with time_machine.travel(clock.after(-minutes * 60), tick=False):
            till.settle(till.payment(who.bo))
            times.append(instant(clock.now().replace(microsecond=0)))
    (card,) = held(till, who)
    assert (card["rail"], card["float"], card["livemode"]) == (
        "card",
        {"amount": "75.00", "currency": "EUR"},
        False,
    )
    # No booking of the provider is known, so no time is told; what is oldest, the books know.
    assert (card["medianSettlementHours"], card["medianAvailableHours"]) == (None, None)
    assert card["oldestUnsettledAt"] == times[0]
    with transaction() as session:
        movement = ledger.Movement(
            accounts.transit("stripe"), accounts.clearing("stripe"), Money(3000, asset("EUR"))
        )
        ties = ledger.Ties(provider="stripe", provider_reference="po_1")
        ledger.post(
            session,
            "provider_payout",
            movements=[movement],
            source_key="po_1",
            source="test",
            ties=ties,
        )
    (card,) = held(till, who, "?rail=card")
    assert (card["float"]["amount"], card["inTransit"]["amount"]) == ("45.00", "30.00")
    # 25.00 of the first and 5.00 of the second have left.
    assert card["oldestUnsettledAt"] == times[1]
    assert till.get("/api/ledger/float?rail=pigeon", who.fin).status_code == 400


def test_settlement_takes_as_long_as_the_providers_bookings_say(till: Till, who: Personas) -> None:
    till.settle(till.payment(who.bo))
    now = clock.now()
    with transaction() as session:
        for number, hours in enumerate((24, 48, 120)):
            session.add(_booking(f"txn_{number}", now - timedelta(days=9), hours, f"po_{number}"))
            session.add(_payout(f"po_{number}", now - timedelta(days=9) + timedelta(hours=hours)))
        session.add(_booking("txn_new", now - timedelta(days=2), 48, None))
    (card,) = held(till, who)
    assert (card["medianSettlementHours"], card["medianAvailableHours"]) == (48, 48)
    assert card["oldestUnsettledAt"] == instant(now - timedelta(days=2))


def _booking(name: str, at: datetime, hours: int, payout: str | None) -> ProviderBooking:
    return ProviderBooking(
        id=ids.new("pbk"),
        provider="stripe",
        provider_reference=name,
        kind="arrived",
        word="charge",
        asset="EUR/2",
        amount_minor=1000,
        fee_minor=30,
        net_minor=970,
        payout_reference=payout,
        booked_at=at,
        available_at=at + timedelta(hours=hours),
        seen_at=at,
    )


def _payout(name: str, at: datetime) -> ProviderPayout:
    return ProviderPayout(
        id=ids.new("ppo"),
        provider="stripe",
        provider_reference=name,
        status="paid",
        asset="EUR/2",
        amount_minor=970,
        arrives_at=at,
        created_at=at,
        updated_at=at,
    )
