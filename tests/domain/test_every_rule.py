"""Each rule of the books has a fault that it alone finds: it holds its own place, opens one case, and yields once mended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import Engine, select, text

from core.errors import Conflict
from core.money_out import Act
from domain import database
from domain.books import chains
from domain.control import approvals
from domain.jobs import signing
from domain.watch.rules import RULES
from models.audit import AuditRow
from models.payments import Payment
from models.refunds import Refund
from models.watch import Invariant
from tests.domain import asking, journaling, proofs_of_all, refunding, wallets
from tests.domain.tampering import unguarded
from tests.domain.test_watch import active, ask_to_lift, found_cases, red, watch
from tests.domain.world import World

Scope = tuple[str, str]
ALL: Scope = ("all", "")
HOLD = "address = 'order:' || :order || '\\:escrow_hold'"
OF_PAYMENT = "(select id from journal_entries where payment_id = :payment)"


@dataclass
class Books:
    """What there is to break: ids by the names that the statements use."""

    ids: dict[str, str] = field(default_factory=dict)

    def order(self) -> Scope:
        return "order", self.ids["order"]

    def both(self) -> set[Scope]:
        return {("order", self.ids["order"]), ("order", self.ids["other_order"])}

    def merchant(self) -> Scope:
        return "merchant", self.ids["merchant"]


@dataclass(frozen=True)
class Fault:
    """Statements that break one rule, those that mend it, and the places that must be held meanwhile.

    also: the rules that cannot hold without it.
    """

    breaks: Sequence[str]
    mends: Sequence[str]
    holds: Callable[[Books], Scope | set[Scope]]
    also: frozenset[str] = frozenset()


def _fault(breaks: str, mends: str, holds: Callable[[Books], Scope | set[Scope]]) -> Fault:
    return Fault(breaks.split(";"), mends.split(";"), holds)


def _all(_: Books) -> Scope:
    return ALL


# Both lines of a movement change their sides: all still adds up, and the account is overdrawn.
_OVERDRAW = (
    "update postings set amount_minor = -amount_minor where line in (3, 4) and entry_id = "
    f"{OF_PAYMENT};update account_balances set balance_minor = -balance_minor where {HOLD}"
)
_OVERDRAW_PAYABLE = (
    "update postings set amount_minor = -amount_minor where entry_id = :by_hand;"
    "update account_balances set balance_minor = -balance_minor"
    " where address = 'merchant:' || :merchant || '\\:payable'"
)
_TURNED = "content_hash = substr(content_hash, 2) || substr(content_hash, 1, 1)"
_TURNED_BACK = "content_hash = substr(content_hash, 64) || substr(content_hash, 1, 63)"
FAULTS = {
    # No line stands without its entry: what is out in sum is out in an entry, and holds that one's order too.
    "currencies_balance": replace(
        _fault(
            "update postings set amount_minor = amount_minor + 1 where line = 1 and entry_id = :by_hand",
            "update postings set amount_minor = amount_minor - 1 where line = 1 and entry_id = :by_hand",
            lambda books: {ALL, ("order", books.ids["by_hand_order"])},
        ),
        also=frozenset({"entries_balance"}),
    ),
    "entries_balance": _fault(
        f"update journal_seals set postings = postings + 1 where entry_id = {OF_PAYMENT}",
        f"update journal_seals set postings = postings - 1 where entry_id = {OF_PAYMENT}",
        Books.order,
    ),
    "journal_as_chained": _fault(
        f"update journal_entries set {_TURNED} where id = {OF_PAYMENT}",
        f"update journal_entries set {_TURNED_BACK} where id = {OF_PAYMENT}",
        _all,
    ),
    "audit_as_chained": _fault(
        f"update audit_log set {_TURNED} where id = :audited",
        f"update audit_log set {_TURNED_BACK} where id = :audited",
        _all,
    ),
    "chains_as_signed": _fault(
        "update checkpoints set hash = 'x' || substr(hash, 1, 63) where chain = 'journal'",
        "update checkpoints set hash = (select hash from chain_links where chain_links.chain ="
        " checkpoints.chain and chain_links.seq = checkpoints.seq) where chain = 'journal'",
        _all,
    ),
    "kept_balances": _fault(
        f"update account_balances set balance_minor = balance_minor + 7 where {HOLD}",
        f"update account_balances set balance_minor = balance_minor - 7 where {HOLD}",
        Books.order,
    ),
    "holds_not_overdrawn": _fault(_OVERDRAW, _OVERDRAW, Books.order),
    "accounts_not_overdrawn": _fault(_OVERDRAW_PAYABLE, _OVERDRAW_PAYABLE, Books.merchant),
    "accounts_charted": _fault(
        f"update ledger_accounts set kind = 'income' where {HOLD}",
        f"update ledger_accounts set kind = 'liability' where {HOLD}",
        Books.order,
    ),
    "payments_settled_once": _fault(
        f"update journal_entries set kind = 'fee' where id = {OF_PAYMENT}",
        f"update journal_entries set kind = 'deposit' where id = {OF_PAYMENT}",
        Books.order,
    ),
    "references_used_once": _fault(
        "update payments set provider_reference = :reference where id = :other",
        "update payments set provider_reference = :other_reference where id = :other",
        Books.both,
    ),
    "orders_paid": _fault(
        "update orders set paid_minor = paid_minor + 1 where id = :order",
        "update orders set paid_minor = paid_minor - 1 where id = :order",
        Books.order,
    ),
    "refunds_within_received": _fault(
        "update payments set refunded_minor = refunded_minor + 1 where id = :payment",
        "update payments set refunded_minor = refunded_minor - 1 where id = :payment",
        Books.order,
    ),
    "refund_references_used_once": _fault(
        "update refunds set provider_reference = :refund_reference where id = :other_refund",
        "update refunds set provider_reference = :other_refund_reference where id = :other_refund",
        lambda books: {("order", books.ids["large_order"]), ("order", books.ids["refunded_order"])},
    ),
    "refunds_agreed": _fault(
        "update approvals set amount_minor = amount_minor - 1 where id = :approval",
        "update approvals set amount_minor = amount_minor + 1 where id = :approval",
        lambda books: ("order", books.ids["large_order"]),
    ),
    "wallet_credits": _fault(
        "update effects set payment_id = :also_paid_in where payment_id = :paid_in"
        " and kind = 'wallet_credit'",
        "update effects set payment_id = :paid_in where payment_id = :also_paid_in"
        " and kind = 'wallet_credit' and amount_minor = 2500",
        Books.merchant,
    ),
    "wallet_balances": _fault(
        "update payments set credited_minor = credited_minor + 5 where id = :paid_in",
        "update payments set credited_minor = credited_minor - 5 where id = :paid_in",
        Books.merchant,
    ),
}


@pytest.fixture
def books(world: World, staff: asking.Staff) -> Books:
    """Some of everything that a rule is about, linked and signed."""
    payment, other = refunding.paid(world), refunding.paid(world)
    refunded = refunding.paid(world)
    small = refunding.ask(refunded, 500, staff.fin)
    large = refunding.paid(world, 100_000)
    agreed = refunding.ask(large, 60_000, staff.fin)
    refunding.agree(agreed, staff.flo)
    refunding.send_all()
    paid_in, also = (
        wallets.top_up(world.bo, wallets.keep_card(world.bo.id), minor) for minor in (2_500, 900)
    )
    where = journaling.place(world)
    payable = journaling.line(journaling.OPENING, f"merchant:{payment.merchant_id}:payable")
    by_hand = journaling.posted(journaling.wanted(where, payable), staff.fin, staff.flo)
    chains.link_all()
    signing.sign_due()
    with database.reading() as session:
        audited = session.scalars(select(AuditRow.id).order_by(AuditRow.id)).first()
        refunds = {row.id: row for row in session.scalars(select(Refund))}
    return Books(
        {
            **_named("", payment),
            **_named("other", other),
            **_named("large", large),
            **_named("refunded", refunded),
            "merchant": payment.merchant_id,
            "paid_in": paid_in.id,
            "also_paid_in": also.id,
            "by_hand": by_hand,
            "by_hand_order": where.order_id,
            "audited": str(audited),
            "approval": str(agreed.approval_id),
            "other_refund": small.id,
            "refund_reference": str(refunds[agreed.id].provider_reference),
            "other_refund_reference": str(refunds[small.id].provider_reference),
        }
    )


def _named(word: str, payment: Payment) -> dict[str, str]:
    front = f"{word}_" if word else ""
    return {
        word or "payment": payment.id,
        f"{front}order": str(payment.order_id),
        f"{front}reference": str(payment.provider_reference),
    }


def carry_out(engine: Engine, books: Books, statements: Sequence[str]) -> None:
    with unguarded(engine) as connection:
        for statement in statements:
            names = {name: value for name, value in books.ids.items() if f":{name}" in statement}
            statement_ = text(statement)
            known = {name: names[name] for name in statement_.compile().params}
            assert connection.execute(statement_, known).rowcount >= 1, statement


def standing() -> dict[str, str]:
    with database.reading() as session:
        return {row.name: row.state for row in session.scalars(select(Invariant))}


def test_each_rule_alone_finds_its_fault_holds_its_place_and_yields_when_mended(
    books: Books, engine: Engine, staff: asking.Staff
) -> None:
    assert FAULTS.keys() == RULES.keys()
    watch()
    assert standing() == dict.fromkeys(RULES, "green")
    seen: set[str] = set()
    for name, fault in FAULTS.items():
        carry_out(engine, books, fault.breaks)
        watch()
        watch()
        assert (name, red()) == (name, {name} | fault.also)
        wanted = fault.holds(books)
        held = {(row.scope, row.scope_id) for row in active()}
        assert (name, held) == (name, wanted if isinstance(wanted, set) else {wanted})
        seen |= {name} | fault.also
        cases = [row.subject_key.split(":")[1] for row in found_cases()]
        assert sorted(cases) == sorted(seen), "one case for a rule, however often it breaks"
        for row in active():
            with pytest.raises(Conflict) as refused:
                ask_to_lift(row, staff.fin)
            assert refused.value.code == "INVARIANT_RED"
        carry_out(engine, books, fault.mends)
        watch()
        assert (name, red()) == (name, set())
        for row in active():
            ask_to_lift(row, staff.fin)
            with database.reading() as session:
                waiting = approvals.find_open(session, Act.FREEZE_LIFT, row.id)
            assert waiting is not None
            asking.agree(waiting, staff.flo)
        assert active() == []
    assert proofs_of_all.problems() == []


def test_a_top_up_without_its_receipt_holds_its_merchant(books: Books, engine: Engine) -> None:
    lost = "update journal_entries set kind = 'fee' where payment_id = :paid_in and kind = 'top_up'"
    carry_out(engine, books, [lost])
    watch()
    assert red() == {"payments_settled_once"}
    assert {(row.scope, row.scope_id) for row in active()} == {books.merchant()}
