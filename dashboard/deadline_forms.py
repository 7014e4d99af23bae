"""Moving deposit deadlines in bulk: which orders, what would become of each, and then doing it in one act."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, Response

from core import clock
from core.errors import Conflict, InvalidInput
from core.permissions import Permission
from dashboard import confirming, listing, notice_acts, provider_words, render, words
from dashboard.deadlines import TRAIL
from dashboard.payment_acts import source
from dashboard.provider_words import DEADLINES
from dashboard.shapes import Alert, Input, Option, View
from domain import desk
from domain.database import reading, transaction
from domain.delays import deadlines, extensions
from domain.delays.deadlines import SENTENCES, Step, Wanted
from domain.transitions import Why
from models.orders import Order
from web import access

routes = Blueprint("desk_deadline_forms", __name__)
LONGEST_LIST = 25_000
_NAMES = ("rail", "due_before", "orders", "hours")
_FIELDS = {"extendHours": "hours", "orderIds": "orders"}
_FIELDS |= {"filter.rail": "rail", "filter.dueBefore": "due_before"}
_HOURS = {"12": "12 hours", "24": "A day", "48": "Two days", "72": "Three days", "168": "A week"}
SOON_SECONDS = 48 * 3600


@dataclass(frozen=True)
class Typed:
    """Which orders, by how much: a rail and a moment, or ids. reference: so that a second press is the same act."""

    rail: str = ""
    due_before: str = ""
    orders: str = ""
    hours: str = "24"
    reason: str = ""
    reference: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was chosen yet."""
        return not (self.orders or self.due_before)

    def wanted(self, errors: dict[str, str]) -> Wanted:
        """Read what is meant; what is wrong is put beside its field."""
        hours = int(self.hours) if self.hours.isascii() and self.hours.isdecimal() else 0
        ids = tuple(re.findall(r"[^\s,;]+", self.orders))
        if ids:
            return Wanted(hours, ids)
        before = notice_acts.instant(self.due_before, errors, "due_before")
        return Wanted(hours, rail=self.rail, due_before=before)


def _read(text: Callable[[str], str]) -> Typed:
    return Typed(
        rail=text("rail")[:40],
        due_before=text("due_before")[:40],
        orders=text("orders")[:LONGEST_LIST],
        hours=text("hours")[:6] or "24",
        reason=text("reason")[: 2 * confirming.LONGEST_REASON],
        reference=text("reference")[:64],
    )


def _inputs(typed: Typed, errors: Mapping[str, str]) -> list[Input]:
    rails = {name: provider_words.place(name, "") for name in words.rail_names()}
    hours = _HOURS if typed.hours in _HOURS else _HOURS | {typed.hours: f"{typed.hours} hours"}
    soon = f"{clock.after(SOON_SECONDS):%Y-%m-%dT%H:%M}"
    return [
        Input(
            *("rail", "Orders that wait for", "select"),
            error=errors.get("rail"),
            hint="The rail of their open payment.",
            options=[Option(name, said, name == typed.rail) for name, said in rails.items()],
        ),
        Input(
            *("due_before", "And are due before", "datetime-local"),
            value=typed.due_before or ("" if typed.orders else soon),
            error=errors.get("due_before"),
            hint="In UTC.",
        ),
        Input(
            *("orders", "Or these orders", "text-area"),
            value=typed.orders,
            error=errors.get("orders"),
            hint="Their ids, one a line. Then rail and moment do not count.",
            optional=True,
            rows=2,
        ),
        Input(
            *("hours", "Later by", "select"),
            error=errors.get("hours"),
            options=[Option(value, said, value == typed.hours) for value, said in hours.items()],
        ),
    ]


def _step_view(step: Step, order: Order | None) -> View:
    return {
        "href": f"/orders/{step.order_id}" if order else None,
        "label": (order.reference if order else None) or words.short(step.order_id),
        "what": order.description if order else "",
        "from": words.moment(step.from_at) if step.from_at else None,
        "to": words.moment(step.to_at) if step.to_at else None,
        "pays": words.moment(step.payment_to_at) if step.payment_to_at else None,
        "why": SENTENCES[step.why_not] if step.why_not else None,
    }


def _preview(typed: Typed, errors: dict[str, str]) -> View:
    """Show what would become of each order, or what is wrong with what was typed."""
    wrong: dict[str, str] = {}
    wanted = typed.wanted(wrong)
    errors |= wrong
    if wrong:
        return {"preview": None}
    try:
        with reading() as session:
            steps = deadlines.preview(session, wanted)
            orders = desk.orders_by_id(session, [step.order_id for step in steps])
    except InvalidInput as refused:
        errors |= notice_acts.fields_of(refused, _FIELDS)
        return {"preview": None}
    moved = sum(step.to_at is not None for step in steps)
    return {
        "preview": [_step_view(step, orders.get(step.order_id)) for step in steps],
        "moved": moved,
        "said": _said(moved, len(steps) - moved),
    }


def _said(moved: int, left: int) -> str:
    if not moved and not left:
        return "No order waits like this."
    text = f"{words.counted(moved, 'order')} would be due later"
    return text + (f", {left} would be left alone." if left else ".")


def _page(
    typed: Typed,
    errors: dict[str, str] | None = None,
    *,
    status: int = 200,
    problem: Alert | None = None,
) -> Response:
    errors = errors if errors is not None else {}
    view: View = {"preview": None, "moved": 0, "said": None}
    if not typed.is_empty:
        view |= _preview(typed, errors)
    if errors and status == 200:
        status = 422
    reference = typed.reference or extensions.new_reference()
    kept = {name: getattr(typed, name) for name in _NAMES} | {"reference": reference}
    view |= {
        "trail": TRAIL,
        "problem": problem,
        "action": f"{DEADLINES}/new",
        "inputs": _inputs(typed, errors),
        "kept": kept,
        "reason": confirming.reason_input(typed.reason, errors.get("reason")),
        "back": DEADLINES,
    }
    return render.page("providers/extend.html", view, status=status, live=False)


@routes.get(f"{DEADLINES}/new")
@access.page(Permission.DEADLINES_EXTEND)
def ask() -> Response:
    return _page(_read(lambda name: listing.asked_whole(name, LONGEST_LIST)))


@routes.post(f"{DEADLINES}/new")
@access.page(Permission.DEADLINES_EXTEND)
def extend() -> Response:
    typed, errors, actor = _read(render.typed), dict[str, str](), render.actor()
    wanted = typed.wanted(errors)
    if (error := confirming.reason_error(typed.reason)) is not None:
        errors["reason"] = error
    if errors:
        return _page(typed, errors, status=422)
    try:
        with transaction() as session:
            why = Why(actor, source(actor), typed.reason)
            reference = typed.reference or None
            done = extensions.extend(session, wanted, reference=reference, why=why)
    except InvalidInput as refused:
        return _page(typed, notice_acts.fields_of(refused, _FIELDS), status=422)
    except Conflict as refused:
        problem = Alert("bad", "No deadline was moved", refused.message)
        return _page(typed, status=422, problem=problem)
    left = len(done.skipped)
    text = f"{words.counted(left, 'order')} left alone; the list says why." if left else None
    render.tell(Alert("good", f"{words.counted(len(done.moved), 'deadline')} moved", text))
    return render.to(f"{DEADLINES}/{done.row.id}")
