"""What Stripe's dispute objects say, and what of them is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from core import clock
from core.errors import UnmappedProviderValue
from core.fold import DISPUTE_FEE, DISPUTE_REINSTATED, DISPUTE_WITHDRAWN
from core.money import Money, asset
from providers.deliveries import UnreadableDelivery
from providers.stripe import disputes, reading, sdk
from tests.domain.disputing import BEGAN, booked
from tests.domain.fake_disputes import disputed

EUR = asset("EUR")


def read(**changes: object) -> Any:
    record: Any = disputed("dp_1", "pi_1", 2_500) | {"created": BEGAN} | changes
    return disputes.read_dispute(record, said_at=clock.from_unix(BEGAN))


def test_bookings_are_read_by_their_sign_each_under_its_own_name() -> None:
    listed = [
        booked("txn_1", -2_500, fee=1_500),
        booked("txn_2", 2_500, fee=-1_500),
        booked("txn_3", 0, fee=400),
        booked("txn_4", 0),
    ]
    [said] = read(balance_transactions=listed).disputes
    assert [(f.keyed.key, f.keyed.fact.kind) for f in said.funds] == [
        ("stripe:txn_1", DISPUTE_WITHDRAWN),
        ("stripe:txn_2", DISPUTE_REINSTATED),
        ("stripe:txn_3", DISPUTE_FEE),
    ]
    assert [f.amount for f in said.funds] == [Money(2_500, EUR), Money(2_500, EUR), None]
    assert [f.fee.minor for f in said.funds if f.fee] == [1_500, -1_500, 400]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"status": None},
        {"amount": 0},
        {"amount": "2500"},
        {"created": 10**20},
        {"created": True},
        {"evidence_details": {"due_by": -1}},
        {"balance_transactions": [{"amount": -1, "currency": "eur"}]},
    ],
)
def test_what_cannot_be_a_dispute_is_not_guessed_at(changes: dict[str, object]) -> None:
    with pytest.raises(UnreadableDelivery):
        read(**changes)


@pytest.mark.parametrize("changes", [{"status": "half_won"}, {"currency": "zzz"}])
def test_words_that_are_not_known_are_named(changes: dict[str, object]) -> None:
    with pytest.raises(UnmappedProviderValue):
        read(**changes)


def test_event_of_another_version_only_says_whom_to_ask() -> None:
    record: Any = disputed("dp_1", "pi_1", 2_500) | {"charge": "ch_1"}
    event: Any = {
        "type": "charge.dispute.created",
        "created": BEGAN,
        "api_version": "2020-01-01",
        "data": {"object": record},
    }
    said = reading.read_event(event, api_version=sdk.API_VERSION)
    assert (said.references, said.disputes) == (("pi_1", "ch_1"), ())
    assert said.fetch is not None
