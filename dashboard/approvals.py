"""The approvals queue: what waits for whom, one approval with all that is agreed to, and the decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flask import Blueprint, Response, request

from core.errors import AppError
from core.money_out import RULES, Act
from core.permissions import Permission
from core.redaction import holds_card_number
from core.states import Approval as State
from dashboard import approval_page, chrome, confirming, guarded, listing, render, states, words
from dashboard.approval_page import Typed
from dashboard.confirming import Question
from dashboard.listing import Asked
from dashboard.shapes import Alert, Empty, Fact, Link, View
from domain import desk, desk_queries
from domain.actors import Actor
from domain.control import approval_queries, approvals
from domain.control.approval_queries import ApprovalFilter, get_approval, list_approvals
from domain.control.approvals import Decision
from domain.database import reading, transaction
from domain.desk import Session
from models.control import Approval
from web import access, identity

routes = Blueprint("desk_approvals", __name__)
NAMES = ("state", "kind")
_OWN = "staff all, others what they or their merchant asked for"
_TABS: Mapping[str, str] = {
    "needs-me": "Needs you",
    "waiting": "Waiting",
    "mine": "Asked by you",
    "done": "Approved",
    "ended": "Refused or ended",
    "all": "All",
}
_FILTERS: Mapping[str, ApprovalFilter] = {
    "needs-me": ApprovalFilter(needs_me=True),
    "waiting": ApprovalFilter(state=(State.PENDING.value,)),
    "mine": ApprovalFilter(mine=True),
    "done": ApprovalFilter(state=approval_queries.DONE),
    "ended": ApprovalFilter(state=approval_queries.ENDED),
    "all": ApprovalFilter(),
}


def tabs_of(actor: Actor) -> dict[str, str]:
    """Give the tabs of a person, the first of which is where they begin: decide, or look on."""
    decides = any(actor.may(rule.agrees) for rule in RULES.values())
    first = "needs-me" if decides else "waiting"
    rest = {name: label for name, label in _TABS.items() if name not in (first, "needs-me")}
    return {"": _TABS[first]} | rest


def wanted_of(asked: Asked, actor: Actor) -> ApprovalFilter:
    """Read what the address wants to see."""
    tab = asked.one_of("state", list(tabs_of(actor)))
    if not tab:
        tab = next(name for name, label in _TABS.items() if label == tabs_of(actor)[""])
    found = _FILTERS[tab]
    kind = asked.one_of("kind", [act.value for act in Act])
    return ApprovalFilter(
        state=found.state,
        kind=(kind,) if kind else (),
        mine=found.mine,
        needs_me=found.needs_me,
    )


def _row_view(row: Approval, names: Mapping[str, str]) -> View:
    has_money = row.amount_minor is not None and row.asset is not None
    is_open = row.state == State.PENDING.value
    return {
        "id": row.id,
        "version": row.state,
        "href": f"/approvals/{row.id}",
        "text": row.text,
        "kind": approval_page.kind_word(row.kind),
        "state": states.APPROVAL[row.state],
        "asker": names.get(row.requested_by, row.requested_by),
        "object": words.short(row.object_id),
        "asked": words.moment(row.requested_at),
        "expires": words.moment(row.expires_at) if is_open else None,
        "decider": names.get(row.decided_by or ""),
        "amount": words.money(row.amount_minor or 0, row.asset or "") if has_money else None,
        "demo": row.demo,
    }


def _rows_view(asked: Asked, actor: Actor) -> View:
    with reading() as session:
        page = listing.page_of(asked)
        found, more = list_approvals(session, wanted_of(asked, actor), actor=actor, page=page)
        names = approval_queries.names_of(session, found, actor=actor)
        counts = desk_queries.approval_counts(session, actor=actor)
    shown = {"waiting": counts["waiting"], "": counts["waiting"]}
    if tabs_of(actor)[""] == _TABS["needs-me"]:
        shown[""] = counts["needs_me"]
    told = {name: desk.capped(number) for name, number in shown.items()}
    return {
        "rows": [_row_view(row, names) for row in found],
        "rows_url": asked.href("/approvals/rows"),
        "page": listing.pages(asked, len(found), more),
        "empty_note": _empty(asked),
        "tabs_items": listing.tabs(asked, tabs_of(actor), told),
    }


def _empty(asked: Asked) -> Empty:
    if asked.values:
        return Empty(
            "Nothing here",
            "No approval stands so.",
            "approvals",
            href="/approvals",
            label="Back to what waits",
        )
    return Empty(
        "Nothing waits for you",
        "What takes two people appears here as soon as somebody asks for it.",
        "approvals",
    )


@routes.get("/approvals")
@access.page(Permission.APPROVALS_READ, note=_OWN)
def index() -> Response:
    asked = listing.read("/approvals", NAMES)
    kinds = {"": "Any"} | {act.value: rule.label for act, rule in RULES.items()}
    view = _rows_view(asked, render.actor()) | {
        "lead": "What one person asked for and another must agree to. Each is carried out the moment"
        " somebody approves it, and void when what it is about changes.",
        "kind_input": listing.select(asked, "kind", "Kind", kinds),
        "kept": {"state": asked.get("state")} if asked.get("state") else {},
    }
    return render.page("approvals/index.html", view)


@routes.get("/approvals/rows")
@access.page(Permission.APPROVALS_READ, note=_OWN)
def rows() -> Response:
    asked = listing.read("/approvals", NAMES)
    if not render.wants_fragment():
        return render.to(asked.href())
    return render.part("approvals/_live_rows.html", _rows_view(asked, render.actor()))


@routes.get("/approvals/badge")
@access.page(Permission.APPROVALS_READ, note=_OWN)
def badge() -> Response:
    """Give the number beside the link of the navigation, which every page keeps up to date."""
    with reading() as session:
        number = desk_queries.approval_counts(session, actor=render.actor())["needs_me"]
    view: View = {"badge": chrome.approvals_badge(number)}
    return render.fragment("approvals/_badge.html", view, page_href="/approvals")


@routes.get("/approvals/<approval_id>")
@access.page(Permission.APPROVALS_READ, note=_OWN)
def show(approval_id: str) -> Response:
    return render.page("approvals/show.html", _view(approval_id))


@routes.get("/approvals/<approval_id>/body")
@access.page(Permission.APPROVALS_READ, note=_OWN)
def body(approval_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"/approvals/{approval_id}")
    return render.part("approvals/_body.html", _view(approval_id))


def _view(approval_id: str, *, typed: Typed | None = None, said: Alert | None = None) -> View:
    actor = render.actor()
    with reading() as session:
        row = get_approval(session, approval_id, actor=actor)
        return approval_page.view(session, row, actor=actor, typed=typed, said=said)


def _again(approval_id: str, *, typed: Typed, said: Alert | None = None) -> Response:
    """Show the page with what is wrong, keeping what was typed."""
    # Nothing of this is swapped under who corrects it; what changed meanwhile they hear on sending it.
    view = _view(approval_id, typed=typed, said=said) | {"links": {}}
    if render.wants_fragment():
        return render.part("approvals/_body.html", view, status=422)
    return render.page("approvals/show.html", view, status=422)


@routes.get("/approvals/<approval_id>/approve", endpoint="prove_to_approve")
@routes.get("/approvals/<approval_id>/refuse", endpoint="prove_to_refuse")
@access.page(Permission.APPROVALS_DECIDE)
def prove(approval_id: str) -> Response:
    """Lead a person to prove themselves, then back to the page, which holds both forms."""
    with reading() as session:
        get_approval(session, approval_id, actor=render.actor())
    return guarded.detour() or render.to(f"/approvals/{approval_id}#decide")


@routes.post("/approvals/<approval_id>/approve")
@access.page(Permission.APPROVALS_DECIDE)
def approve(approval_id: str) -> Response:
    note = render.typed("note")
    typed = Typed(note=note, note_error=_note_error(note))
    if typed.note_error:
        return _again(approval_id, typed=typed)
    shown_hash = request.form.get("content_hash", "")

    def agree(session: Session, actor: Actor) -> Decision:
        return approvals.agree(
            session, approval_id, actor=actor, content_hash=shown_hash, reason=note or None
        )

    return _decide(approval_id, agree, Alert("good", "Approved and carried out"), typed)


@routes.post("/approvals/<approval_id>/refuse")
@access.page(Permission.APPROVALS_DECIDE)
def refuse(approval_id: str) -> Response:
    reason = confirming.reason()
    typed = Typed(reason=reason, reason_error=confirming.reason_error(reason))
    if typed.reason_error:
        return _again(approval_id, typed=typed)

    def say_no(session: Session, actor: Actor) -> Decision:
        return approvals.refuse(session, approval_id, actor=actor, reason=reason)

    return _decide(approval_id, say_no, Alert("info", "Refused; nothing was done"), typed)


def _decide(
    approval_id: str, act: Callable[[Session, Actor], Decision], done: Alert, typed: Typed
) -> Response:
    """Decide in one transaction; say what became of it, also when it changed or ran out meanwhile."""
    actor, here = render.actor(), f"/approvals/{approval_id}"
    with reading() as session:
        get_approval(session, approval_id, actor=actor)
    try:
        with transaction() as session:
            decision = act(session, actor)
    except AppError as refused:
        if refused.code == "STEP_UP_REQUIRED" and (elsewhere := guarded.detour(here)) is not None:
            return elsewhere
        if refused.http_status in (403, 404) or refused.code == "SAME_PERSON":
            raise
        said = Alert("bad", "Nothing was decided", refused.message)
        return _again(approval_id, typed=typed, said=said)
    identity.forget_cached()
    said = done
    if decision.said is not None:
        said = Alert(
            "warn", "Nothing was carried out", f"{decision.said} Ask again if it is wanted."
        )
    render.tell(said)
    return render.to(here)


def _note_error(note: str) -> str | None:
    if len(note) > confirming.LONGEST_REASON:
        return f"A note has at most {confirming.LONGEST_REASON} characters."
    if holds_card_number(note):
        return "This looks like a card number. Card numbers are never kept here."
    return None


def _question(row: Approval) -> Question:
    return Question(
        title="Take this request back",
        lead=words.sentence(row.text),
        effects=["Nobody can agree to it any more", "What it had set aside is free again"],
        action=f"/approvals/{row.id}/cancel",
        label="Take it back",
        back=f"/approvals/{row.id}",
        trail=[Link("Approvals", "/approvals"), Link(words.short(row.id), f"/approvals/{row.id}")],
        facts=_facts(row),
        tone="danger",
    )


def _facts(row: Approval) -> Sequence[Fact]:
    return [
        Fact("Act", approval_page.kind_word(row.kind)),
        Fact("Asked", at=words.moment(row.requested_at)),
    ]


@routes.get("/approvals/<approval_id>/cancel")
@access.page(Permission.APPROVALS_CANCEL, note="whoever asked")
def ask_cancel(approval_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        row = get_approval(session, approval_id, actor=actor)
    if row.requested_by != actor.id or row.state != State.PENDING.value:
        why = "Only whoever asked takes a request back, and only while it waits."
        render.tell(Alert("warn", "This request cannot be taken back", why))
        return render.to(f"/approvals/{row.id}")
    return confirming.show(_question(row))


@routes.post("/approvals/<approval_id>/cancel")
@access.page(Permission.APPROVALS_CANCEL, note="whoever asked")
def cancel(approval_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    with reading() as session:
        row = get_approval(session, approval_id, actor=actor)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(row), reason=reason, error=error)
    try:
        with transaction() as session:
            approvals.cancel(session, approval_id, actor=actor, reason=reason)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "It was not taken back", refused.message)
        return confirming.show(_question(row), reason=reason, problem=problem)
    render.tell(Alert("good", "Taken back; nobody can agree to it any more"))
    return render.to(f"/approvals/{approval_id}")
