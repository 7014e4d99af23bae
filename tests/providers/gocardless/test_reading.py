"""What GoCardless says is read into our words: each word once, an unknown one never guessed at."""

from __future__ import annotations

import pytest

from core.clock import rfc3339
from core.errors import UnmappedProviderValue
from core.fold import CHARGE_FAILED, CHARGE_PAID, reversed_minor
from core.money import Money, asset
from providers.deliveries import UnreadableDelivery
from providers.gocardless import events, progress, reading, words
from providers.said import KeyedFact, Reading
from providers.values import Thing, instant, parse
from tests.providers.gocardless.bodies import (
    OURS,
    PAYMENT,
    REFUND,
    REQUEST,
    at,
    event,
    payment,
    refund,
    request,
    written,
)

NOW = instant("2026-11-20T12:00:00Z")
assert NOW is not None


def read(said: Thing) -> Reading:
    assert NOW is not None
    return events.read_event(parse(written(said)), now=NOW)


def requested(status: str, *history: Thing, **more: object) -> Reading:
    assert NOW is not None
    return reading.read_request(request(status, REQUEST, **more), said_at=NOW, history=history)


def paid(status: str, *history: Thing, **more: object) -> Reading:
    assert NOW is not None
    return reading.read_payment(payment(status, PAYMENT, **more), said_at=NOW, history=history)


def facts(said: Reading) -> list[tuple[str, str, int | None, str | None]]:
    return [
        (each.key, each.fact.kind, each.fact.amount_minor, each.fact.code) for each in said.facts
    ]


GOOD = [
    (f"gocardless:{PAYMENT}:succeeded:2500", "succeeded", 2_500, None),
    (f"gocardless:{PAYMENT}:charge_paid", CHARGE_PAID, 2_500, PAYMENT),
]
GONE = (f"gocardless:{PAYMENT}:charge_failed", CHARGE_FAILED, None, PAYMENT)


@pytest.mark.parametrize(
    ("status", "stated"),
    [
        ("pending_customer_approval", [(f"gocardless:{PAYMENT}:created", "awaiting_bank")]),
        ("pending_submission", [(f"gocardless:{PAYMENT}:created", "awaiting_bank")]),
        ("submitted", [(f"gocardless:{PAYMENT}:submitted", "awaiting_bank")]),
        ("confirmed", [each[:2] for each in GOOD]),
        ("paid_out", [each[:2] for each in GOOD]),
        ("charged_back", [each[:2] for each in (*GOOD, GONE)]),
        ("failed", [(f"gocardless:{PAYMENT}:failed", "failed"), GONE[:2]]),
        ("cancelled", [(f"gocardless:{PAYMENT}:cancelled", "cancelled")]),
        ("customer_approval_denied", [(f"gocardless:{PAYMENT}:cancelled", "cancelled")]),
    ],
)
def test_each_status_of_a_payment_states_what_it_means(status: str, stated: object) -> None:
    said = paid(status)
    assert [each[:2] for each in facts(said)] == stated
    assert (said.references, said.asset_code) == ((PAYMENT,), "GBP")


def test_only_what_is_confirmed_has_arrived() -> None:
    """Fulfilled means that the payer agreed; it may still never come (protocols 4C)."""
    for status in ("pending_submission", "submitted", "failed", "cancelled"):
        assert not any(fact[1] == "succeeded" for fact in facts(paid(status)))
    for kind in ("billing_requests.fulfilled", "payments.created", "payments.submitted"):
        assert [fact[1] for fact in facts(read(event(kind)))] == ["awaiting_bank"]
    assert [fact[1] for fact in facts(requested("fulfilled"))] == ["created", "awaiting_bank"]


@pytest.mark.parametrize(
    "kind",
    [
        "payments.confirmed",
        "payments.paid_out",
        "payments.failed",
        "payments.resubmission_requested",
    ]
    + ["payments.late_failure_settled", "payments.chargeback_settled"]
    + ["refunds.created", "refunds.paid", "refunds.failed", "refunds.refund_settled"],
)
def test_an_event_about_money_is_only_a_hint(kind: str) -> None:
    said = read(event(kind, resource_metadata=OURS))
    assert said.references[0] == PAYMENT
    assert said.fetch
    assert not said.facts
    assert not said.refunds


def test_a_failure_after_it_was_good_takes_back_all_that_it_brought() -> None:
    late = paid("failed", event("payments.failed"), event("payments.confirmed"))
    assert facts(late) == [*GOOD, GONE]
    assert reversed_minor(each.fact for each in late.facts) == 2_500
    assert rfc3339(late.facts[0].fact.said_at) == at(7)
    early = paid("failed", event("payments.failed"), event("payments.submitted"))
    assert reversed_minor(each.fact for each in early.facts) == 0
    assert "failed" in [fact[1] for fact in facts(early)]
    # Heard of as good before its history could be read, it is taken back all the same.
    both = [*paid("confirmed").facts, *paid("failed").facts]
    assert reversed_minor(each.fact for each in both) == 2_500


def test_a_chargeback_is_told_and_asked_for_in_the_same_words() -> None:
    told = read(event("payments.charged_back"))
    assert facts(told) == [GONE]
    asked = paid("charged_back", event("payments.charged_back"))
    assert told.facts[0] in asked.facts
    assert facts(asked) == [GONE, *GOOD]


def test_a_chargeback_that_was_cancelled_is_shown_to_a_person() -> None:
    said = read(event("payments.chargeback_cancelled"))
    assert [each.kind for each in said.oddities] == ["RECON_DIFFERENCE"]
    assert "still stands" in said.oddities[0].sentence
    assert not said.facts


@pytest.mark.parametrize("action", ["denied", "failed", "expired"])
def test_an_attempt_that_failed_leaves_the_request_open_and_each_counts_by_itself(
    action: str,
) -> None:
    kind = f"billing_requests.bank_authorisation_{action}"
    first, second = event(kind, 2), event(kind, 3)
    cause = f"billing_request_bank_authorisation_{action}"
    told = [read(first).facts[0], read(second).facts[0]]
    assert {each.fact.kind for each in told} == {"attempt_failed"}
    assert {each.fact.code for each in told} == {cause}
    assert told[0].key != told[1].key
    asked = requested("pending", second, first)
    assert {each.key for each in told} < {each.key for each in asked.facts}


def test_an_end_before_anybody_agreed_is_told_and_asked_for_in_the_same_words() -> None:
    for action, kind in (("cancelled", "cancelled"), ("failed", "failed")):
        said = event(f"billing_requests.{action}")
        [told] = read(said).facts
        asked = requested("cancelled", said)
        assert told in asked.facts
        assert [fact[1] for fact in facts(asked)] == ["created", kind]
    assert [fact[1] for fact in facts(requested("cancelled"))] == ["created", "cancelled"]


def test_a_payer_on_the_banks_page_is_waited_for() -> None:
    [said] = read(event("billing_requests.bank_authorisation_visited")).facts
    assert said.fact.kind == "awaiting_payer"
    for status in ("pending", "ready_to_fulfil", "fulfilling"):
        assert [fact[1] for fact in facts(requested(status))] == ["created"]


def test_a_request_that_was_agreed_to_names_its_payment_and_says_what_that_says() -> None:
    assert NOW is not None
    own = paid("confirmed")
    said = reading.read_request(request("fulfilled"), said_at=NOW, payment=own)
    assert said.references == (REQUEST,)
    assert said.links == {PAYMENT: "payment"}
    assert said.payment_id == "pay_1"
    assert [fact[1] for fact in facts(said)] == [
        *("created", "awaiting_bank", "succeeded", CHARGE_PAID)
    ]
    told = read(event("billing_requests.fulfilled", resource_metadata=OURS))
    assert (told.links, told.payment_id) == (said.links, said.payment_id)


def test_a_payment_is_ours_by_its_request_alone_whatever_its_metadata_says() -> None:
    """Whoever makes another payment there could write our id into it."""
    for said in (paid("confirmed"), read(event("payments.confirmed", resource_metadata=OURS))):
        assert said.payment_id is None


def test_what_carries_none_of_our_words_is_let_pass_and_what_does_is_waited_for() -> None:
    for kind in ("payments.confirmed", "billing_requests.fulfilled"):
        assert read(event(kind, resource_metadata={})).unowned
        assert read(event(kind, resource_metadata={"order": "7"})).unowned
        assert read(event(kind, resource_metadata=OURS)).unowned is None
        assert read(event(kind, resource_metadata=None)).unowned is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("created", "refund_pending"),
        ("pending_submission", "refund_pending"),
        ("submitted", "refund_pending"),
        ("paid", "refund_succeeded"),
        ("cancelled", "refund_failed"),
        ("bounced", "refund_failed"),
        ("failed", "refund_failed"),
        ("funds_returned", "refund_failed"),
    ],
)
def test_each_status_of_a_refund_is_read(status: str, kind: str) -> None:
    assert NOW is not None
    said = reading.read_refund(refund(status, metadata={"refund_id": "ref_1"}), said_at=NOW)
    assert (said.reference, said.refund_id) == (REFUND, "ref_1")
    assert said.amount == Money(1_000, asset("GBP"))
    assert (said.keyed.key, said.keyed.fact.kind) == (f"gocardless:{REFUND}:{kind}", kind)
    assert (said.keyed.fact.code == status) == (kind == "refund_failed")


def test_a_refund_is_asked_for_by_whichever_name_its_event_has() -> None:
    assert read(event("refunds.paid")).references == (PAYMENT, REFUND)
    assert read(event("refunds.paid", links={"refund": REFUND})).references == (REFUND,)


@pytest.mark.parametrize(
    "kind",
    ["billing_requests.created", "billing_requests.flow_visited", "billing_requests.flow_exited"]
    + ["billing_requests.collect_bank_account", "payments.customer_approval_granted"]
    + ["mandates.active", "subscriptions.created", "payments.of_next_year", "payouts.of_next_year"],
)
def test_a_type_without_effect_is_ignored_with_a_sentence(kind: str) -> None:
    said = read(event(kind))
    assert said.ignored is not None
    assert said.ignored.startswith(f"{kind}: ")
    assert not said.books


@pytest.mark.parametrize("kind", ["payouts.paid", "payouts.bounced"])
def test_what_moves_only_our_balance_has_its_list_read(kind: str) -> None:
    said = read(event(kind))
    assert said.ignored
    assert said.books


@pytest.mark.parametrize("status", ["Confirmed", "", "reversed", "of_next_year"])
def test_a_status_in_no_table_is_never_guessed(status: str) -> None:
    assert NOW is not None
    for call in (
        lambda: paid(status),
        lambda: requested(status),
        lambda: reading.read_refund(refund(status), said_at=NOW),
    ):
        with pytest.raises((UnmappedProviderValue, UnreadableDelivery)):
            call()


@pytest.mark.parametrize(
    "more",
    [{"currency": "ZZZ"}, {"currency": None}, {"amount": 25.0}, {"amount": "25"}]
    + [{"amount": True}, {"amount": None}, {"id": None}, {"id": "é"}],
)
def test_an_amount_that_is_no_amount_is_refused(more: dict[str, object]) -> None:
    assert NOW is not None
    with pytest.raises((UnmappedProviderValue, UnreadableDelivery)):
        reading.read_payment(parse(written(payment("confirmed") | more)), said_at=NOW)


@pytest.mark.parametrize(
    "kind", ["billing_requests.fulfilled", "payments.confirmed", "refunds.paid"]
)
def test_an_event_that_names_nothing_cannot_be_read(kind: str) -> None:
    for links in ({}, None, {"mandate": "MD1"}):
        with pytest.raises(UnreadableDelivery):
            read(event(kind, links=links))


def test_every_cause_has_a_sentence_for_the_payer_and_an_unknown_one_too() -> None:
    for cause in (*words.CAUSES, "of_next_year", None):
        assert words.of_cause(cause).endswith(".")


def test_the_order_in_which_events_are_listed_states_the_same() -> None:
    listed = [event("billing_requests.bank_authorisation_denied", n) for n in (2, 3, 4)]

    def keys(said: list[KeyedFact]) -> set[str]:
        return {each.key for each in said}

    one = progress.stated(REQUEST, listed, progress.OF_REQUESTS)
    other = progress.stated(REQUEST, [*listed[::-1], listed[0]], progress.OF_REQUESTS)
    assert len(other) == 3
    assert keys(one) == keys(other)
