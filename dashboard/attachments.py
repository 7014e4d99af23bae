"""Files on cases, payments and disputes: their list, the form that takes one, handing one out, removing one."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from core.errors import Conflict, InvalidInput
from core.permissions import Permission
from dashboard import confirming, render, words
from dashboard.confirming import Question
from dashboard.shapes import Act, Alert, Fact, Link, View
from domain import naming
from domain.actors import Actor
from domain.cases import attachments
from domain.cases.attachments import Given
from domain.cases.file_kinds import KINDS, LARGEST_FILE
from domain.database import reading, transaction
from domain.desk import Session
from models.cases import Attachment
from web import access

routes = Blueprint("desk_files", __name__)
_STAFF = "staff only; to everybody else no file exists"
_PAGES = {
    "case": ("/exceptions", "Exceptions"),
    "payment": ("/payments", "Payments"),
    "dispute": ("/disputes", "Disputes"),
}
_MEDIA = {
    "application/pdf": "PDF",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WebP",
    "text/plain": "Text",
    "text/csv": "CSV",
    "message/rfc822": "E-mail",
}
_ACCEPT = ".pdf,.png,.jpg,.jpeg,.gif,.webp,.txt,.log,.csv,.eml"


def _page_of(kind: str, object_id: str) -> str:
    return f"{_PAGES[kind][0]}/{object_id}"


def view(
    session: Session, kind: str, object_id: str, actor: Actor, *, error: str | None = None
) -> View | None:
    """Prepare what `attachments/_list.html` prints as `files`; None for who is not staff.

    kind: `case`, `payment` or `dispute`.
    """
    if not actor.is_staff:
        return None
    rows = attachments.list_of(session, object_id)
    who = [row.actor for row in rows] + [row.removed_by for row in rows if row.removed_by]
    names = naming.actor_names(session, who, for_staff=True)
    return {
        "rows": [_row(row, names, actor) for row in rows],
        "count": sum(row.removed_at is None for row in rows),
        "action": f"{_page_of(kind, object_id)}/files",
        "may_add": attachments.may_write(actor, kind),
        "accept": _ACCEPT,
        "hint": f"{KINDS}; at most 10 MiB. Staff open it, customers never. No card numbers.",
        "error": error,
    }


def _row(row: Attachment, names: dict[str, str], actor: Actor) -> View:
    refused = attachments.why_not_remove(row, actor)
    shown: View = {
        "id": row.id,
        "name": row.name,
        "href": f"/files/{row.id}",
        "about": f"{_MEDIA.get(row.media, row.media)}, {_size(row.size)}",
        "hash": words.ref("SHA-256", row.sha256, text=f"{row.sha256[:12]}…"),
        "actor": words.person(row.actor, names),
        "at": words.moment(row.at),
        "remove": Act(
            f"remove-{row.id}", "Remove", f"/files/{row.id}/remove", refused is None, refused
        ),
        "removed": None,
    }
    if row.removed_at is not None:
        shown["removed"] = {
            "actor": words.person(row.removed_by or "", names),
            "at": words.moment(row.removed_at),
            "reason": row.removed_reason,
        }
    return shown


def _size(size: int) -> str:
    """Say how large a file is, in whole bytes or with one decimal rounded down."""
    if size < 1024:
        return words.counted(size, "byte")
    unit, tenths = ("MiB", size * 10 // 1024**2) if size >= 1024**2 else ("KiB", size * 10 // 1024)
    return f"{tenths // 10}.{tenths % 10} {unit}"


def _show(kind: str, object_id: str, *, error: str | None = None) -> Response:
    """Show the files alone: the list to htmx, else a page of their own."""
    actor, status = render.actor(), 422 if error else 200
    with reading() as session:
        attachments.assert_there(session, kind, object_id, actor=actor)
        files = view(session, kind, object_id, actor, error=error)
    if render.wants_fragment():
        return render.part("attachments/_list.html", {"files": files}, status=status)
    href, (list_href, list_label) = _page_of(kind, object_id), _PAGES[kind]
    trail = [Link(list_label, list_href), Link(words.short(object_id), href)]
    shown: View = {"files": files, "trail": trail, "back": href}
    return render.page("attachments/index.html", shown, status=status, live=False)


def _put(kind: str, object_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        attachments.assert_there(session, kind, object_id, actor=actor)
    try:
        given = _given()
        with transaction() as session:
            row, is_new = attachments.put(
                session, kind, object_id, given, actor=actor, source=f"user:{actor.id}"
            )
    except (InvalidInput, Conflict) as refused:
        return _show(kind, object_id, error=refused.message)
    if render.wants_fragment():
        return _show(kind, object_id)
    title = f"{row.name} is attached" if is_new else f"{row.name} is attached already"
    render.tell(Alert("good" if is_new else "info", title))
    return render.to(f"{_page_of(kind, object_id)}#files")


def _given() -> Given:
    """Read the one file of the form, no more of it than is kept."""
    try:
        sent = request.files.getlist("file")
    except RequestEntityTooLarge as refused:
        raise InvalidInput("A file has at most 10 MiB.") from refused
    if len(sent) != 1 or not sent[0].filename:
        raise InvalidInput("Choose one file first.")
    return attachments.check(sent[0].filename, sent[0].stream.read(LARGEST_FILE + 1))


@routes.get("/exceptions/<case_id>/files")
@access.page(Permission.PAYMENTS_SUPPORT, note=_STAFF)
def of_case(case_id: str) -> Response:
    return _show("case", case_id)


@routes.post("/exceptions/<case_id>/files")
@access.page(Permission.EXCEPTIONS_NOTE, note=_STAFF, takes_files=True)
def add_to_case(case_id: str) -> Response:
    return _put("case", case_id)


@routes.get("/payments/<payment_id>/files")
@access.page(Permission.PAYMENTS_SUPPORT, note=_STAFF)
def of_payment(payment_id: str) -> Response:
    return _show("payment", payment_id)


@routes.post("/payments/<payment_id>/files")
@access.page(Permission.PAYMENTS_NOTE, note=_STAFF, takes_files=True)
def add_to_payment(payment_id: str) -> Response:
    return _put("payment", payment_id)


@routes.get("/disputes/<dispute_id>/files")
@access.page(Permission.PAYMENTS_SUPPORT, note=_STAFF)
def of_dispute(dispute_id: str) -> Response:
    return _show("dispute", dispute_id)


@routes.post("/disputes/<dispute_id>/files")
@access.page(Permission.DISPUTES_ANSWER, note=_STAFF, takes_files=True)
def add_to_dispute(dispute_id: str) -> Response:
    return _put("dispute", dispute_id)


@routes.get("/files/<file_id>")
@access.page(Permission.PAYMENTS_SUPPORT, note=_STAFF)
def download(file_id: str) -> Response:
    """Hand a file out as something to save: never shown as a page of ours, never run."""
    actor = render.actor()
    with transaction() as session:
        found = attachments.open_file(session, file_id, actor=actor, source=f"user:{actor.id}")
    # Its text is in UTF-8: that was checked when it came.
    is_text = found.media.startswith("text/")
    content_type = f"{found.media}; charset=utf-8" if is_text else found.media
    answer = Response(found.body, content_type=content_type)
    answer.headers.set("Content-Disposition", "attachment", filename=found.name)
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _question(row: Attachment) -> Question:
    href, (list_href, list_label) = (
        _page_of(row.object_kind, row.object_id),
        _PAGES[row.object_kind],
    )
    return Question(
        title="Remove this file",
        lead=row.name,
        effects=[
            "Its content is deleted for good; nobody can open it any more",
            "Its name, size and hash stay, with who removed it and why",
        ],
        facts=[Fact("SHA-256", ref=words.ref("SHA-256", row.sha256))],
        action=f"/files/{row.id}/remove",
        label="Remove file",
        tone="danger",
        back=f"{href}#files",
        trail=[Link(list_label, list_href), Link(words.short(row.object_id), href)],
    )


@routes.get("/files/<file_id>/remove")
@access.page(Permission.EXCEPTIONS_NOTE, note=_STAFF)
def ask_remove(file_id: str) -> Response:
    actor = render.actor()
    with reading() as session:
        row = attachments.get(session, file_id, actor=actor)
    if (refused := _refusal(row, actor)) is not None:
        render.tell(refused)
        return render.to(f"{_page_of(row.object_kind, row.object_id)}#files")
    return confirming.show(_question(row))


def _refusal(row: Attachment, actor: Actor) -> Alert | None:
    if row.removed_at is not None:
        return Alert("info", "This file was removed already")
    why = attachments.why_not_remove(row, actor)
    return Alert("warn", "You may not remove this file", why) if why is not None else None


@routes.post("/files/<file_id>/remove")
@access.page(Permission.EXCEPTIONS_NOTE, note=_STAFF)
def remove(file_id: str) -> Response:
    actor, reason = render.actor(), confirming.reason()
    with reading() as session:
        row = attachments.get(session, file_id, actor=actor)
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(row), reason=reason, error=error)
    with transaction() as session:
        attachments.remove(session, file_id, actor=actor, reason=reason, source=f"user:{actor.id}")
    render.tell(Alert("good", "The file is removed"))
    return render.to(f"{_page_of(row.object_kind, row.object_id)}#files")
