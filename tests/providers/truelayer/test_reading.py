"""What TrueLayer says is read into our words: each word once, an unknown one never guessed at."""

from __future__ import annotations

import pytest

from core import redaction
from core.clock import rfc3339
from core.errors import UnmappedProviderValue
from core.fold import CHARGE_FAILED, CHARGE_PAID, reversed_minor
from core.money import Money, asset
from core.strictjson import loads
from providers.deliveries import UnreadableDelivery
from providers.said import Reading
from providers.truelayer import reading, wire, words
from providers.values import instant, parse
from tests.providers.truelayer.bodies import (
    PAYMENT,
    REFUND,
    SOURCE,
    at,
    event,
    payment,
    refund,
    written,
)

NOW = instant("2026-11-20T12:00:00Z")
assert NOW is not None
OURS = {"payment_id": "pay_1", "operation_id": "op_1"}


def read(said: object) -> Reading:
    assert NOW is not None
    return reading.read_event(parse(written(said)), now=NOW)


def truth(status: str, **more: object) -> Reading:
    assert NOW is not None
    return reading.read_payment(payment(status, PAYMENT, **more), said_at=NOW)


def facts(said: Reading) -> list[tuple[str, str, int | None, str | None]]:
    return [
        (each.key.partition(PAYMENT)[2], each.fact.kind, each.fact.amount_minor, each.fact.code)
        for each in said.facts
    ]


@pytest.mark.parametrize(
    ("status", "stated"),
    [
        ("authorization_required", [(":authorization_required", "created", None, None)]),
        ("authorizing", [(":authorizing", "awaiting_payer", None, None)]),
        ("authorized", [(":authorized", "awaiting_bank", None, None)]),
        ("executed", [(":executed", "awaiting_bank", None, None)]),
        (
            "settled",
            [
                (":succeeded:2500", "succeeded", 2_500, None),
                (":charge_paid", CHARGE_PAID, 2_500, PAYMENT),
            ],
        ),
        ("failed", [(":failed", "failed", None, "provider_rejected")]),
    ],
)
def test_each_status_of_a_payment_states_one_thing(status: str, stated: object) -> None:
    assert facts(truth(status)) == stated
    assert truth(status).references == (PAYMENT,)
    assert truth(status).asset_code == "GBP"


def test_only_what_has_settled_has_arrived() -> None:
    """Executed means that the payer's bank took the order; it may still never come (resolution C14)."""
    for status in ("authorized", "executed"):
        assert not any(fact[1] == "succeeded" for fact in facts(truth(status)))
    for kind in ("payment_authorized", "payment_executed", "payment_creditable"):
        assert not any(fact[1] == "succeeded" for fact in facts(read(event(kind))))


def test_an_attempt_that_failed_leaves_the_payment_open_and_each_counts_by_itself() -> None:
    first, second = truth("attempt_failed"), truth("attempt_failed", failed_at=at(9))
    assert [fact[1] for fact in facts(first)] == ["attempt_failed"]
    assert first.facts[0].key != second.facts[0].key


@pytest.mark.parametrize("kind", ["payment_settled", "refund_executed", "refund_failed"])
def test_an_event_about_money_is_only_a_hint(kind: str) -> None:
    said = read(event(kind, metadata=OURS))
    assert (said.references, said.payment_id) == ((PAYMENT,), "pay_1")
    assert said.fetch
    assert not said.facts
    assert not said.refunds


def test_an_event_states_what_its_payment_states_under_the_same_key() -> None:
    for kind, status in (
        ("payment_authorized", "authorized"),
        ("payment_executed", "executed"),
        ("payment_failed", "failed"),
    ):
        assert [each.key for each in read(event(kind)).facts] == [
            each.key for each in truth(status).facts
        ]
    told, asked = read(event("payment_failed")).facts[0], truth("failed").facts[0]
    assert told == asked


def test_a_failure_keeps_its_reason_for_support_and_words_for_the_payer() -> None:
    said = read(event("payment_failed", failure_reason="insufficient_funds")).facts[0].fact
    assert said.code == "insufficient_funds"
    assert said.message == (
        "The account has insufficient funds. Try another account."
        " (while the payer was confirming it)"
    )
    assert rfc3339(said.said_at) == at(4)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("canceled", "cancelled"), ("user_canceled_at_provider", "cancelled")]
    + [("expired", "expired"), ("provider_expired", "expired")]
    + [("insufficient_funds", "failed"), ("blocked", "failed")],
)
def test_an_end_is_called_by_its_reason(reason: str, kind: str) -> None:
    assert facts(truth("failed", failure_reason=reason)) == [(":failed", kind, None, reason)]


def test_every_reason_has_a_sentence_and_a_known_end() -> None:
    for reason, found in words.REASONS.items():
        assert found.kind in ("failed", "cancelled", "expired"), reason
        assert found.words.endswith("."), reason


def test_a_reason_in_no_table_fails_the_payment_and_is_shown_to_a_person() -> None:
    for said in (
        read(event("payment_failed", failure_reason="moon_phase")),
        truth("failed", failure_reason="moon_phase"),
    ):
        assert facts(said) == [(":failed", "failed", None, "moon_phase")]
        assert [oddity.kind for oddity in said.oddities] == ["UNMAPPED_VALUE"]
    assert not truth("failed").oddities


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("pending", "refund_pending"),
        ("authorized", "refund_pending"),
        ("executed", "refund_succeeded"),
        ("failed", "refund_failed"),
    ],
)
def test_each_status_of_a_refund_is_read(status: str, kind: str) -> None:
    assert NOW is not None
    said = reading.read_refund(refund(status, metadata={"refund_id": "ref_1"}), said_at=NOW)
    assert (said.reference, said.refund_id) == (REFUND, "ref_1")
    assert said.amount == Money(1_000, asset("GBP"))
    assert (said.keyed.key, said.keyed.fact.kind) == (f"truelayer:{REFUND}:{kind}", kind)
    assert (said.keyed.fact.code == "insufficient_funds") == (status == "failed")


def test_what_was_reversed_takes_back_all_that_had_settled_in_any_order() -> None:
    gone, paid = read(event("payment_reversed")), truth("settled")
    assert facts(gone) == [(":charge_failed", CHARGE_FAILED, None, PAYMENT)]
    known = [each.fact for each in (*gone.facts, *paid.facts)]
    assert reversed_minor(known) == reversed_minor(reversed(known)) == 2_500
    assert reversed_minor([each.fact for each in gone.facts]) == 0


def test_a_claim_holds_the_money_and_takes_nothing_yet() -> None:
    said = read(event("payment_disputed"))
    assert not said.facts
    assert [(each.kind, each.is_over) for each in said.concerns] == [("PAYMENT_REVIEW", False)]
    assert said.concerns[0].sentence == (
        "The payer's bank claims this payment back (advance notice disputed)."
        " Unanswered, it is decided for the payer on 2026-12-02."
    )


def test_one_that_does_not_settle_is_shown_under_the_case_of_one_that_waits() -> None:
    said = read(event("payment_settlement_stalled", metadata=OURS))
    assert [(each.kind, each.subject) for each in said.oddities] == [("STUCK_PAID", "pay_1")]
    assert read(event("payment_settlement_stalled")).oddities[0].subject == PAYMENT


@pytest.mark.parametrize(
    "kind",
    ["payment_creditable", "mandate_authorized", "mandate_revoked", "payment_link_disabled"]
    + ["signup_plus_done", "a_type_of_next_year"],
)
def test_a_type_without_effect_is_ignored_with_a_sentence(kind: str) -> None:
    said = read({"type": kind, "event_version": 1, "event_id": "e", "payment_id": PAYMENT})
    assert said.ignored is not None
    assert said.ignored.startswith(f"{kind}: ")
    assert not said.books


@pytest.mark.parametrize("kind", ["payout_executed", "payout_failed", "external_payment_received"])
def test_what_moves_only_our_account_has_its_list_read(kind: str) -> None:
    said = read({"type": kind, "event_version": 1, "event_id": "e", "payout_id": "p"})
    assert said.ignored
    assert said.books


def test_the_version_may_be_a_number_or_a_text_and_another_one_is_only_a_hint() -> None:
    assert read(event("payment_failed", event_version="1")).facts
    other = read(event("payment_failed", event_version=2))
    assert other.fetch
    assert not other.facts


@pytest.mark.parametrize("status", ["reversed", "Settled", "", "paid"])
def test_a_status_in_no_table_is_never_guessed(status: str) -> None:
    with pytest.raises((UnmappedProviderValue, UnreadableDelivery)):
        truth(status)
    assert NOW is not None
    with pytest.raises((UnmappedProviderValue, UnreadableDelivery)):
        reading.read_refund(refund(status), said_at=NOW)


@pytest.mark.parametrize(
    "more",
    [{"currency": "ZZZ"}, {"currency": None}, {"amount_in_minor": 25.0}, {"amount_in_minor": "25"}]
    + [{"amount_in_minor": True}, {"amount_in_minor": None}, {"id": None}, {"id": "é"}],
)
def test_an_amount_that_is_no_amount_is_refused(more: dict[str, object]) -> None:
    with pytest.raises((UnmappedProviderValue, UnreadableDelivery)):
        reading.read_payment(parse(written(payment("settled", **more))), said_at=NOW)  # type: ignore[arg-type]


def test_an_event_that_names_no_payment_cannot_be_read() -> None:
    for kind in ("payment_settled", "payment_failed", "refund_executed"):
        with pytest.raises(UnreadableDelivery):
            read(event(kind) | {"payment_id": None})


def test_the_head_of_an_event_names_it_and_its_payment() -> None:
    [head] = wire.read_deliveries(written(event("payment_settled")), mode="test")
    assert (head.key, head.event_id) == (f"payment_settled-{PAYMENT[:8]}",) * 2
    assert (head.type, head.mode, head.account) == ("payment_settled", "test", "")
    assert (head.reference, rfc3339(head.said_at)) == (PAYMENT, at(3))
    assert head.body is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b'{"type":"payment_settled"}', b'{"event_id":"e"}', b"{" * 9_000]
    + [b'{"type":"a","event_id":"\\u0000"}', b'{"type":"a","event_id":"e","event_id":"f"}']
    + [b'{"type":"a","event_id":7}', b'{"type":"a","event_id":"' + b"e" * 300 + b'"}'],
)
def test_a_signed_body_that_is_no_event_is_unreadable_and_never_crashes(body: bytes) -> None:
    with pytest.raises(UnreadableDelivery):
        wire.read_deliveries(body, mode="test")


def test_a_time_that_cannot_be_read_leaves_the_event_without_one() -> None:
    for text in ("yesterday", 7, None, "2026-11-20T10:00:03", "0001-01-01T00:00:00+23:59"):
        [head] = wire.read_deliveries(
            written(event("payment_settled", settled_at=text)), mode="test"
        )
        assert head.said_at is None
        assert read(event("payment_failed", failed_at=text)).facts[0].fact.said_at == NOW


def test_a_payers_name_and_account_are_neither_read_nor_shown() -> None:
    shown = str(redaction.redacted(loads(written(event("payment_settled", payment_source=SOURCE)))))
    kept = repr(truth("settled")) + repr(read(event("payment_executed")))
    for secret in ("HOLDER NAME", "111111", "00000111", "GB11CLRB01011100000111"):
        assert secret not in shown
        assert secret not in kept
    assert PAYMENT in shown
