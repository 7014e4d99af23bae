"""Stories of the books: entries by hand, reservations, what providers book themselves, invoices, comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal

from sqlalchemy import select

from core import ids
from core.errors import AppError
from core.money import Money, asset
from domain import database
from domain.books import accounts, ledger, reserving
from domain.invoices import credit_notes, issuing
from domain.reconciliation import backfill, dust, payout_matching, payouts
from domain.reconciliation.payout_matching import BankLine
from domain.transitions import Why
from models.invoices import Invoice
from models.orders import Order
from models.reconciliation import ProviderPayout
from providers.stripe import bookings as stripe_bookings
from providers.stripe.things import Thing
from tests.domain import booking, fake_bookings, invoicing, journaling, mirror, refunding, wallets
from tests.domain.journaling import OPENING, line, posted, wanted
from tests.domain.stories import Players, Story

EUR = asset("EUR")


def _people_post_and_reverse(on: Players) -> None:
    where = journaling.place(on.world)
    wallets.top_up(on.world.bo, wallets.keep_card(on.world.bo.id), 900, code="EUR")
    merchant = f"merchant:{_merchant(where.order_id)}:payable"
    wallet = f"wallet:{where.payment.buyer_id}:balance"
    addresses = (
        *(where.funds, merchant, wallet, where.hold, "provider:stripe:clearing"),
        *("suspense:manual:stripe", "transit:stripe", "cash:main", "fees:stripe"),
        *(f"payment:{where.payment.id}:unapplied", f"revenue:{_merchant(where.order_id)}"),
    )
    for address in addresses:
        entry_id = posted(wanted(where, line(OPENING, address)), on.fin, on.flo)
        journaling.reversed_by(entry_id, on.fin, on.flo)
        posted(wanted(where, line(OPENING, address, "2.00")), on.fin, on.flo)
        posted(wanted(where, line(address, OPENING, "1.00")), on.fin, on.flo)


def _merchant(order_id: str) -> str:
    with database.reading() as session:
        own = select(Invoice.merchant_id).where(Invoice.order_id == order_id)
        return session.scalars(own).first() or ""


def _a_wallet_is_reserved_of_and_spent(on: Players) -> None:
    wallets.top_up(on.world.bo, wallets.keep_card(on.world.bo.id), 1_000, code="EUR")
    wallet = accounts.wallet(on.world.bo.id)
    for is_spent in (True, False):
        with database.transaction() as session:
            kept = reserving.reserve(
                session,
                wallet,
                Money(400, EUR),
                source_key=ids.new("key"),
                source="played",
                ties=ledger.Ties(),
            )
        with database.transaction() as session:
            if is_spent:
                to = accounts.revenue("mrc_house")
                reserving.spend(
                    session, kept.entry_id, to, source_key=ids.new("key"), source="played"
                )
            else:
                reserving.void(session, kept.entry_id, source="played")


def _a_provider_books_what_it_does(on: Players) -> None:
    first = booking.arrival(booking.paid(on.world))
    on.world.rail.transactions[str(first["id"])] = first
    paid_out = on.world.rail.pay_out(str(first["id"]))
    abroad = booking.arrival(booking.paid(on.world), amount=2_713, fee=136, currency="usd")
    booking.take(
        *on.world.rail.transactions.values(),
        abroad | {"exchange_rate": Decimal("1.0851")},
        fake_bookings.transaction("stripe_fee", -200),
        fake_bookings.transaction("adjustment", 1_000, fee=5),
    )
    _pay_out(on, paid_out)


def _pay_out(on: Players, record: Thing) -> None:
    said = stripe_bookings.said_payout(record)
    with database.transaction() as session:
        payouts.hear(session, booking.BOOK, [said], why=booking.WHY)
        own = ProviderPayout.provider_reference == str(record["id"])
        payout_id = session.scalars(select(ProviderPayout.id).where(own)).one()
    shown = BankLine(
        account="main",
        reference=ids.new("line"),
        amount=Money(int(str(record["amount"])), EUR),
        booked_on=date(2026, 9, 22),
    )
    with database.transaction() as session:
        payout_matching.match(
            session, payout_id, shown, actor=on.fin, source="played", note="on the statement"
        )


def _residue_is_dust(on: Players) -> None:
    payment = booking.paid(on.world)
    ties = ledger.Ties(
        payment_id=payment.id, provider="stripe", provider_reference=payment.provider_reference
    )
    with database.transaction() as session:
        for minor in (2, -3):
            dust.book(
                session,
                Money(minor, EUR),
                tolerance=Money(3, EUR),
                against=accounts.unapplied(payment.id),
                ties=ties,
                key=ids.new("key"),
                why=booking.WHY,
            )


def _invoices_are_voided_issued_anew_and_credited(on: Players) -> None:
    why = Why(on.fin, "played", "Wrong address")
    for act in ("void", "reissue"):
        order = on.world.order()
        with database.transaction() as session:
            locked = invoicing.locked(session, order)
            own = session.get_one(Invoice, invoicing.of_order(order)[0].id)
            if act == "void":
                issuing.void(session, locked, own, reason="Wrong address", why=why)
            else:
                issuing.reissue(session, locked, own, due_on=None, why=why)
        on.world.deliver_and_apply(on.world.paid(on.world.begin(order)[1]))
    payment = booking.paid(on.world)
    refunding.ask(payment, 700, on.fin)
    refunding.send_all()
    invoicing.work()
    credited = booking.paid(on.world)
    wanted_note = credit_notes.Wanted("Goodwill", amount=Money(300, EUR))
    with database.transaction() as session:
        row = session.get_one(Order, credited.order_id)
        locked = invoicing.locked(session, row)
        own = session.get_one(Invoice, locked.invoice_id)
        credit_notes.issue(session, locked, own, wanted_note, actor=on.fin, why=why)


def _what_no_event_told_is_applied_by_a_comparison(on: Players) -> None:
    payment = on.world.payment()
    on.world.rail.intents[str(payment.provider_reference)] |= {
        "status": "succeeded",
        "amount_received": payment.amount_minor,
    }
    run = mirror.compare()
    with suppress(AppError), database.transaction() as session:
        backfill.start(
            session,
            run.id,
            actor=on.fin,
            reason="webhooks were off",
            source="played",
            expected=None,
        )
    mirror.work()


STORIES: Mapping[str, Story] = {
    told.__name__.strip("_").replace("_", " "): told
    for told in (
        _people_post_and_reverse,
        _a_wallet_is_reserved_of_and_spent,
        _a_provider_books_what_it_does,
        _residue_is_dust,
        _invoices_are_voided_issued_anew_and_credited,
        _what_no_event_told_is_applied_by_a_comparison,
    )
}
