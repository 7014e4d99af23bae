"""What is done with an invoice by hand: voiding it, issuing it anew, crediting it; each says before what will happen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from flask import Blueprint, Response, request

from core import ids, money
from core.errors import AppError
from core.money import Money, asset
from core.permissions import Permission
from dashboard import confirming, guarded, invoice_words, render, verified, words
from dashboard.confirming import Question
from dashboard.journal_words import on
from dashboard.shapes import Alert, Fact, Input, Link
from domain import calendar
from domain.database import reading, transaction
from domain.desk import Session
from domain.invoices import credit_notes, documents, invoice_desk, invoice_queries, issuing
from domain.invoices.credit_notes import Wanted
from domain.invoices.paper_kinds import Kind
from domain.orders.order_progress import lock_order
from domain.transitions import Why
from models.invoices import Invoice
from models.orders import Order
from web import access

routes = Blueprint("desk_invoice_acts", __name__)
_OWN = "finance and admins all, merchants their own"
_ONCE = re.compile(r"desk_[0-9a-z]{20,60}", re.ASCII)
Do = Callable[[Session, Order, Invoice, Why], Alert]


@dataclass(frozen=True)
class _Form:
    """What was typed. once: drawn with the form, so that pressing twice credits once."""

    reason: str = ""
    due_on: str = ""
    amount: str = ""
    once: str = field(default_factory=lambda: ids.new("desk"))


def _read() -> _Form:
    sent = request.form.get("once", "")
    once = sent if _ONCE.fullmatch(sent) else ids.new("desk")
    return _Form(confirming.reason(), render.typed("due_on"), render.typed("amount"), once)


def _find(invoice_id: str) -> Invoice:
    with reading() as session:
        return invoice_queries.get_invoice(session, invoice_id, actor=render.actor())


def _head(row: Invoice) -> tuple[str, list[Link]]:
    href = f"/invoices/{row.id}"
    return href, [Link("Invoices", "/invoices"), Link(row.number, href)]


def _facts(row: Invoice) -> list[Fact]:
    return [
        Fact("Total", money=words.money(row.total_minor, row.asset)),
        Fact("Paid", money=words.money(row.paid_minor, row.asset)),
        Fact("Stands as", state=invoice_words.state_of(row)),
    ]


def _voiding(row: Invoice, form: _Form, errors: dict[str, str]) -> Question:
    del form, errors
    href, trail = _head(row)
    return Question(
        title=f"Void invoice {row.number}",
        lead="It asks for nothing any more. It cannot be undone.",
        effects=[
            "Nobody can pay it; the buyer and the merchant are told",
            "Its number stays in the series, so that none is missing",
            "The order has no invoice for this until another is made",
        ],
        action=f"{href}/void",
        label="Void it",
        back=href,
        trail=trail,
        facts=_facts(row),
        tone="danger",
    )


def _reissuing(row: Invoice, form: _Form, errors: dict[str, str]) -> Question:
    href, trail = _head(row)
    due = form.due_on or (row.due_on.isoformat() if row.due_on else "")
    return Question(
        title=f"Issue invoice {row.number} anew",
        lead="The same lines under a new number.",
        effects=[
            "This one is void and leads to the new one",
            "The new one takes the next number of the series and is printed",
            "The buyer and the merchant are told of both",
        ],
        action=f"{href}/reissue",
        label="Issue it anew",
        back=href,
        trail=trail,
        facts=_facts(row),
        inputs=[
            Input(
                *("due_on", "Due on", "date"),
                value=due,
                error=errors.get("due_on"),
                hint="Left empty, as the old one.",
                optional=True,
            )
        ],
    )


def _crediting(row: Invoice, form: _Form, errors: dict[str, str]) -> Question:
    href, trail = _head(row)
    left = invoice_words.creditable(row)
    return Question(
        title=f"Credit invoice {row.number}",
        lead="A credit note takes a part or all of it back, tax included.",
        effects=[
            "A credit note takes the next number of its own series and is printed",
            "The tax is taken back by the rates of the invoice",
            "No money moves: a refund gives money back and writes its credit note by itself",
        ],
        action=f"{href}/credit",
        label="Write the credit note",
        back=href,
        trail=trail,
        facts=[*_facts(row), Fact("Can be credited", money=words.shown(left))],
        fields={"once": form.once},
        inputs=[
            confirming.amount_input(
                left.asset,
                form.amount or left.major(),
                error=errors.get("amount"),
                hint=f"Up to {words.plain(words.shown(left))}, tax included.",
            )
        ],
    )


_QUESTIONS = {"void": _voiding, "reissue": _reissuing, "credit": _crediting}
_WHY_NOT = {
    "void": invoice_words.why_not_void,
    "reissue": invoice_words.why_not_reissue,
    "credit": invoice_words.why_not_credit,
}
_PROBLEM = {
    "void": "It was not voided",
    "reissue": "It was not issued anew",
    "credit": "It was not credited",
}


def _ask(act: str, invoice_id: str) -> Response:
    row, actor = _find(invoice_id), render.actor()
    if (why_not := _WHY_NOT[act](row, actor)) is not None:
        render.tell(Alert("warn", "This cannot be done with this invoice", why_not))
        return render.to(f"/invoices/{row.id}")
    return confirming.show(_QUESTIONS[act](row, _Form(), {}))


def _again(
    act: str,
    row: Invoice,
    form: _Form,
    errors: dict[str, str] | None = None,
    problem: Alert | None = None,
) -> Response:
    errors = errors or {}
    question = _QUESTIONS[act](row, form, errors)
    if errors and problem is None and "reason" not in errors:
        problem = Alert("bad", _PROBLEM[act], "Something is to be corrected below.")
    return confirming.show(
        question, reason=form.reason, error=errors.get("reason"), problem=problem
    )


def _carry_out(act: str, row: Invoice, form: _Form, do: Do) -> Response:
    """Do it in one transaction with the order locked, or show the form again with what is wrong."""
    actor = render.actor()
    verified.assert_kyc(actor)
    why = Why(actor, f"user:{actor.id}", form.reason)
    try:
        with transaction() as session:
            invoice_queries.get_invoice(session, row.id, actor=actor)
            order = lock_order(session, row.order_id)
            invoice = invoice_queries.get_invoice(session, row.id, actor=actor)
            said = do(session, order, invoice, why)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        guarded.note(refused)
        return _again(act, row, form, problem=Alert("bad", _PROBLEM[act], refused.message))
    render.tell(said)
    return render.to(f"/invoices/{row.id}")


def _errors(form: _Form) -> dict[str, str]:
    wrong = confirming.reason_error(form.reason)
    return {"reason": wrong} if wrong else {}


@routes.get("/invoices/<invoice_id>/void")
@access.page(Permission.INVOICES_ISSUE, note=_OWN)
def ask_void(invoice_id: str) -> Response:
    return _ask("void", invoice_id)


@routes.post("/invoices/<invoice_id>/void")
@access.page(Permission.INVOICES_ISSUE, note=_OWN)
def void(invoice_id: str) -> Response:
    row, form = _find(invoice_id), _read()
    if errors := _errors(form):
        return _again("void", row, form, errors)

    def do(session: Session, order: Order, invoice: Invoice, why: Why) -> Alert:
        issuing.void(session, order, invoice, reason=form.reason, why=why)
        return Alert("good", f"Invoice {invoice.number} is void")

    return _carry_out("void", row, form, do)


@routes.get("/invoices/<invoice_id>/reissue")
@access.page(Permission.INVOICES_ISSUE, note=_OWN)
def ask_reissue(invoice_id: str) -> Response:
    return _ask("reissue", invoice_id)


@routes.post("/invoices/<invoice_id>/reissue")
@access.page(Permission.INVOICES_ISSUE, note=_OWN)
def reissue(invoice_id: str) -> Response:
    row, form = _find(invoice_id), _read()
    due_on, wrong = _due(form.due_on)
    errors = _errors(form) | ({"due_on": wrong} if wrong else {})
    if errors:
        return _again("reissue", row, form, errors)

    def do(session: Session, order: Order, invoice: Invoice, why: Why) -> Alert:
        new = issuing.reissue(session, order, invoice, due_on=due_on, why=why)
        href = f"/invoices/{new.id}"
        return Alert("good", f"Issued anew as {new.number}", None, href, "Open the new invoice")

    return _carry_out("reissue", row, form, do)


def _due(text: str) -> tuple[date | None, str | None]:
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        return None, "Use a day such as 2026-11-21."
    if found is not None and found < calendar.today():
        return None, f"{on(found)} is over."
    return found, None


@routes.get("/invoices/<invoice_id>/credit")
@access.page(Permission.CREDIT_NOTES_ISSUE)
def ask_credit(invoice_id: str) -> Response:
    return _ask("credit", invoice_id)


@routes.post("/invoices/<invoice_id>/credit")
@access.page(Permission.CREDIT_NOTES_ISSUE)
def credit(invoice_id: str) -> Response:
    row, form, actor = _find(invoice_id), _read(), render.actor()
    if (made := _made_before(row, form.once)) is not None:
        render.tell(Alert("good", f"Credit note {made} is written"))
        return render.to(f"/invoices/{row.id}")
    amount, wrong = _amount(row, form.amount)
    errors = _errors(form) | ({"amount": wrong} if wrong else {})
    if errors or amount is None:
        return _again("credit", row, form, errors)
    wanted = Wanted(reason=form.reason, amount=amount, reference=form.once)

    def do(session: Session, order: Order, invoice: Invoice, why: Why) -> Alert:
        note = credit_notes.issue(session, order, invoice, wanted, actor=actor, why=why)
        return Alert("good", f"Credit note {note.number} is written")

    return _carry_out("credit", row, form, do)


def _made_before(row: Invoice, once: str) -> str | None:
    """Find the credit note that this very form wrote already."""
    with reading() as session:
        notes = invoice_desk.credit_notes_of(session, row.id)
    return next((each.number for each in notes if each.reference == once), None)


def _amount(row: Invoice, text: str) -> tuple[Money | None, str | None]:
    of, left = asset(row.asset), invoice_words.creditable(row)
    try:
        found = money.parse(text.replace(",", "") if of.scale == 0 else text, of)
    except ValueError:
        return None, f"Write an amount such as {left.major()}, without a currency."
    if found.minor <= 0:
        return None, "Credit more than nothing."
    if left < found:
        return None, f"At most {words.plain(words.shown(left))} can still be credited."
    return found, None


@routes.post("/invoices/<invoice_id>/print")
@access.page(Permission.INVOICES_READ, note=_OWN)
def have_printed(invoice_id: str) -> Response:
    """Have the document of an invoice printed that was made before documents were."""
    row = _find(invoice_id)
    with transaction() as session:
        documents.ask_for(session, Kind.INVOICE, row.id)
    return render.to(f"/invoices/{row.id}")
