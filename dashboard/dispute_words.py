"""How disputes read on the desk: states, what the bank says and wants, time left, rows and lines. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core import clock, rail_words
from core.disputes import CLOSED, INQUIRY, NEEDS_ANSWER, Status
from core.permissions import Permission
from dashboard import listing, words
from dashboard.shapes import Act, Alert, Fact, Link, Ref, State, View
from domain import desk
from domain.actors import Actor
from domain.desk import Session
from domain.disputes import dispute_calls, disputes
from models.control import Approval
from models.disputes import Dispute
from models.operations import Operation

STATES: Mapping[str, State] = {
    Status.NEEDS_RESPONSE: State("Answer it", "action", "warn", "The bank waits for evidence"),
    Status.WARNING_NEEDS_RESPONSE: State(
        "Inquiry: answer it", "action", "warn", "The bank only asks so far"
    ),
    Status.APPEAL_NEEDS_RESPONSE: State("Appeal: answer it", "action", "warn"),
    Status.UNDER_REVIEW: State("The bank decides", "half", "info", "Evidence was handed in"),
    Status.WARNING_UNDER_REVIEW: State("Inquiry answered", "half", "info"),
    Status.APPEAL_UNDER_REVIEW: State("Appeal under review", "half", "info"),
    Status.WON: State("Won", "done", "good", "The bank decided for us"),
    Status.LOST: State("Lost", "failed", "bad", "The payer keeps the money"),
    Status.WARNING_CLOSED: State("Inquiry over", "done", "quiet", "No money was taken"),
    Status.PREVENTED: State("Prevented", "done", "quiet", "It never began"),
}
_LATE = State("Deadline passed", "expired", "bad", "The bank takes no evidence any more")


@dataclass(frozen=True)
class Reason:
    """What a bank's reason means, and what helps against it; `{who}` and `{consent}` differ by rail."""

    label: str
    says: str
    send: str


# Source: https://docs.stripe.com/disputes/categories
_REASONS: Mapping[str, Reason] = {
    "fraudulent": Reason(
        "Fraud",
        "The {who} says they did not make this payment.",
        "Show that the {who} took part: the account, earlier orders, address, {consent}, delivery.",
    ),
    "product_not_received": Reason(
        "Not received",
        "The {who} says nothing was delivered.",
        "Send proof of delivery with date and address, or the log of a digital delivery.",
    ),
    "product_unacceptable": Reason(
        "Not as described",
        "The {who} says it was faulty or not what was promised.",
        "Send the description they saw, what was delivered, and what was offered to put it right.",
    ),
    "duplicate": Reason(
        "Charged twice",
        "The {who} says they were charged twice for one thing.",
        "Show that the two charges are for different things, or that one was refunded.",
    ),
    "subscription_canceled": Reason(
        "Subscription cancelled",
        "The {who} says they had cancelled before this charge.",
        "Show the terms, when they cancelled, and that this charge came before or was owed.",
    ),
    "credit_not_processed": Reason(
        "Refund not received",
        "The {who} says a refund was promised and never came.",
        "Show the refund, or why none was owed under the terms they agreed to.",
    ),
    "unrecognized": Reason(
        "Not recognised",
        "The {who} does not recognise the name on their statement.",
        "Say who you are and what was bought, with receipt and correspondence.",
    ),
    "general": Reason(
        "Other reason",
        "The bank gives no particular reason.",
        "Ask the {who} what is wrong; send receipt, delivery and correspondence.",
    ),
}
_OTHER = Reason(
    "Bank's own reason",
    "The bank names a reason of its own.",
    "Send receipt, delivery and correspondence.",
)


def reason_of(row: Dispute) -> Reason:
    """Say what the bank's reason means; one we have no words for is named as it is."""
    known = _REASONS.get(row.reason or "", _OTHER)
    said = rail_words.of(words.rail_of(row.provider))
    label = known.label
    if known is _OTHER and row.reason is not None:
        label = row.reason.replace("_", " ").capitalize()
    send = known.send.format(who=said.disputer, consent=said.consent)
    return Reason(label, known.says.format(who=said.disputer), send)


def is_late(row: Dispute) -> bool:
    """Tell whether a dispute waits for an answer that the bank takes no more."""
    due = row.evidence_due_at
    return waits(row) and due is not None and due <= clock.now()


def waits(row: Dispute) -> bool:
    """Tell whether the bank waits for our answer."""
    return row.status in NEEDS_ANSWER and row.evidence_submitted_at is None


def state_of(row: Dispute) -> State:
    """Show where a dispute stands; one that nobody answered in time says so."""
    return _LATE if is_late(row) else STATES[row.status]


def row_view(row: Dispute, actor: Actor) -> View:
    """Prepare one row of a list."""
    due = row.evidence_due_at if waits(row) else None
    taken = row.withdrawn_minor - row.reinstated_minor
    return {
        "id": row.id,
        "version": listing.version(row.status, row.updated_at, is_late(row)),
        "href": f"/disputes/{row.id}" if actor.may(Permission.DISPUTES_READ) else None,
        "state": state_of(row),
        "title": reason_of(row).label,
        "payment": Link(words.short(row.payment_id), f"/payments/{row.payment_id}"),
        "reference": words.short(row.provider_reference),
        "due": words.moment(due) if due else None,
        "late": is_late(row),
        "opened": words.moment(row.opened_at),
        "taken": words.money(taken, row.asset) if taken > 0 else None,
        "amount": words.money(row.amount_minor, row.asset),
        "demo": row.demo,
    }


def lines(rows: Sequence[Dispute], actor: Actor) -> list[View]:
    """Prepare the clear line of each dispute for the page of its payment or order."""
    return [row_view(row, actor) | {"says": _line(row)} for row in rows]


def _line(row: Dispute) -> str:
    amount = words.plain(words.money(row.amount_minor, row.asset))
    if row.status == Status.WON:
        return f"The bank decided for us about {amount}."
    if row.status == Status.LOST:
        return f"The dispute over {amount} is lost; the payer keeps the money."
    if row.status in CLOSED:
        return f"The bank asked about {amount}; that is over and nothing was taken."
    if row.status in INQUIRY:
        return f"The payer's bank asks about {amount}; nothing is taken and nothing released."
    return f"The payer's bank asks {amount} back; nothing is refunded or released meanwhile."


def said(row: Dispute, running: Operation | None, failed: Operation | None) -> Alert | None:
    """Say what a person should know first about a dispute."""
    if running is not None:
        what = "evidence is being handed in"
        if running.kind == dispute_calls.CLOSE:
            what = "dispute is being given up"
        note = "The provider is asked until its answer is known; nothing is sent twice."
        return Alert("info", f"The {what}", note)
    if failed is not None and row.status in NEEDS_ANSWER:
        return Alert("bad", "The provider refused it; nothing was sent", failed.error_message)
    if is_late(row):
        return Alert(
            "bad", "Nobody answered in time", "The bank decides without us, as a rule against us."
        )
    if waits(row) and row.evidence_due_at is not None:
        due = words.moment(row.evidence_due_at)
        return Alert("warn", f"The bank wants an answer by {due.absolute}", reason_of(row).send)
    return None


def facts(session: Session, row: Dispute, actor: Actor, hold: str | None) -> list[Fact]:
    """Prepare what is known of one dispute. hold: why its order is not released, as long as it is open."""
    found = [
        Fact("Disputed", money=words.money(row.amount_minor, row.asset)),
        Fact("State", state=state_of(row)),
        Fact("Reason", reason_of(row).label, note=row.reason),
        Fact("Opened", at=words.moment(row.opened_at)),
    ]
    if row.evidence_due_at is not None:
        found.append(Fact("Answer due", at=words.moment(row.evidence_due_at)))
    if row.evidence_submitted_at is not None:
        found.append(Fact("Evidence handed in", at=words.moment(row.evidence_submitted_at)))
    if row.closed_at is not None:
        found.append(Fact("Decided", at=words.moment(row.closed_at)))
    found.append(Fact("Payment", ref=_ref("payment id", row.payment_id, "/payments/")))
    if row.order_id:
        found.append(Fact("Order", ref=_ref("order id", row.order_id, "/orders/")))
        found.append(Fact("Release", hold or "Not held by this dispute"))
    if row.case_id and actor.is_staff:
        found.append(Fact("Case", ref=_ref("case id", row.case_id, "/exceptions/")))
    merchants = desk.merchants_of(session, [row.merchant_id])
    found.append(Fact("Merchant", merchants.get(row.merchant_id, row.merchant_id)))
    found.append(Fact("Dispute there", ref=words.ref("provider reference", row.provider_reference)))
    return [*found, Fact("Dispute", ref=words.ref("dispute id", row.id))]


def _ref(label: str, name: str, place: str) -> Ref:
    return words.ref(label, name, href=f"{place}{name}")


def money_facts(row: Dispute) -> list[Fact]:
    """Prepare what the dispute has moved so far."""
    taken, back = row.withdrawn_minor, row.reinstated_minor
    found = [
        Fact("Taken by the bank", money=words.money(taken, row.asset)),
        Fact("Given back to us", money=words.money(back, row.asset)),
    ]
    left = max(0, taken - back)
    label = "Lost" if row.status == Status.LOST else "At risk"
    if row.status in CLOSED and row.status != Status.LOST:
        label = "Not back yet"
    return [*found, Fact(label, money=words.money(left, row.asset))]


def accept_act(session: Session, row: Dispute, waiting: Approval | None, actor: Actor) -> Act:
    """Offer to give a dispute up, or say why that is not possible."""
    reason = None
    if not actor.may(Permission.DISPUTES_ACCEPT):
        reason = "Finance and admins give disputes up."
    elif waiting is not None:
        reason = "It was asked for; a second person must agree."
    else:
        reason = disputes.why_not_accept(session, row)
    href = f"/disputes/{row.id}/accept"
    return Act("accept", "Give it up", href, reason is None, reason, icon="flag", tone="danger")
