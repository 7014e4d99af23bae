"""The panels of home, prepared from rows: today's numbers, queues, providers, latest changes. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.money_out import RULES, Act
from core.permissions import Permission
from core.states import Role
from dashboard import (
    case_words,
    dispute_panel,
    hold_words,
    home_side,
    invoice_panel,
    orders,
    payments,
    states,
    watch_words,
    words,
)
from dashboard.shapes import State, View
from domain import desk, desk_queries
from domain.actors import Actor
from domain.cases import case_queries
from domain.cases.case_queries import CaseFilter
from domain.control import approval_queries
from domain.control.approval_queries import ApprovalFilter, list_approvals
from domain.desk import Around, Session
from domain.desk_queries import Today
from domain.orders.order_queries import OrderFilter, list_orders
from domain.payments import captures
from domain.payments.payment_queries import list_payments
from domain.payments.payments import Page, PaymentFilter
from models.cases import ExceptionCase
from models.control import Approval
from models.inbound import InboundEvent
from models.operations import Operation
from models.payments import Payment

ROWS = 5
MOST_SUMS = 4


def today_view(today: Today, zone: str, *, actor: Actor) -> View:
    """Prepare the row of numbers; each leads to the list that it counts."""
    is_staff = actor.is_staff
    figures = [
        _received(today, actor),
        {
            "label": "Waiting",
            "value": desk.capped(today.pending),
            "text": "not paid yet",
            "href": "/payments?state=pending",
            "shape": "open",
            "tone": "quiet",
        },
        {
            "label": "Paid, not final",
            "value": desk.capped(today.processing),
            "text": _oldest(today),
            "href": "/payments?state=paid",
            "shape": "half",
            "tone": "info",
        },
        {
            "label": "Failed",
            "value": desk.capped(today.declined + today.expired),
            "text": _ended(today),
            "href": "/payments?state=failed",
            "shape": "failed",
            "tone": "bad",
        },
    ]
    if is_staff:
        figures.append(
            {
                "label": "Events received",
                "value": desk.capped(today.events),
                "text": "from all providers",
                "href": "/webhooks",
                "shape": "dot",
                "tone": "quiet",
            }
        )
    counted = "Demo traffic is counted too, and labelled wherever it is shown. " if is_staff else ""
    note = f"Money, failures and events since midnight {zone}. {counted}Waiting counts every day."
    return {"title": "Today in numbers", "note": note, "figures": figures}


def _received(today: Today, actor: Actor) -> View:
    text = words.counted(today.confirmed, "confirmed payment")
    if not actor.is_staff:
        text += " of those started today"
    sums = [words.shown(each) for each in today.received[:MOST_SUMS]]
    if len(today.received) > MOST_SUMS:
        more = len(today.received) - MOST_SUMS
        text += f", and {words.counted(more, 'more currency', 'more currencies')}"
    return {
        "label": "Paid" if actor.role == Role.BUYER else "Received",
        "value": "Nothing yet",
        "sums": sums,
        "text": text,
        "href": "/payments?state=confirmed",
        "shape": "done",
        "tone": "good",
    }


def _ended(today: Today) -> str:
    if not today.declined + today.expired:
        return "none since midnight"
    return f"{desk.capped(today.declined)} failed, {desk.capped(today.expired)} expired"


def _oldest(today: Today) -> str:
    if today.oldest_processing_at is None:
        return "nothing on its way"
    return f"oldest {words.relative(today.oldest_processing_at)}"


def staff_view(session: Session, actor: Actor) -> View:
    """Prepare the four questions for the people who run payments."""
    counted = desk_queries.inbound_counts(session)
    broken, ageing = _broken(session, counted), _ageing(session, actor, counted)
    cases = _cases(session, actor)
    agreeing = _approvals(session, actor)
    waiting = sum(int(str(panel["total"])) for panel in (agreeing, broken, cases))
    needs = "Nothing needs you right now."
    if waiting:
        needs = f"{words.counted(waiting, 'thing needs', 'things need')} a look."
    return {
        "needs": needs,
        "queues": [
            *(agreeing, dispute_panel.view(session, actor), broken, ageing, cases),
            *invoice_panel.views(session, actor),
        ],
        "providers": [
            home_side.provider_view(each, str(broken["href"]))
            for each in desk_queries.provider_health(session)
        ],
        "processes": [*home_side.processes(session), watch_words.badge(session, actor)],
        "activity": home_side.activity(session, actor),
    }


def _shown(number: int) -> int | str:
    """Give a count that templates can also ask whether it is nothing."""
    return desk.capped(number) if number else 0


def _approvals(session: Session, actor: Actor) -> View:
    total = desk_queries.approval_counts(session, actor=actor)["needs_me"]
    wanted = ApprovalFilter(needs_me=True)
    found, _ = list_approvals(session, wanted, actor=actor, page=Page(limit=ROWS))
    names = approval_queries.names_of(session, found, actor=actor)
    return {
        "id": "approvals",
        "title": "Needs your approval",
        "count": _shown(total),
        "total": total,
        "tone": "warn",
        "href": "/approvals",
        "link": "All approvals",
        "rows": [_approval_row(row, names) for row in found],
        "empty": "Nothing waits for a second person who could be you.",
    }


def _approval_row(row: Approval, names: Mapping[str, str]) -> View:
    has_money = row.amount_minor is not None and row.asset is not None
    asker = names.get(row.requested_by, row.requested_by)
    return {
        "id": row.id,
        "state": states.APPROVAL[row.state],
        "title": row.text,
        "text": f"{RULES[Act(row.kind)].label} · asked by {asker}",
        "at": words.moment(row.requested_at),
        "amount": words.money(row.amount_minor or 0, row.asset or "") if has_money else None,
        "href": f"/approvals/{row.id}",
        "demo": row.demo,
    }


def _broken(session: Session, counted: dict[str, int]) -> View:
    events = desk_queries.broken_events(session, limit=ROWS)
    unknown = desk_queries.unknown_operations(session, limit=ROWS)
    paid_for = [each.payment_id for each in unknown] + [each.payment_id for each in events]
    concerned = desk.payments_by_id(session, paid_for)
    rows = [_unknown_row(each, concerned) for each in unknown]
    rows += [_event_row(each, concerned) for each in events]
    failing = [state for state in desk_queries.FAILING if counted[state]]
    total = sum(counted[state] for state in failing) + desk_queries.count_unknown(session)
    # The list to lead to: the first kind of broken event that there is.
    worst = failing[0] if failing else desk_queries.FAILING[0]
    return {
        "id": "broken",
        "title": "What is broken",
        "count": _shown(total),
        "total": total,
        "tone": "bad",
        "note": "events not applied, answers lost",
        "href": f"/webhooks?state={worst}",
        "link": f"{states.INBOUND[worst].word.split(',')[0]} events",
        "rows": rows[:ROWS],
        "empty": "Every event was applied, and every provider answered.",
    }


def _event_row(row: InboundEvent, concerned: dict[str, Payment]) -> View:
    payment = concerned.get(row.payment_id or "")
    return {
        "id": row.id,
        "state": states.of_inbound(row),
        "title": row.type,
        "text": words.verdict(row.last_error or row.verdict or "Not applied"),
        "at": words.moment(row.received_at),
        "amount": words.money(payment.amount_minor, payment.asset) if payment else None,
        "href": f"/webhooks/{row.id}",
        "demo": bool(payment and payment.demo),
    }


def _unknown_row(row: Operation, concerned: dict[str, Payment]) -> View:
    payment = concerned.get(row.payment_id or "")
    provider = words.provider_label(row.provider)
    asked = words.counted(row.attempts, "time")
    again = f", next {words.relative(row.due_at)}" if row.due_at else ""
    return {
        "id": row.id,
        "state": State("Outcome unknown", "question", "warn"),
        "title": f"{row.kind.replace('_', ' ').capitalize()} without an answer",
        "text": f"{provider} did not answer. Asked {asked}{again}.",
        "at": words.moment(row.created_at),
        "amount": words.money(payment.amount_minor, payment.asset) if payment else None,
        "href": f"/payments/{row.payment_id}" if row.payment_id else "/payments",
        "demo": bool(payment and payment.demo),
    }


def _ageing(session: Session, actor: Actor, counted: dict[str, int]) -> View:
    old, number = desk_queries.old_payments(session, actor=actor, limit=ROWS)
    unmatched = desk_queries.old_events(session, limit=2)
    around = desk.around_payments(session, old, actor=actor)
    holds = captures.list_ending(session, actor=actor, limit=ROWS)
    rows = [hold_words.ending_row(each) for each in holds]
    rows += [_event_row(each, {}) for each in unmatched]
    named = {each.id for each in holds}
    rows += [payment_row(each, around) for each in old if each.id not in named]
    total = number + counted["unmatched"] + desk_queries.count_young_holds(session, actor=actor)
    return {
        "id": "ageing",
        "title": "What is getting old",
        "count": _shown(total),
        "total": total,
        "tone": "warn",
        "note": "unsettled for an hour, unmatched, or about to lapse",
        "href": "/payments?state=pending",
        "link": "All waiting payments",
        "rows": rows[:ROWS],
        "empty": "Nothing has waited for more than an hour.",
    }


def payment_row(row: Payment, around: Around) -> View:
    """Prepare a payment as a row of a queue."""
    order = around.orders.get(row.order_id or "")
    is_open = row.status in desk_queries.UNSETTLED
    said = states.sub_words(row.sub_state, row.rail) or "Waiting"
    where = f"{said} · " if is_open else ""
    return {
        "id": row.id,
        "state": states.of_payment(row),
        "title": order.description if order else payments.purpose(row),
        "text": f"{where}{payments.sub_of(row)}",
        "at": words.moment(row.created_at),
        "amount": words.money(row.amount_minor, row.asset),
        "href": f"/payments/{row.id}",
        "demo": row.demo,
    }


def _cases(session: Session, actor: Actor) -> View:
    wanted = CaseFilter(state=case_queries.UNRESOLVED)
    found, _ = case_queries.list_cases(session, wanted, actor=actor, page=Page(limit=ROWS))
    total = sum(desk_queries.case_counts(session, actor=actor).values())
    return {
        "id": "cases",
        "title": "Open exceptions",
        "count": _shown(total),
        "total": total,
        "tone": "warn",
        "href": "/exceptions",
        "link": "All exceptions",
        "rows": [_case_row(case_words.for_reader(row, actor)) for row in found],
        "empty": "No exception is open.",
    }


def _case_row(row: ExceptionCase) -> View:
    return {
        "id": row.id,
        "state": states.of_kind(row.kind),
        "title": row.sentence,
        "text": " · ".join(
            filter(None, (row.team.capitalize(), words.short(row.payment_id or row.id)))
        ),
        "at": words.moment(row.opened_at),
        "amount": words.money(row.risk_minor, row.asset) if row.risk_minor and row.asset else None,
        "href": f"/exceptions/{row.id}",
        "demo": row.demo,
    }


def own_view(session: Session, actor: Actor, today: Today) -> View:
    """Prepare home for a merchant, buyer or seller: their own payments and orders."""
    newest = Page(limit=ROWS)
    waiting = PaymentFilter(status=list(desk_queries.UNSETTLED))
    open_payments, _ = list_payments(session, waiting, actor=actor, page=newest)
    latest, _ = list_payments(session, PaymentFilter(), actor=actor, page=newest)
    own_orders, _ = list_orders(session, OrderFilter(), actor=actor, page=newest)
    around = desk.around_payments(session, [*open_payments, *latest], actor=actor)
    queues = [
        _own_queue("waiting", "Waiting to be paid", open_payments, around),
        _own_queue("latest", "Latest payments", latest, around),
        _own_orders([orders.row_view(row, around) for row in own_orders]),
    ]
    if actor.may(Permission.EXCEPTIONS_READ):
        queues.append(_cases(session, actor))
    number = today.pending + today.processing
    needs = f"{words.counted(number, 'payment waits', 'payments wait')}."
    return {
        "needs": needs if number else "Nothing waits.",
        "queues": queues,
        "providers": None,
        "processes": None,
        "activity": None,
    }


def _own_queue(name: str, title: str, rows: Sequence[Payment], around: Around) -> View:
    return {
        "id": name,
        "title": title,
        "count": f"{ROWS}+" if len(rows) == ROWS else len(rows),
        "tone": None,
        "href": "/payments?state=pending" if name == "waiting" else "/payments",
        "link": "All of them",
        "rows": [payment_row(row, around) for row in rows],
        "empty": "No payment waits." if name == "waiting" else "No payment was started yet.",
    }


def _own_orders(rows: list[View]) -> View:
    return {
        "id": "orders",
        "title": "Latest orders",
        "count": f"{ROWS}+" if len(rows) == ROWS else len(rows),
        "tone": None,
        "href": "/orders",
        "link": "All orders",
        "rows": [
            {
                "id": row["id"],
                "state": row["state"],
                "title": row["title"],
                "text": row["sub"],
                "at": row["created"],
                "amount": row["total"],
                "href": row["href"],
                "demo": row["demo"],
            }
            for row in rows
        ],
        "empty": "No order names you yet.",
    }
