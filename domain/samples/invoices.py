"""The invoices of sample orders: opened with the order, the final one with its deposit, numbered per batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.book_states import Invoice as Status
from core.states import Order as OrderStatus
from domain import calendar
from domain.invoices import folding, numbers
from domain.invoices.drafting import BALANCE, DEPOSIT, FULL
from domain.invoices.folding import Asked, Folded
from domain.samples.bulk import Row, Sheaf
from domain.samples.dice import Namer
from domain.samples.story import Attempt, Story
from models.invoices import Invoice, InvoicePayment

_OVER = (OrderStatus.CANCELLED, OrderStatus.EXPIRED)


@dataclass(frozen=True)
class Bills:
    """The names of an order's invoices and of their pay pages, by purpose, in the order of their opening."""

    names: dict[str, str]
    pages: dict[str, str]
    opened_at: dict[str, datetime]
    asked: dict[str, int]

    def paid_by(self, attempt: Attempt) -> str:
        """Name the invoice that an attempt pays."""
        return self.names.get(attempt.purpose) or next(iter(self.names.values()))


def bills_of(story: Story, namer: Namer) -> Bills:
    """Say which invoices a sample order has."""
    opened_at: dict[str, datetime] = {}
    asked: dict[str, int] = {}
    deposit = story.deposit_minor
    if deposit is None or deposit >= story.total_minor:
        opened_at[FULL], asked[FULL] = story.made_at, story.total_minor
    else:
        opened_at[DEPOSIT], asked[DEPOSIT] = story.made_at, deposit
        if story.attempts[0].received_minor:
            told_at = story.attempts[0].told_at
            opened_at[BALANCE], asked[BALANCE] = told_at, story.total_minor - deposit
    names = {name: namer.at("inv", at) for name, at in opened_at.items()}
    pages = {name: namer.at("ip", at) for name, at in opened_at.items()}
    return Bills(names, pages, opened_at, asked)


def current(story: Story, bills: Bills) -> str | None:
    """Name the invoice of an order that stands now."""
    return None if story.status in _OVER else list(bills.names.values())[-1]


def add(sheaf: Sheaf, story: Story, bills: Bills, *, order_id: str, payment_ids: list[str]) -> None:
    """Add an order's invoices and who pays what of them; their numbers come with the batch's end.

    payment_ids: of the story's attempts, in their order. Writes: invoices, invoice_payments, through
    the sheaf.
    """
    folded = _folded(story, bills, payment_ids)
    last = story.attempts[-1]
    for purpose, invoice_id in bills.names.items():
        stands = folded.standings[invoice_id]
        opened_at = bills.opened_at[purpose]
        is_void = story.status in _OVER and stands.status == Status.OPEN
        row: Row = {
            "id": invoice_id,
            "number": "",
            "number_no": 0,
            "order_id": order_id,
            "merchant_id": story.merchant_id,
            "buyer_id": story.buyer_id,
            "seller_id": story.seller_id,
            "purpose": purpose,
            "status": (Status.VOID if is_void else stands.status).value,
            "asset": str(story.asset),
            "total_minor": bills.asked[purpose],
            "tax_minor": 0,
            "paid_minor": stands.paid,
            "confirmed_minor": stands.confirmed,
            "refunded_minor": 0,
            "credited_minor": 0,
            "allowed_minor": 0,
            "written_off_minor": 0,
            "issued_on": calendar.day_of(opened_at),
            "open_key": None if is_void else f"{order_id}:{purpose}",
            "public_id": bills.pages[purpose],
            "void_reason": f"The order was {story.status.value}" if is_void else None,
            "event_sequence": 0,
            "livemode": False,
            "demo": True,
            "created_at": opened_at,
            "updated_at": max(opened_at, last.ended_at),
        }
        sheaf.add(Invoice, row)
    for (invoice_id, payment_id), pair in folded.pairs.items():
        paid: Row = {
            "invoice_id": invoice_id,
            "payment_id": payment_id,
            "paid_minor": pair.paid,
            "confirmed_minor": pair.confirmed,
            "refunded_minor": 0,
            "created_at": last.begun_at,
            "updated_at": last.ended_at,
        }
        sheaf.add(InvoicePayment, paid)


def _folded(story: Story, bills: Bills, payment_ids: list[str]) -> Folded:
    shares = [
        folding.share(
            payment_id,
            bills.paid_by(attempt),
            attempt.status.value,
            amount=attempt.amount_minor,
            received=attempt.received_minor,
        )
        for payment_id, attempt in zip(payment_ids, story.attempts, strict=True)
    ]
    asked = [Asked(bills.names[purpose], minor) for purpose, minor in bills.asked.items()]
    return folding.fold(asked, shares)


def number(session: Session, sheaf: Sheaf) -> None:
    """Give a batch's invoices the next numbers of their series, oldest first; one statement per series.

    The merchants must be there. Writes: number_series. Transaction: caller's.
    """
    series: dict[tuple[str, int], list[Row]] = {}
    for row in sheaf.rows[Invoice]:
        issued_on = str(row["issued_on"])
        series.setdefault((str(row["merchant_id"]), int(issued_on[:4])), []).append(row)
    for (merchant_id, year), rows in sorted(series.items()):
        last = numbers.take_many(
            session, merchant_id, numbers.INVOICE, year=year, livemode=False, count=len(rows)
        )
        rows.sort(key=lambda row: (str(row["created_at"]), str(row["id"])))
        for no, row in enumerate(rows, start=last - len(rows) + 1):
            row["number_no"] = no
            row["number"] = numbers.written(numbers.INVOICE, year, no)
