"""What is given back over GoCardless: once for a key, found again, never more than was meant."""

from __future__ import annotations

import pytest

from core.errors import ProviderRefused, ProviderUnavailable, ProviderUnknown
from providers.seam import Rail
from tests.providers.desk_http import Fault
from tests.providers.gocardless.desk import Desk
from tests.providers.gocardless.test_calls import TEN, link

OPS = {"refund_id": "ref_1", "payment_id": "pay_1", "operation_id": "op_2", "demo": "true"}


def test_a_refund_is_asked_for_once_and_found_by_our_name_of_it(desk: Desk, rail: Rail) -> None:
    name = link(rail)
    desk.pays(name)
    desk.fail("POST /refunds", Fault(after=True))
    said = rail.refund(name, TEN, key="op_2-1", metadata=OPS)
    [kept] = desk.refunds.values()
    assert (kept["amount"], kept["links"]) == (1_000, {"payment": "PM000"})
    assert list(kept["metadata"]) == ["refund_id", "payment_id", "operation_id"]  # type: ignore[arg-type]
    [refund] = said.refunds
    assert (refund.reference, refund.refund_id) == ("RF000", "ref_1")
    assert (refund.keyed.fact.kind, refund.amount) == ("refund_pending", TEN)
    assert said.links == {"RF000": "refund"}
    for own in (name, "PM000"):
        found = rail.find_refund(own, "ref_1")
        assert found is not None
        assert found.refunds[0].reference == "RF000"
    assert rail.find_refund(name, "ref_of_nobody") is None
    assert rail.fetch("RF000").refunds[0].reference == "RF000"
    assert rail.fetch(name).links == {"PM000": "payment", "RF000": "refund"}


def test_the_same_refund_asked_for_again_later_gives_once(desk: Desk, rail: Rail) -> None:
    name = link(rail)
    desk.pays(name)
    desk.fail("POST /refunds", Fault(after=True), Fault(after=True))
    with pytest.raises(ProviderUnknown):
        rail.refund(name, TEN, key="op_2-1", metadata=OPS)
    assert rail.refund(name, TEN, key="op_2-1", metadata=OPS).refunds[0].reference == "RF000"
    desk.keys.clear()
    desk.fail("POST /refunds", Fault(422, kind="total_amount_confirmation_invalid"))
    again = rail.refund(name, TEN, key="op_2-1", metadata=OPS)
    assert again.refunds[0].reference == "RF000"
    assert len(desk.refunds) == 1


def test_a_refund_that_another_one_overtook_did_nothing_and_may_try_again(
    desk: Desk, rail: Rail
) -> None:
    name = link(rail)
    desk.pays(name)
    desk.fail("POST /refunds", Fault(422, kind="total_amount_confirmation_invalid"))
    with pytest.raises(ProviderUnavailable):
        rail.refund(name, TEN, key="op_2-1", metadata=OPS)
    rail.refund(name, TEN, key="op_3-1", metadata=OPS | {"refund_id": "ref_2"})
    second = rail.refund(name, TEN, key="op_2-1", metadata=OPS)
    assert second.refunds[0].reference == "RF001"
    assert desk.payments["PM000"]["amount_refunded"] == 2_000


def test_nothing_goes_back_of_what_nobody_has_paid(desk: Desk, rail: Rail) -> None:
    name = link(rail)
    with pytest.raises(ProviderRefused):
        rail.refund(name, TEN, key="k", metadata=OPS)
    assert not desk.paths("POST /refunds")
