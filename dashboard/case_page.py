"""What the page of one case shows: what was expected and found, how it can be settled, its story. No routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.case_kinds import KINDS, Verb
from core.money import asset, parse
from core.permissions import Permission
from core.states import Case
from dashboard import attachments, books, case_words, states, words
from dashboard.shapes import Act, Alert, Fact, Input, Link, State, View
from domain import naming
from domain.actors import Actor
from domain.cases import (
    case_acts,
    case_queries,
    case_subjects,
    case_suggestions,
    case_targets,
    case_verbs,
)
from domain.cases.case_queries import CaseMoment
from domain.cases.case_subjects import Subject
from domain.cases.case_verbs import Refusal
from domain.desk import Session
from models.cases import ExceptionCase
from models.inbound import InboundEvent

MOST_EVENTS = 12
_NOT_YOURS = "Your role does not settle cases this way."
_TOLD = {
    "exception.open": ("flag", "Opened"),
    "exception.note": ("note", "Wrote a note"),
    "exception.reopen": ("undo", "Opened again"),
}


@dataclass(frozen=True)
class Shown:
    """One case with what belongs to it and who looks at it."""

    row: ExceptionCase
    subject: Subject
    names: Mapping[str, str]
    actor: Actor

    @property
    def href(self) -> str:
        """The case's page."""
        return f"/exceptions/{self.row.id}"


def find(session: Session, case_id: str, *, actor: Actor) -> Shown:
    """Fetch a case that the actor may see, with the names of who is in it.

    Raises: NotFound
    """
    row = case_words.for_reader(case_queries.get_case(session, case_id, actor=actor), actor)
    ids = [each for each in (row.owner_id, row.resolved_by) if each]
    names = naming.actor_names(session, ids, for_staff=actor.is_staff)
    return Shown(row, case_subjects.load_one(session, row), names, actor)


def head(shown: Shown) -> View:
    """Prepare the head of the page."""
    row, actor = shown.row, shown.actor
    payment, inbound = row.payment_id, row.inbound_id
    sees_events = inbound and actor.may(Permission.INBOUND_READ)
    return {
        "id": row.id,
        "href": shown.href,
        "kind": case_words.kind(row),
        "short": words.short(row.id),
        "state": case_words.state(row),
        "sentence": row.sentence,
        "means": KINDS[row.kind].means if actor.is_staff and row.kind in KINDS else None,
        "ref": words.ref("case id", row.id),
        "payment": Link(words.short(payment), f"/payments/{payment}") if payment else None,
        "event": Link(words.short(inbound), f"/webhooks/{inbound}")
        if inbound and sees_events
        else None,
        "opened": words.moment(row.opened_at),
        "at_risk": case_words.at_risk(row),
        "demo": row.demo,
    }


def body(session: Session, shown: Shown) -> View:
    """Prepare everything that changes by itself."""
    row, actor = shown.row, shown.actor
    events = case_queries.events_behind(session, row) if actor.may(Permission.INBOUND_READ) else []
    moments = case_queries.moments_of(session, row.id)
    if not actor.is_staff:
        moments = [each for each in moments if each.text == "exception.open"]
    who = [moment.actor for moment in moments]
    who += [str(moment.said.get("owner")) for moment in moments if moment.said.get("owner")]
    names = naming.actor_names(session, who, for_staff=actor.is_staff)
    suggestion = case_suggestions.suggest(session, row) if actor.is_staff else None
    return {
        "case": head(shown),
        "body_url": f"{shown.href}/body",
        "evidence": _evidence(row) + _events(row, events),
        "notice": _notice(shown),
        "verbs": _verbs(shown),
        "verbs_href": f"{shown.href}/resolve" if actor.may(Permission.EXCEPTIONS_RESOLVE) else None,
        "suggestion": None
        if suggestion is None
        else {
            "text": suggestion.why,
            "verb": case_words.verb(suggestion.verb),
            "count": len(suggestion.precedents),
            "may_be_rule": suggestion.may_be_rule and actor.may(Permission.RULES_DRAFT),
        },
        "story": [_moment(each, names, shown) for each in moments if _is_told(each)],
        "facts": _facts(session, shown),
        "owner_acts": _owner_acts(shown),
        "more_acts": _more_acts(shown),
        "settled": _settled(shown),
    }


def notes(session: Session, shown: Shown, *, value: str = "", error: str | None = None) -> View:
    """Prepare the notes and the form that takes one; nothing of it is for merchants."""
    if not shown.actor.is_staff:
        return {"notes": None}
    rows = case_acts.notes_of(session, shown.row.id)
    names = naming.actor_names(session, [row.actor for row in rows], for_staff=True)
    form = None
    if shown.actor.may(Permission.EXCEPTIONS_NOTE):
        field = Input(
            "note",
            "Add a note",
            "text-area",
            value=value,
            error=error,
            hint="For colleagues. Never card numbers, no more of the customer than is needed.",
            required=True,
            maxlength=case_acts.LONGEST_NOTE,
        )
        form = {"action": f"{shown.href}/notes", "field": field}
    said = [
        {
            "id": row.id,
            "actor": words.person(row.actor, names),
            "at": words.moment(row.at),
            "text": row.note,
        }
        for row in rows
    ]
    return {"case": head(shown), "notes": said, "note_form": form}


def page(session: Session, shown: Shown, **typed: str | None) -> View:
    """Prepare the whole page."""
    kept = notes(session, shown, value=typed.get("value") or "", error=typed.get("error"))
    files = attachments.view(session, "case", shown.row.id, shown.actor)
    return body(session, shown) | kept | {"files": files}


def _evidence(row: ExceptionCase) -> list[Fact]:
    found = [
        _compared(label, value, row.asset)
        for label, value in (("Expected", row.expected), ("Found", row.found))
        if value is not None
    ]
    if (at_risk := case_words.at_risk(row)) is not None:
        found.append(Fact("At risk", money=at_risk))
    return found


def _compared(label: str, value: str, asset_name: str | None) -> Fact:
    """Show one of the two values: as money where it is written as an amount of the case's asset."""
    try:
        money = parse(value, asset(asset_name)) if asset_name else None
    except ValueError:
        money = None
    if money is None or money.major() != value:
        return Fact(label, value)
    return Fact(label, money=words.shown(money))


def _events(row: ExceptionCase, events: Sequence[InboundEvent]) -> list[Fact]:
    """List the provider's events that the case rests on; never leave the panel empty."""
    found = []
    for event in events[:MOST_EVENTS]:
        name = words.short(event.provider_event_id or event.id)
        state = states.of_inbound(event).word.lower()
        note = f"{name}, {state}, {words.absolute(event.received_at)}"
        found.append(Fact("Event", event.type, href=f"/webhooks/{event.id}", note=note))
    if not found and row.expected is None and row.found is None:
        found.append(Fact("Found", "Nothing to compare; the sentence above says it all."))
    return found


def _notice(shown: Shown) -> Alert | None:
    """Say that something was asked for and waits for somebody else."""
    approval = shown.subject.approval
    if approval is None or not case_verbs.is_waiting(shown.subject):
        return None
    href = f"/approvals/{approval.id}"
    title = "Asked for; a second person must agree"
    return Alert("info", title, words.sentence(approval.text), href, "Open the approval")


def _verbs(shown: Shown) -> list[Act]:
    """Offer every verb of the kind; one that may not be used says why."""
    row, actor = shown.row, shown.actor
    if not actor.is_staff or row.kind not in KINDS or row.state == "resolved":
        return []
    return [verb_act(shown, verb) for verb in KINDS[row.kind].verbs]


def verb_act(shown: Shown, verb: Verb, *, back: str = "") -> Act:
    """Offer one verb, or say why it is not allowed now."""
    known = case_verbs.kind(verb)
    answer = case_verbs.answer(shown.subject, verb)
    reason = answer.why if isinstance(answer, Refusal) else None
    if not case_verbs.may(shown.actor, verb):
        reason = _NOT_YOURS
    text = known.says
    if not isinstance(answer, Refusal) and answer.amount is not None:
        text = f"{text.rstrip('.')}: {words.plain(words.shown(answer.amount))}."
    href = f"{shown.href}/resolve?verb={verb.value}{back}"
    return Act(verb.value, known.label, href, reason is None, reason, text=text, verb="Choose")


def _owner_acts(shown: Shown) -> list[Act]:
    """Offer to take the case up, to pass it on or to let it go."""
    row, actor = shown.row, shown.actor
    if row.state == "resolved" or not actor.may(Permission.EXCEPTIONS_ASSIGN):
        return []
    href = f"{shown.href}/assign"
    found = []
    if row.owner_id != actor.id:
        fields = {"user": actor.id}
        found.append(Act("take", "Assign to me", href, method="post", icon="person", fields=fields))
    found.append(Act("assign", "Give to somebody", href, icon="out"))
    return found


def _more_acts(shown: Shown) -> list[Act]:
    """Offer what leads to the decision: the event's replay, the payment and its notes."""
    row, actor = shown.row, shown.actor
    found = []
    if row.rule_id and row.state == Case.RESOLVED.value and actor.is_staff:
        may = actor.may(Permission.EXCEPTIONS_BULK)
        reason = None if may else "Finance and admins take back what a rule decided."
        href, said = f"{shown.href}/take-back", "Opens the case again and counts against the rule."
        label = "Take back what the rule decided"
        found.append(Act("take-back", label, href, may, reason, "post", text=said, verb="Reopen"))
    if row.inbound_id and actor.may(Permission.INBOUND_READ):
        reason = None if actor.may(Permission.INBOUND_REPLAY) else "Your role reads events only."
        href, said = f"/webhooks/{row.inbound_id}/preview", "Shows what applying it now would do."
        found.append(
            Act("replay", "Replay the event", href, not reason, reason, text=said, verb="Preview")
        )
    if row.payment_id:
        href, said = f"/payments/{row.payment_id}", "Ask the provider, read the timeline."
        found.append(Act("payment", "Work on the payment", href, text=said, verb="Open"))
    return found


def _facts(session: Session, shown: Shown) -> list[Fact]:
    row = shown.row
    targets = {each.kind: each for each in case_targets.list_targets(session)}
    found = [Fact("State", state=case_words.state(row))]
    if shown.actor.is_staff:
        found.append(Fact("Owner", shown.names.get(row.owner_id or "", "Nobody yet")))
        found.append(Fact("Team", case_words.TEAMS.get(row.team, row.team)))
    found.append(Fact("Opened", at=words.moment(row.opened_at)))
    if (due := case_words.due(row, targets)) is not None:
        word = State(due.word.capitalize(), due.shape, due.tone, due.note)
        found.append(Fact("Due", state=word, note=due.note))
    if row.order_id:
        found.append(Fact("Order", words.short(row.order_id), href=f"/orders/{row.order_id}"))
    return found


def _settled(shown: Shown) -> list[Fact]:
    """Say how a case was settled, by whom, and what came of it."""
    row = shown.row
    if row.resolved_at is None:
        return []
    said = row.resolution or {}
    who = shown.names.get(row.resolved_by or "", "Paydesk") if shown.actor.is_staff else "Paydesk"
    found = [
        Fact("Settled by", who, note=case_words.verb(row.verb)),
        Fact("When", at=words.moment(row.resolved_at)),
    ]
    if not shown.actor.is_staff:
        return found
    for label, name, place in (
        ("New payment" if row.verb != Verb.LINK else "Payment", "paymentId", "/payments/"),
        ("Refund", "refundId", "/refunds/"),
        ("Approval", "approvalId", "/approvals/"),
        ("Rule", "ruleId", "/exceptions/rules/"),
    ):
        if isinstance(value := said.get(name), str):
            found.append(Fact(label, words.short(value), href=f"{place}{value}"))
    if row.approval_id and "approvalId" not in said:
        href = f"/approvals/{row.approval_id}"
        found.append(Fact("Approval", words.short(row.approval_id), href=href))
    if isinstance(entry := said.get("entryId"), str):
        found.append(Fact("Journal entry", ref=books.entry_ref(entry, shown.actor)))
    if isinstance(note := said.get("note"), str):
        found.append(Fact("Reason", note))
    return found


def _is_told(moment: CaseMoment) -> bool:
    """Moves are told by the acts that made them."""
    return "→" not in moment.text


def _moment(moment: CaseMoment, names: Mapping[str, str], shown: Shown) -> View:
    new = str(moment.said.get("state") or "")
    state = states.CASE.get("open" if moment.text == "exception.open" else new)
    icon, text = _told(moment, names)
    opening = moment.text == "exception.open"
    return {
        "icon": icon,
        "state": state if moment.text != "exception.note" else None,
        "text": text,
        "reason": moment.reason if shown.actor.is_staff and not opening else None,
        "actor": words.person(moment.actor, names),
        "at": words.moment(moment.at),
    }


def _told(moment: CaseMoment, names: Mapping[str, str]) -> tuple[str, str]:
    said = moment.said
    if moment.text in _TOLD:
        return _TOLD[moment.text]
    if moment.text == "exception.assign":
        if isinstance(asked := said.get("asked"), str):
            return "hourglass", f"Asked for: {case_words.verb(asked).lower()}"
        if isinstance(ended := said.get("approval"), str):
            return "undo", f"Open again: the request was {ended}"
        owner = said.get("owner")
        name = names.get(str(owner), "somebody") if owner else None
        return "person", f"Given to {name}" if name else "Given back to everybody"
    if moment.text == "exception.resolve":
        return "check", f"Settled: {case_words.verb(str(said.get('verb'))).lower()}"
    return "info", words.sentence(moment.text.partition(".")[2].replace("_", " "))
