"""The same payments pay the same invoices, in whatever order they come; nothing is paid twice, nothing lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.book_states import Invoice as Status
from domain.invoices.folding import Asked, Folded, Pair, Share, fold, share

DEPOSIT, FINAL = Asked("inv_1", 2_500), Asked("inv_2", 10_000)


def paying(*shares: Share, written_off: int = 0) -> Folded:
    return fold([DEPOSIT], shares, written_off=written_off)


def stands(found: Folded, name: str = "inv_1") -> tuple[str, int, int, int]:
    one = found.standings[name]
    return one.status.value, one.paid, one.confirmed, one.refunded


def kept(name: str, minor: int, invoice: str = "inv_1", *, returned: int = 0) -> Share:
    return Share(name, invoice, kept=minor, returned=returned)


def seen(name: str, minor: int, invoice: str = "inv_1") -> Share:
    return Share(name, invoice, seen=minor, is_open=True)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([], ("open", 0, 0, 0)),
        ([Share("p", "inv_1", is_open=True)], ("pending_payment", 0, 0, 0)),
        ([Share("p", "inv_1")], ("open", 0, 0, 0)),
        ([seen("p", 2_500)], ("paid", 2_500, 0, 0)),
        ([kept("p", 2_500)], ("confirmed", 2_500, 2_500, 0)),
        ([kept("p", 2_000)], ("open", 2_000, 2_000, 0)),
        ([kept("p", 2_000), seen("q", 500)], ("paid", 2_500, 2_000, 0)),
        ([kept("p", 2_000), kept("q", 500)], ("confirmed", 2_500, 2_500, 0)),
        ([kept("p", 3_000)], ("confirmed", 3_000, 3_000, 0)),
        ([kept("p", 0, returned=2_500)], ("refunded", 2_500, 2_500, 2_500)),
        ([kept("p", 2_000, returned=500)], ("confirmed", 2_500, 2_500, 500)),
        # Paid twice, and the second given back: still paid once.
        ([kept("p", 2_500), kept("q", 0, returned=2_500)], ("confirmed", 5_000, 5_000, 2_500)),
    ],
)
def test_an_invoice_stands_where_its_payments_put_it(
    shares: Sequence[Share], expected: tuple[str, int, int, int]
) -> None:
    assert stands(paying(*shares)) == expected


def test_what_payments_bring_depends_on_their_state() -> None:
    def of(status: str, **more: int) -> Share:
        return share("p", "inv_1", status, amount=2_500, **({"received": 0} | more))

    assert of("pending") == Share("p", "inv_1", is_open=True)
    assert of("processing") == Share("p", "inv_1", seen=2_500, is_open=True)
    assert of("completed", received=2_400) == Share("p", "inv_1", kept=2_400)
    assert of("completed", received=2_500, gone=500) == Share("p", "inv_1", kept=2_000)
    assert of("refunded", received=2_500, refunded=2_500) == Share("p", "inv_1", returned=2_500)
    # Late money pays nothing: it lies unapplied (C13).
    assert of("failed", received=2_500) == Share("p", "inv_1")
    assert of("cancelled", received=2_500) == Share("p", "inv_1")


def test_money_beyond_an_invoice_pays_what_the_orders_others_lack() -> None:
    found = fold([DEPOSIT, FINAL], [kept("p", 3_000), kept("q", 9_500, "inv_2")])
    assert stands(found) == ("confirmed", 2_500, 2_500, 0)
    assert stands(found, "inv_2") == ("confirmed", 10_000, 10_000, 0)
    assert found.pairs == {
        ("inv_1", "p"): Pair(2_500, 2_500, 0),
        ("inv_2", "p"): Pair(500, 500, 0),
        ("inv_2", "q"): Pair(9_500, 9_500, 0),
    }


def test_a_deposit_paid_twice_pays_a_part_of_the_rest_until_it_is_given_back() -> None:
    twice = fold([DEPOSIT, FINAL], [kept("p", 2_500), kept("q", 2_500)])
    assert stands(twice, "inv_2") == ("open", 2_500, 2_500, 0)
    back = fold([DEPOSIT, FINAL], [kept("p", 2_500), kept("q", 0, returned=2_500)])
    assert stands(back) == ("confirmed", 5_000, 5_000, 2_500)
    assert stands(back, "inv_2") == ("open", 0, 0, 0)


def test_what_went_back_asks_for_a_credit_note_only_where_it_leaves_a_gap() -> None:
    assert paying(kept("p", 2_000, returned=500)).standings["inv_1"].returned == 500
    assert paying(kept("p", 0, returned=2_500)).standings["inv_1"].returned == 2_500
    # Too much, or a second time, came and went: the invoice is paid as before.
    assert paying(kept("p", 2_500, returned=500)).standings["inv_1"].returned == 0
    twice = paying(kept("p", 2_500), kept("q", 0, returned=2_500))
    assert twice.standings["inv_1"].returned == 0


def test_what_was_given_up_settles_what_is_missing_and_no_more() -> None:
    found = paying(kept("p", 2_400), written_off=100)
    assert found.standings["inv_1"].written_off == 100
    assert stands(found) == ("confirmed", 2_400, 2_400, 0)
    late = paying(kept("p", 2_400), kept("q", 100), written_off=100)
    assert (late.standings["inv_1"].written_off, stands(late)[1]) == (0, 2_500)


def test_money_for_an_invoice_that_is_void_pays_the_one_that_stands() -> None:
    found = fold([FINAL], [kept("p", 10_000, "inv_void")])
    assert stands(found, "inv_2") == ("confirmed", 10_000, 10_000, 0)
    assert fold([], [kept("p", 10_000)]) == Folded()


SHARES = st.builds(
    Share,
    payment_id=st.just("p"),
    invoice_id=st.sampled_from(["inv_1", "inv_2", "inv_gone", None]),
    kept=st.integers(0, 20_000),
    returned=st.integers(0, 20_000),
)
SEEN = st.builds(
    Share,
    payment_id=st.just("p"),
    invoice_id=st.sampled_from(["inv_1", "inv_2"]),
    seen=st.integers(0, 20_000),
    is_open=st.booleans(),
)


def _named(shares: Sequence[Share]) -> list[Share]:
    return [
        Share(f"p{no}", one.invoice_id, one.kept, one.returned, one.seen, one.is_open)
        for no, one in enumerate(shares)
    ]


@given(st.lists(st.one_of(SHARES, SEEN), max_size=5), st.integers(0, 15_000))
def test_every_unit_is_on_exactly_one_invoice_and_no_order_of_payments_matters(
    drawn: list[Share], written_off: int
) -> None:
    shares = _named(drawn)
    asked = [DEPOSIT, FINAL]
    found = fold(asked, shares, written_off=written_off)
    for one in shares:
        pairs = [pair for (_, payment), pair in found.pairs.items() if payment == one.payment_id]
        assert sum(pair.paid for pair in pairs) == one.kept + one.returned + one.seen
        assert sum(pair.confirmed for pair in pairs) == one.kept + one.returned
        assert sum(pair.refunded for pair in pairs) == one.returned
    for each in asked:
        stand = found.standings[each.invoice_id]
        assert 0 <= stand.refunded <= stand.confirmed <= stand.paid
        assert 0 <= stand.written_off <= max(0, each.minor - stand.confirmed + stand.refunded)
        assert stand.returned <= stand.refunded
    sums = {name: (one.status, one.paid, one.written_off) for name, one in found.standings.items()}
    for order in itertools.islice(itertools.permutations(shares), 24):
        again = fold(asked, order, written_off=written_off).standings
        assert {
            name: (one.status, one.paid, one.written_off) for name, one in again.items()
        } == sums


def test_an_invoice_that_is_credited_asks_for_less() -> None:
    found = fold([Asked("inv_1", 2_000)], [kept("p", 2_000)])
    assert found.standings["inv_1"].status == Status.CONFIRMED
