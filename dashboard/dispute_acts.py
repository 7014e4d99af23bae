"""Answering a dispute from its page: keeping a draft, seeing what will be sent, handing it in, giving it up."""

from __future__ import annotations

from flask import Blueprint, Response, request

from core import hashing
from core.errors import AppError, Conflict, InvalidInput, ProviderUnavailable, ProviderUnknown
from core.permissions import Permission
from dashboard import confirming, dispute_page, dispute_words, guarded, render, words
from dashboard.confirming import Question
from dashboard.dispute_page import Shown
from dashboard.shapes import Alert, Fact, Link, View
from domain.database import reading, transaction
from domain.disputes import disputes, evidence
from domain.disputes.evidence import TEXTS, Draft
from domain.payments import operations
from web import access

routes = Blueprint("desk_dispute_acts", __name__)
_STAFF = "staff and the merchant whose it is"


def _typed() -> Draft:
    described, talked, day, text = (render.typed(name) for name in TEXTS)
    files = tuple(render.storable(each) for each in request.form.getlist("fileIds"))
    return Draft(described, talked, day, text, file_ids=files)


@routes.post("/disputes/<dispute_id>/evidence")
@access.page(Permission.DISPUTES_ANSWER, note=_STAFF)
def save(dispute_id: str) -> Response:
    """Keep what was typed; the button beside goes on to what will be sent."""
    draft, actor = _typed(), render.actor()
    try:
        with transaction() as session:
            disputes.save(session, dispute_id, draft, actor=actor, source=f"user:{actor.id}")
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        return _again(dispute_id, draft, refused)
    if request.form.get("then") == "send":
        return render.to(f"/disputes/{dispute_id}/submit")
    render.tell(Alert("good", "The draft is kept; nothing was sent"))
    return render.to(f"/disputes/{dispute_id}#evidence")


def _again(dispute_id: str, draft: Draft, refused: AppError) -> Response:
    """Show the form again with what was typed and what is wrong with it."""
    errors = {"": refused.message}
    named = (refused.details or {}).get("fields")
    if isinstance(refused, InvalidInput) and isinstance(named, list):
        errors = {str(each["field"]): str(each["message"]) for each in named}
    with reading() as session:
        shown = dispute_page.find(session, dispute_id)
        view = dispute_page.page_view(session, shown, draft=draft, errors=errors)
    return render.page("disputes/show.html", view, status=422, live=False)


def _why_not_send(shown: Shown, draft: Draft) -> str | None:
    if shown.running is not None:
        return "The provider is being asked right now."
    if (refused := disputes.why_not_answer(shown.row)) is not None:
        return refused.message
    return "Write what the bank should know first, or choose a file." if draft.is_empty else None


@routes.get("/disputes/<dispute_id>/submit")
@access.page(Permission.DISPUTES_ANSWER, note=_STAFF)
def ask_submit(dispute_id: str) -> Response:
    with reading() as session:
        shown = dispute_page.find(session, dispute_id)
        draft = evidence.open_draft(shown.row)
        if (why := _why_not_send(shown, draft)) is not None:
            render.tell(Alert("warn", "There is nothing to hand in now", why))
            return render.to(shown.href)
        sent = dispute_page.sent_facts(session, shown.row, draft)
        view = _preview(shown, sent, seen=_seal(draft))
    return render.page("disputes/submit.html", view, live=False)


def _seal(draft: Draft) -> str:
    """Name what was shown, so that nothing else is sent."""
    return hashing.digest({"texts": dict(draft.texts), "files": list(draft.file_ids)})


def _preview(shown: Shown, sent: list[Fact], *, seen: str) -> View:
    row = shown.row
    due = words.moment(row.evidence_due_at) if row.evidence_due_at else None
    return {
        "trail": _trail(shown),
        "seen": seen,
        "sent": sent,
        "amount": words.money(row.amount_minor, row.asset),
        "reason": dispute_words.reason_of(row),
        "due": due,
        "provider": words.provider_label(row.provider),
        "action": f"{shown.href}/submit",
        "back": f"{shown.href}#evidence",
    }


def _trail(shown: Shown) -> list[Link]:
    return [Link("Disputes", "/disputes"), Link(words.short(shown.row.id), shown.href)]


@routes.post("/disputes/<dispute_id>/submit")
@access.page(Permission.DISPUTES_ANSWER, note=_STAFF)
def submit(dispute_id: str) -> Response:
    """Hand in what was shown: written down, asked with no transaction open, settled."""
    actor = render.actor()
    try:
        with transaction() as session:
            row, _ = disputes.lock(session, dispute_id, actor=actor)
            draft = evidence.open_draft(row)
            if request.form.get("seen") != _seal(draft):
                raise Conflict("Somebody changed the draft since you looked. Look at it again.")
            begun = disputes.begin_submission(
                session, dispute_id, draft, actor=actor, source=f"user:{actor.id}"
            )
        outcome = operations.run(begun.operation, begun.payment, begun.fence, actor=actor)
        with transaction() as session:
            operations.settle(session, outcome)
        answer = outcome.answer
    except AppError as error:
        if error.http_status in (403, 404):
            raise
        answer = error
    href = f"/disputes/{dispute_id}"
    if isinstance(answer, ProviderUnavailable | ProviderUnknown):
        note = "It is tried again by itself until the answer is known; nothing is sent twice."
        render.tell(Alert("warn", "The provider has not answered yet", note))
    elif isinstance(answer, AppError):
        render.tell(Alert("bad", "Nothing was handed in", answer.message))
    else:
        render.tell(Alert("good", "The evidence is with the bank; it decides now"))
    return render.to(href)


def _question(shown: Shown) -> Question:
    row = shown.row
    amount = words.plain(words.money(row.amount_minor, row.asset))
    effects = [
        "A second person must agree within a day; until then nothing is sent",
        f"{words.provider_label(row.provider)} is told that we do not contest it; that cannot be undone",
        f"The payer keeps {amount}; it is booked as lost, and no seller is charged for it",
        "The order is no longer held for this dispute",
    ]
    return Question(
        title="Give this dispute up",
        lead=f"{amount}, {dispute_words.reason_of(row).label.lower()}.",
        effects=effects,
        action=f"{shown.href}/accept",
        label="Ask to give it up",
        back=shown.href,
        trail=_trail(shown),
        facts=[Fact("State", state=dispute_words.state_of(row))],
        tone="danger",
    )


@routes.get("/disputes/<dispute_id>/accept")
@access.page(Permission.DISPUTES_ACCEPT)
def ask_accept(dispute_id: str) -> Response:
    with reading() as session:
        shown = dispute_page.find(session, dispute_id)
        why = disputes.why_not_accept(session, shown.row)
    if why is not None:
        render.tell(Alert("warn", "This dispute cannot be given up", why))
        return render.to(shown.href)
    return guarded.detour() or confirming.show(_question(shown))


@routes.post("/disputes/<dispute_id>/accept")
@access.page(Permission.DISPUTES_ACCEPT)
def accept(dispute_id: str) -> Response:
    reason, actor = confirming.reason(), render.actor()
    with reading() as session:
        shown = dispute_page.find(session, dispute_id)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(shown), reason=reason, error=error)
    try:
        with transaction() as session:
            _, asked = disputes.ask_accept(
                session, dispute_id, actor=actor, reason=reason, source=f"user:{actor.id}"
            )
    except AppError as refused:
        elsewhere = guarded.detour(f"{shown.href}/accept")
        if refused.code == "STEP_UP_REQUIRED" and elsewhere is not None:
            return elsewhere
        if refused.http_status == 404:
            raise
        problem = Alert("bad", "It was not asked for", refused.message)
        return confirming.show(_question(shown), reason=reason, problem=problem)
    render.tell(guarded.waits(asked))
    return render.to(shown.href)
