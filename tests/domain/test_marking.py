"""What two people say of a payment counts until the provider speaks; money is booked once, whoever is first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Barrier, Thread

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from core.errors import AppError, Conflict, Forbidden, IllegalTransition
from core.states import Role
from domain import database, queue
from domain.actors import Actor
from domain.books import ledger, verification
from domain.control import approvals
from domain.jobs import worker
from domain.payments import asking, marking
from domain.payments.marking import Wanted
from models.cases import ExceptionCase
from models.control import Approval
from models.events import EventLog
from models.ledger import JournalEntry, Posting
from models.orders import Order
from models.payments import Payment, PaymentFact
from tests.domain import cast
from tests.domain.world import World
from tests.reliability.clients import until

CLEARING, SUSPENSE = "provider:stripe:clearing", "suspense:manual:stripe"
Mark = Callable[..., Payment]


@pytest.fixture
def mark(world: World) -> Mark:
    """Ask as Fin and agree as Flo."""
    fin, flo = cast.person("fin", Role.FINANCE), cast.person("flo", Role.FINANCE)

    def both(payment: Payment, status: str = "completed", reference: str = "BANK-1") -> Payment:
        row = ask(payment, fin, Wanted(status, reference))
        agree(row, flo)
        return world.read(payment)

    return both


def ask(payment: Payment, actor: Actor, wanted: Wanted) -> Approval:
    with database.transaction() as session:
        return marking.ask(
            session, payment.id, wanted, actor=actor, source="test", note="seen at the bank"
        )


def agree(row: Approval, actor: Actor) -> None:
    with database.transaction() as session:
        shown = row.content_hash
        approvals.agree(session, row.id, actor=actor, content_hash=shown, reason=None)


def balances() -> tuple[int, int]:
    """Give what the provider's account and suspense hold."""
    with database.reading() as session:
        clearing, suspense = (
            ledger.balance(session, address, "EUR/2") for address in (CLEARING, SUSPENSE)
        )
    return clearing, suspense


def entries() -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(JournalEntry.kind).order_by(JournalEntry.id)))


def nothing_waits() -> bool:
    worker.work_until_idle()
    with database.reading() as session:
        return queue.due_in_seconds(session) is None


def cases() -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ExceptionCase.kind)))


def is_sound() -> bool:
    report = verification.verify()
    assert report.ok, [check for check in report.checks if not check.ok]
    return True


def test_completed_by_hand_pays_the_order_from_suspense_and_stays_visible(
    world: World, mark: Mark
) -> None:
    order = world.order()
    payment = mark(world.begin(order)[1])
    assert (payment.status, payment.received_minor, payment.escrow_state) == (
        "completed",
        2500,
        "funded",
    )
    assert (balances(), entries(), cases()) == ((0, 2500), ["marked_deposit"], ["MARKED"])
    with database.reading() as session:
        assert session.get_one(Order, order.id).status == "deposit_paid"
        entry = session.scalars(select(JournalEntry)).one()
        assert (entry.note, entry.provider_reference) == ("seen at the bank", "BANK-1")
        assert entry.source.startswith("approval:apr_")
        told = set(session.scalars(select(EventLog.type)))
        assert {"approval.requested", "approval.approved", "payment.succeeded"} <= told
        assert session.scalar(select(func.sum(Posting.amount_minor))) == 0
    assert is_sound()


def test_the_providers_own_word_moves_the_money_over_and_books_nothing_twice(
    world: World, mark: Mark
) -> None:
    opened = world.payment()
    payment = mark(opened, reference=str(opened.provider_reference))
    event = world.deliver_and_apply(world.paid(payment))
    assert event.state == "processed"
    assert event.verdict is not None and "is confirmed" in event.verdict
    now = world.read(payment)
    assert (now.status, now.received_minor) == ("completed", 2500)
    assert (balances(), entries()) == ((2500, 0), ["marked_deposit", "mark_confirmed"])
    # The provider calls the money as people did, so it is the same; only the mark itself is shown.
    assert cases() == ["MARKED"]
    with database.reading() as session:
        assert session.get_one(Order, payment.order_id).paid_minor == 2500
    assert world.deliver_and_apply(world.paid(payment)).state in ("no_effect", "processed")
    assert entries() == ["marked_deposit", "mark_confirmed"]
    assert is_sound()


def test_money_under_another_name_is_booked_once_and_shown_as_perhaps_twice(
    world: World, mark: Mark
) -> None:
    payment = mark(world.payment(), reference="BANK-7")
    world.deliver_and_apply(world.paid(payment))
    assert world.read(payment).received_minor == 2500
    assert (balances(), cases()) == ((2500, 0), ["DUPLICATE_PAYMENT", "MARKED"])
    with database.reading() as session:
        found = session.scalars(
            select(ExceptionCase).where(ExceptionCase.kind == "DUPLICATE_PAYMENT")
        ).one()
        assert (found.expected, found.found) == ("BANK-7", payment.provider_reference)
        assert found.risk_minor == 2500
    assert is_sound()


@dataclass(frozen=True)
class Said:
    """What the provider says it received, and what that leads to."""

    minor: int
    balances: tuple[int, int]
    received: int
    cases: list[str]


MORE = Said(2600, (2600, 0), 2600, ["DUPLICATE_PAYMENT", "MARKED", "OVERPAID"])
LESS = Said(2400, (2400, 100), 2500, ["DUPLICATE_PAYMENT", "MARKED", "RECON_DIFFERENCE"])


@pytest.mark.parametrize("said", [MORE, LESS], ids=["more", "less"])
def test_another_amount_than_marked_is_booked_as_far_as_it_goes_and_shown(
    world: World, mark: Mark, said: Said
) -> None:
    payment = mark(world.payment())
    world.deliver_and_apply(world.paid(payment, said.minor))
    assert world.read(payment).received_minor == said.received
    assert (balances(), cases()) == (said.balances, said.cases)
    assert is_sound()


def test_the_providers_failure_after_a_mark_unsays_nothing_and_is_shown(
    world: World, mark: Mark
) -> None:
    payment = mark(world.payment())
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    now = world.read(payment)
    assert (now.status, now.received_minor) == ("completed", 2500)
    assert (balances(), cases()) == ((0, 2500), ["MARKED", "RECON_DIFFERENCE"])
    assert is_sound()


def test_a_declined_card_after_a_mark_is_no_contradiction(world: World, mark: Mark) -> None:
    payment = mark(world.payment())
    error = {"code": "card_declined", "charge": "ch_1"}
    world.deliver_and_apply(
        world.event("payment_intent.payment_failed", payment, last_payment_error=error)
    )
    assert world.read(payment).status == "completed"
    assert cases() == ["MARKED"]
    assert is_sound()


def test_what_the_provider_said_first_leaves_nothing_to_mark(world: World) -> None:
    fin, flo = cast.person("fin", Role.FINANCE), cast.person("flo", Role.FINANCE)
    payment = world.payment()
    row = ask(payment, fin, Wanted("completed", "BANK-1"))
    world.deliver_and_apply(world.paid(payment))
    agree(row, flo)
    assert (entries(), balances(), cases()) == (["deposit"], (2500, 0), [])
    with database.reading() as session:
        assert session.get_one(Approval, row.id).state == "cancelled"
    with pytest.raises(IllegalTransition):
        ask(payment, fin, Wanted("failed", "BANK-1"))
    assert is_sound()


def test_mark_and_event_at_the_same_moment_book_the_money_once(world: World) -> None:
    fin, flo = cast.person("fin", Role.FINANCE), cast.person("flo", Role.FINANCE)
    for turn in range(5):
        payment = world.payment()
        row = ask(payment, fin, Wanted("completed", f"BANK-{turn}"))
        body, together = world.paid(payment), Barrier(2)
        world.deliver(body)

        def agrees(row: Approval = row, together: Barrier = together) -> None:
            together.wait()
            with suppress(AppError):
                agree(row, flo)

        presses = Thread(target=agrees)
        presses.start()
        together.wait()
        worker.work_until_idle()
        presses.join()
        # An event that met the locked payment comes again in a moment; the worker would sleep till then.
        until(nothing_waits, what="the event that met the locked payment", seconds=20)
        now = world.read(payment)
        assert (now.status, now.received_minor) == ("completed", 2500)
    assert balances() == (5 * 2500, 0)
    assert is_sound()


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_an_end_by_hand_lets_the_order_be_paid_anew_and_late_money_lies_apart(
    world: World, mark: Mark, status: str
) -> None:
    order = world.order()
    payment = mark(world.begin(order)[1], status)
    assert (payment.status, payment.failure_reason, payment.open_key) == (status, "marked", None)
    assert (payment.provider_code, entries(), cases()) == (None, [], [])
    again = world.begin(order)[1]
    assert again.id != payment.id
    world.deliver_and_apply(world.event("payment_intent.canceled", payment, status="canceled"))
    assert world.read(payment).status == status
    world.deliver_and_apply(world.paid(payment))
    assert world.read(payment).status == status
    assert (cases(), entries()) == (["PAID_LATE"], ["late_receipt"])
    assert is_sound()


def test_a_failure_by_hand_says_so_and_blames_no_bank(world: World, mark: Mark) -> None:
    mark(world.payment(), "failed")
    with database.reading() as session:
        told = session.scalars(select(EventLog).where(EventLog.type == "payment.failed")).one()
    assert (told.body["failureReason"], told.body["stripeCode"]) == ("marked", None)


def test_one_reference_serves_one_payment(world: World, mark: Mark) -> None:
    first, second = world.payment(), world.payment()
    mark(first, reference="BANK-1")
    fin = cast.person("fia", Role.FINANCE)
    for reference in ("BANK-1", str(first.provider_reference)):
        with pytest.raises(Conflict) as refused:
            ask(second, fin, Wanted("completed", reference))
        assert refused.value.details["paymentId"] == first.id
    assert ask(second, fin, Wanted("completed", str(second.provider_reference))).state == "pending"


def test_one_reference_marked_twice_at_once_pays_one_payment(world: World) -> None:
    fin, flo = cast.person("fin", Role.FINANCE), cast.person("flo", Role.FINANCE)
    payments = [world.payment(), world.payment()]
    rows = [ask(payment, fin, Wanted("completed", "BANK-1")) for payment in payments]
    together, refused = Barrier(2), []

    def press(row: Approval) -> None:
        together.wait()
        try:
            agree(row, flo)
        except (Conflict, IntegrityError) as error:
            refused.append(error)

    racers = [Thread(target=press, args=(row,)) for row in rows]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(refused) == 1
    assert sorted(world.read(each).status for each in payments) == ["completed", "pending"]
    assert (entries(), balances()) == (["marked_deposit"], (0, 2500))
    assert is_sound()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ENGINEER, Role.AUDITOR, Role.MERCHANT])
def test_only_finance_and_admins_ask(world: World, role: Role) -> None:
    payment = world.payment()
    more = {"merchant_id": payment.merchant_id} if role == Role.MERCHANT else {}
    other = Actor("usr_x", "user", role, "X", session_id="ses_x", **more)  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        ask(payment, other, Wanted("completed", "BANK-1"))


def test_on_the_desk_the_asker_has_just_proved_themselves(world: World) -> None:
    with pytest.raises(Forbidden) as refused:
        ask(world.payment(), cast.person("fin", Role.FINANCE, fresh=False), Wanted("failed", "X"))
    assert refused.value.code == "STEP_UP_REQUIRED"


def test_asking_the_provider_confirms_a_mark_as_an_event_would(world: World, mark: Mark) -> None:
    opened = world.payment()
    payment = mark(opened, reference=str(opened.provider_reference))
    record = world.rail.intents[str(payment.provider_reference)]
    record.update(status="succeeded", amount_received=2500)
    asked = asking.ask(payment.id, actor=world.fin, source="user:usr_fin")
    assert asked.changed
    assert (balances(), cases()) == ((2500, 0), ["MARKED"])
    assert is_sound()


@pytest.mark.parametrize(
    ("tampering", "check"),
    [
        ("update payment_facts set amount_minor = 1 where kind = 'marked_completed'", "payment"),
        ("update exception_cases set kind = 'OVERPAID'", "payments_marked"),
        ("delete from payment_facts where kind = 'marked_completed'", "payment"),
    ],
)
def test_verification_finds_a_mark_that_was_tampered_with(
    world: World, mark: Mark, tampering: str, check: str
) -> None:
    mark(world.payment())
    with database.transaction() as session:
        session.connection().exec_driver_sql(tampering)
    report = verification.verify()
    assert [each.name for each in report.checks if not each.ok and each.name.startswith(check)]


def test_each_mark_is_one_fact_for_ever(world: World, mark: Mark) -> None:
    payment = mark(world.payment())
    with database.reading() as session:
        kept = select(PaymentFact).where(PaymentFact.kind == "marked_completed")
        fact = session.scalars(kept).one()
    assert (fact.fact_key, fact.payment_id) == ("marked:stripe:BANK-1", payment.id)
    assert fact.source.startswith("approval:")
