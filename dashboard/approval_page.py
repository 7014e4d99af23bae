"""What the page of one approval shows: what is agreed to, who asked, what became of it, who may decide."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.money import Money, asset
from core.money_out import RULES, Act
from core.permissions import Permission
from core.states import Approval as State
from core.strictjson import Json
from dashboard import entry_approval, period_words, states, words
from dashboard.confirming import LONGEST_REASON, reason_input
from dashboard.shapes import Act as Button
from dashboard.shapes import Alert, Fact, Input, View
from domain import desk
from domain.actors import Actor
from domain.control import approval_queries, approvals
from domain.control.acts.role_change import INVITATION
from domain.desk import Session
from domain.people import people_queries, step_up
from models.control import Approval

_PAGES: Mapping[str, tuple[str, Permission]] = {
    "payment": ("/payments/", Permission.PAYMENTS_READ),
    "order": ("/orders/", Permission.ORDERS_READ),
    "refund": ("/refunds/", Permission.REFUNDS_LIST),
    "case": ("/exceptions/", Permission.EXCEPTIONS_READ),
    "user": ("/users/", Permission.USERS_ADMINISTER),
    "freeze": ("/freezes/", Permission.CONTROLS_READ),
    "rule": ("/exceptions/rules/", Permission.RULES_READ),
    "journal_entry": ("/journal/", Permission.JOURNAL_READ),
    "period": ("/periods/", Permission.PERIODS_READ),
}
# What comes first of the details, in words of its own.
_DETAILS = {"from": "Stands as", "to": "Becomes", "receivedMinor": "Received so far"}
# Details whose value is a word of ours; what people or providers wrote is shown as they wrote it.
_CODES = frozenset(
    "from to fromRole fromState role state scope cause orderStatus kind verb".split()
)
_HASH = re.compile(r"[0-9a-f]{64}")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Typed:
    """What a person typed into one of the forms, and what was wrong with it."""

    note: str = ""
    note_error: str | None = None
    reason: str = ""
    reason_error: str | None = None


def kind_word(kind: str) -> str:
    """Name a kind of act for people."""
    return RULES[Act(kind)].label


def view(
    session: Session,
    row: Approval,
    *,
    actor: Actor,
    typed: Typed | None = None,
    said: Alert | None = None,
) -> View:
    """Prepare the whole body of the page. said: what the last press did, shown above it."""
    names = approval_queries.names_of(session, [row], actor=actor)
    return {
        "approval": {
            "id": row.id,
            "short": words.short(row.id),
            "text": row.text,
            "state": states.APPROVAL[row.state],
            "kind": kind_word(row.kind),
            "ref": words.ref("approval id", row.id),
            "asked": words.moment(row.requested_at),
            "demo": row.demo,
            "amount": _sum(row),
        },
        "said": said,
        "content": _content(session, row, actor),
        "entry": entry_approval.lines(session, row, actor),
        "checklist": period_words.signed(row),
        "asking": _asking(row, names),
        "outcome": _outcome(row, names, actor),
        "decision": _decision(session, row, actor, typed or Typed()),
        "links": {"body": f"/approvals/{row.id}/body"},
    }


def _sum(row: Approval) -> object:
    if row.amount_minor is None or row.asset is None:
        return None
    return words.money(row.amount_minor, row.asset)


def _content(session: Session, row: Approval, actor: Actor) -> list[Fact]:
    """Say all that the hash covers, so that nobody agrees to more than they read."""
    found = [Fact("Act", kind_word(row.kind))]
    if row.amount_minor is not None and row.asset is not None:
        found.append(Fact("Amount", money=words.money(row.amount_minor, row.asset)))
    if row.destination:
        found.append(Fact("Destination", row.destination))
    found.append(_link(row.object_kind, row.object_id, actor))
    for kind, name in (("payment", row.payment_id), ("order", row.order_id)):
        if name and name != row.object_id:
            found.append(_link(kind, name, actor))
    if row.merchant_id:
        merchants = desk.merchants_of(session, [row.merchant_id])
        found.append(Fact("Merchant", merchants.get(row.merchant_id, row.merchant_id)))
    if row.rail:
        found.append(Fact("Rail", words.rail(row.rail).label))
    found += _invited(row, actor) + entry_approval.facts(row, actor) + _details(row)
    found.append(Fact("Money", "Live" if row.livemode else "Test mode"))
    return [*found, Fact("Content hash", ref=words.ref("content hash", row.content_hash))]


def _link(kind: str, name: str, actor: Actor) -> Fact:
    label = kind.replace("_", " ").capitalize()
    place, permission = _PAGES.get(kind, (None, None))
    href = f"{place}{name}" if permission is not None and actor.may(permission) else None
    return Fact(label, ref=words.ref(f"{kind} id", name, href=href))


def _invited(row: Approval, actor: Actor) -> list[Fact]:
    """Say in full whom an invitation is for, to those who may read addresses; it is kept sealed."""
    if row.object_kind != INVITATION or not actor.may(Permission.USERS_READ):
        return []
    email = people_queries.invited_email(row)
    return [Fact("E-mail", email)] if email else []


def _details(row: Approval) -> list[Fact]:
    found = []
    places = {name: place for place, name in enumerate(_DETAILS)}
    ordered = sorted(
        row.details.items(), key=lambda pair: (places.get(pair[0], len(places)), pair[0])
    )
    # A checklist has a panel of its own, and so have the lines of an entry.
    told = entry_approval.told(row) | {"checklist"}
    for name, value in ordered:
        is_sealed = row.object_kind == INVITATION and name == "email"
        if value is None or value == "" or is_sealed or name in told:
            continue
        if name.endswith("Minor") and row.asset is not None:
            sum_ = Money(int(str(value)), asset(row.asset))
            found.append(Fact(_label(name), money=words.shown(sum_)))
        else:
            found.append(_detail(name, _text(value)))
    return found


def _detail(name: str, text: str) -> Fact:
    if name in _CODES:
        return Fact(_label(name), states.KINDS.get(text, text.replace("_", " ").capitalize()))
    if _HASH.fullmatch(text):
        return Fact(_label(name), ref=words.ref(f"{_label(name).lower()} hash", text))
    return Fact(_label(name), text)


def _label(name: str) -> str:
    if name in _DETAILS:
        return _DETAILS[name]
    name = name.removesuffix("Minor")
    return " ".join(_WORD_START.split(name)).capitalize().replace("_", " ")


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return json.dumps(value, ensure_ascii=False)


def _asking(row: Approval, names: Mapping[str, str]) -> list[Fact]:
    fresh = "Yes, within the five minutes before"
    if not row.requested_fresh:
        fresh = "No. Whoever asks over the API shows none, and some acts need none to ask."
    found = [
        Fact("Asked by", names.get(row.requested_by, row.requested_by)),
        Fact("Second factor shown", fresh),
        Fact("Asked", at=words.moment(row.requested_at)),
    ]
    if row.reason:
        found.append(Fact("Reason", row.reason))
    needs = " or ".join(approval_queries.needs(row))
    found.append(Fact("Needs", f"One other person of {needs}, who has just proved themselves"))
    if row.state == State.PENDING.value:
        found.append(Fact("Expires", at=words.moment(row.expires_at)))
    return found


def _outcome(row: Approval, names: Mapping[str, str], actor: Actor) -> list[Fact]:
    if row.state == State.PENDING.value:
        return []
    found = [Fact("Outcome", state=states.APPROVAL[row.state])]
    if row.decided_by:
        found.append(Fact("Decided by", names.get(row.decided_by, row.decided_by)))
    if row.decided_at:
        found.append(Fact("Decided", at=words.moment(row.decided_at)))
    if row.decided_reason and actor.is_staff:
        found.append(Fact("Why", words.sentence(row.decided_reason)))
    if row.executed_at:
        found.append(Fact("Carried out", at=words.moment(row.executed_at)))
    verdict = row.result.get("verdict")
    if isinstance(verdict, str):
        found.append(Fact("What it did", words.sentence(verdict)))
    return found + entry_approval.outcome(row, actor)


def _decision(session: Session, row: Approval, actor: Actor, typed: Typed) -> View | None:
    """Offer what this person may do with it; None once it is over."""
    if row.state != State.PENDING.value:
        return None
    why_not = approvals.why_not(session, row, actor=actor)
    return {
        "why_not": why_not,
        "why_not_agree": None if why_not else approvals.why_not_agree(session, row, actor=actor),
        "is_fresh": step_up.is_fresh(actor),
        "hash": row.content_hash,
        "approve_action": f"/approvals/{row.id}/approve",
        "refuse_action": f"/approvals/{row.id}/refuse",
        "note": _note(typed),
        "reason": replace(
            reason_input(typed.reason, typed.reason_error), label="Reason for refusing"
        ),
        "take_back": _take_back(row, actor),
    }


def _note(typed: Typed) -> Input:
    return Input(
        "note",
        "Note",
        "text-area",
        value=typed.note,
        error=typed.note_error,
        hint="Kept with the approval.",
        optional=True,
        maxlength=LONGEST_REASON,
        rows=2,
    )


def _take_back(row: Approval, actor: Actor) -> Button | None:
    if row.requested_by != actor.id or not actor.may(Permission.APPROVALS_CANCEL):
        return None
    return Button("take-back", "Take it back", f"/approvals/{row.id}/cancel", icon="undo")
