"""The page of one dispute: what the bank says and wants, until when, what it moved, what we answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request

from core.money_out import Act as Guarded
from core.permissions import Permission
from dashboard import attachments, books, dispute_words, render, words
from dashboard.shapes import Act, Fact, Input, Option, View
from domain.actors import Actor
from domain.books import book_queries
from domain.books.book_queries import EntryFilter
from domain.control import approval_queries
from domain.database import reading
from domain.desk import Session
from domain.disputes import (
    dispute_books,
    dispute_queries,
    dispute_story,
    disputes,
    evidence,
)
from domain.disputes.evidence import Draft
from domain.orders import release_holds
from domain.payments.payments import LONGEST_PAGE, Page
from models.control import Approval
from models.disputes import Dispute
from models.operations import Operation
from models.payments import Payment
from web import access

routes = Blueprint("desk_dispute", __name__)
_OWN = "staff all, merchants their own"


@dataclass(frozen=True)
class Shown:
    """A dispute with what its page needs beside it."""

    row: Dispute
    payment: Payment
    actor: Actor
    running: Operation | None
    failed: Operation | None

    @property
    def href(self) -> str:
        """The page's own address."""
        return f"/disputes/{self.row.id}"

    @property
    def may_answer(self) -> bool:
        """Whether this person may write evidence now."""
        is_open = disputes.why_not_answer(self.row) is None and self.running is None
        return is_open and self.actor.may(Permission.DISPUTES_ANSWER)


def find(session: Session, dispute_id: str) -> Shown:
    """Fetch the dispute that the request names.

    Raises: NotFound, the same for a foreign id.
    """
    actor = render.actor()
    row, payment = dispute_queries.get_dispute(session, dispute_id, actor=actor)
    asked = dispute_queries.operations_of(session, row)
    failed = asked[-1] if asked and asked[-1].state == "failed" else None
    return Shown(row, payment, actor, disputes.under_way(session, row), failed)


def body_view(session: Session, shown: Shown) -> View:
    """Prepare the part of the page that changes by itself."""
    row, actor = shown.row, shown.actor
    holds = release_holds.standing(session, release_holds.DISPUTE, [row.provider_reference])
    waiting = approval_queries.waiting_for(session, Guarded.DISPUTE_ACCEPT, row.id, actor=actor)
    due = row.evidence_due_at if dispute_words.waits(row) else None
    reason = dispute_words.reason_of(row)
    return {
        "dispute": {
            "id": row.id,
            "payment_id": row.payment_id,
            "short": words.short(row.id),
            "amount": words.money(row.amount_minor, row.asset),
            "state": dispute_words.state_of(row),
            "ref": words.ref("dispute id", row.id),
            "opened": words.moment(row.opened_at),
            "due": words.moment(due) if due else None,
            "late": dispute_words.is_late(row),
            "demo": row.demo,
        },
        "reason": reason,
        "said": dispute_words.said(row, shown.running, shown.failed),
        "acts": _acts(session, shown, waiting),
        "waiting": words.ref("approval id", waiting.id, href=f"/approvals/{waiting.id}")
        if waiting and actor.is_staff
        else None,
        "facts": dispute_words.facts(session, row, actor, holds.get(row.provider_reference)),
        "money_facts": dispute_words.money_facts(row),
        "entries": _entries(session, row) if actor.may(Permission.JOURNAL_READ) else None,
        "steps": _steps(session, row, actor),
        "links": {"body": f"{shown.href}/body"},
    }


def _acts(session: Session, shown: Shown, waiting: Approval | None) -> list[Act]:
    given_up = dispute_words.accept_act(session, shown.row, waiting, shown.actor)
    if not shown.may_answer:
        return [given_up]
    answer = Act("answer", "Answer it", f"{shown.href}#evidence", icon="note", tone="primary")
    return [answer, given_up]


def _entries(session: Session, row: Dispute) -> list[object]:
    """Prepare the journal entries that the dispute made."""
    wanted = EntryFilter(payment_id=[row.payment_id])
    found, _ = book_queries.list_entries(session, wanted, page=Page(limit=LONGEST_PAGE))
    own = [
        entry
        for entry in found
        if entry.kind in dispute_books.KINDS and entry.provider_reference == row.provider_reference
    ]
    movements = book_queries.movements_of(session, [entry.id for entry in own])
    return list(books.entries(own, movements, render.actor()))


def _steps(session: Session, row: Dispute, actor: Actor) -> list[View]:
    return [
        {
            "at": words.moment(item.at),
            "text": words.sentence(item.text).rstrip("."),
            "actor": words.named_person(item.actor) if item.actor else None,
            "reason": words.verdict(item.reason) if item.reason else None,
            "lane": {"provider": words.provider_label(row.provider), "us": "Us", "books": "Books"}[
                item.lane
            ],
        }
        for item in dispute_story.items_of(session, row, actor=actor)
    ]


def form_view(
    session: Session, shown: Shown, draft: Draft, *, errors: dict[str, str] | None = None
) -> View:
    """Prepare the form of the evidence, or what was handed in once nothing can be written any more."""
    return {
        "evidence": {
            "action": f"{shown.href}/evidence",
            "may_answer": shown.may_answer,
            "why_not": _why_not(shown),
            "inputs": _inputs(draft, errors or {}) if shown.may_answer else [],
            "kept": sent_facts(session, shown.row, draft),
            "problem": (errors or {}).get(""),
        },
        "choice": choice_view(session, shown, draft.file_ids, error=(errors or {}).get("fileIds")),
    }


def _why_not(shown: Shown) -> str | None:
    if not shown.actor.may(Permission.DISPUTES_ANSWER):
        return "Support, finance, admins and the merchant answer disputes."
    refused = disputes.why_not_answer(shown.row)
    if refused is not None and refused.code != "INVALID_TRANSITION":
        return refused.message
    return "The dispute is decided." if refused is not None else None


_FIELDS = (
    ("productDescription", "What was sold", "A few plain sentences, as the customer saw it.", 3),
    (
        "customerCommunication",
        "What was said with the customer",
        "E-mails or messages that matter, with dates.",
        6,
    ),
    (
        "uncategorizedText",
        "What the bank should know",
        "Why the charge is right, point by point.",
        8,
    ),
)


def _inputs(draft: Draft, errors: dict[str, str]) -> list[Input]:
    found = [
        Input(
            name,
            label,
            "text-area",
            value=draft.texts[name],
            error=errors.get(name),
            hint=hint,
            maxlength=evidence.LONGEST_TEXT,
            optional=True,
            rows=rows,
        )
        for name, label, hint, rows in _FIELDS
    ]
    day = Input(
        "serviceDate",
        "Day of delivery or service",
        "date",
        value=draft.service_date,
        error=errors.get("serviceDate"),
        optional=True,
    )
    return [*found[:2], day, found[2]]


def sent_facts(session: Session, row: Dispute, draft: Draft) -> list[Fact]:
    """List what is kept or was handed in, as it reads."""
    labels = {name: label for name, label, _, _ in _FIELDS} | {"serviceDate": "Day of delivery"}
    found = [Fact(labels[name], text) for name, text in draft.texts.items() if text]
    names = {each.id: each.name for each in evidence.files_of(session, row)}
    return found + [Fact("File", names.get(each, "removed since")) for each in draft.file_ids]


def choice_view(
    session: Session, shown: Shown, picked: Sequence[str], *, error: str | None = None
) -> View:
    """Prepare which files go to the bank."""
    files = evidence.files_of(session, shown.row) if shown.actor.is_staff else []
    options = [
        Option(each.id, each.name, each.id in picked)
        for each in files
        if each.media in evidence.MEDIA
    ]
    return {
        "options": options,
        "error": error,
        "url": f"{shown.href}/choice",
        "left_out": len(files) - len(options),
        "most": evidence.MOST_FILES,
    }


def page_view(
    session: Session,
    shown: Shown,
    *,
    draft: Draft | None = None,
    errors: dict[str, str] | None = None,
) -> View:
    """Prepare the whole page. draft: what was typed, when it was not right."""
    kept = draft or evidence.open_draft(shown.row)
    view = body_view(session, shown) | form_view(session, shown, kept, errors=errors)
    view["files"] = attachments.view(session, "dispute", shown.row.id, shown.actor)
    return view


@routes.get("/disputes/<dispute_id>")
@access.page(Permission.DISPUTES_READ, note=_OWN)
def show(dispute_id: str) -> Response:
    with reading() as session:
        view = page_view(session, find(session, dispute_id))
    return render.page("disputes/show.html", view)


@routes.get("/disputes/<dispute_id>/body")
@access.page(Permission.DISPUTES_READ, note=_OWN)
def body(dispute_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"/disputes/{dispute_id}")
    with reading() as session:
        view = body_view(session, find(session, dispute_id))
    return render.part("disputes/_body.html", view)


@routes.get("/disputes/<dispute_id>/choice")
@access.page(Permission.DISPUTES_READ, note=_OWN)
def choice(dispute_id: str) -> Response:
    """Give the files to choose from anew, after one was attached; what was ticked stays."""
    if not render.wants_fragment():
        return render.to(f"/disputes/{dispute_id}")
    ticked = tuple(render.storable(each) for each in request.args.getlist("fileIds"))
    with reading() as session:
        view: View = {"choice": choice_view(session, find(session, dispute_id), ticked)}
    return render.part("disputes/_choice.html", view)
