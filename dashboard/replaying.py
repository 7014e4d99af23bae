"""Replay in two clicks: the first shows what would change, from a run that is rolled back; the second does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response, request

from core import ids
from core.errors import AppError
from core.money import Money, asset
from core.permissions import Permission
from core.strictjson import Json
from dashboard import books, confirming, render, states, webhook_page, words
from dashboard.shapes import Act, Alert, Change, Entry, Fact, Input, State, View
from dashboard.webhook_page import Shown
from domain import desk, naming
from domain.books import book_queries
from domain.database import reading
from domain.desk import Session, Trace
from domain.inbox import replays
from domain.inbox.replays import Preview
from models.payments import StateChange
from web import access

routes = Blueprint("desk_replaying", __name__)
LONGEST_KEY = 64
_VERDICTS: Mapping[str, tuple[str, str, str]] = {
    "would_apply": ("This replay would apply the event", "info", "released"),
    "no_op": ("This replay would change nothing", "quiet", "equal"),
    "superseded": ("A later fact has overtaken this event", "quiet", "skip"),
    "unsafe": ("This replay is not safe", "bad", "dead"),
}
_FIELDS = {
    "payment": "status",
    "payment_sub": "sub_state",
    "escrow": "escrow_state",
    "order": "status",
}
_MONEY = "_minor"


def _name(object_id: str) -> str:
    kinds = {"pay": "Payment", "ord": "Order", "op": "Operation", "exc": "Case"}
    kind = kinds.get(object_id.partition("_")[0], "")
    return f"{kind} {words.short(object_id)}".strip()


def _assets(rows: Sequence[Mapping[str, Json]]) -> dict[str, str]:
    """Find the currency of each payment and order that a difference speaks of."""
    names = {str(row["object"]) for row in rows}
    with reading() as session:
        payments = desk.payments_by_id(session, (name for name in names if name[:4] == "pay_"))
        orders = desk.orders_by_id(session, (name for name in names if name[:4] == "ord_"))
    found = {row.id: row.asset for row in payments.values()}
    return found | {row.id: row.asset for row in orders.values()}


def _changes(rows: Sequence[Mapping[str, Json]]) -> list[Change]:
    found, assets = [], _assets(rows)
    for row in rows:
        field = str(row["field"])
        before, after = row.get("before"), row.get("after")
        asset_name = assets.get(str(row["object"]))
        if field.endswith(_MONEY) and asset_name:
            before, after = _sum(before, asset_name), _sum(after, asset_name)
        name = field.removesuffix(_MONEY)
        found.append(
            Change(_name(str(row["object"])), name, words.value(before), words.value(after))
        )
    return found


def _sum(value: Json, asset_name: str) -> Json:
    return words.plain(words.money(value, asset_name)) if isinstance(value, int) else value


def _entries(rows: Sequence[Mapping[str, Json]]) -> list[Entry]:
    """Put the movements of a preview back into their entries."""
    grouped: dict[str, list[tuple[str, str, Money]]] = {}
    for row in rows:
        amount = Money(int(str(row["amountMinor"])), asset(str(row["asset"])))
        movement = (str(row["debit"]), str(row["credit"]), amount)
        grouped.setdefault(str(row["entry"]), []).append(movement)
    return [Entry(books.entry_kind(kind), books.lines(lines)) for kind, lines in grouped.items()]


def _effects(found: Preview) -> list[View]:
    """Keep the effects that the tables above do not show already."""
    told = {
        f"{row['field']} of {row['object']}: {row['before']} → {row['after']}" for row in found.diff
    }
    rest = [text for text in found.effects if text not in told and not text.startswith("posts ")]
    return [{"icon": "exceptions", "text": words.sentence(text)} for text in rest]


def preview_view(found: Preview, shown: Shown) -> View:
    """Prepare what the trial run showed."""
    verdict, tone, shape = _VERDICTS[found.verdict]
    cause = words.inbound_in(found.why)
    cause = cause if cause != shown.row.id else None
    refs = [words.ref("inbound id", cause, href=f"/webhooks/{cause}")] if cause else []
    return {
        "verdict": verdict,
        "why": words.verdict(found.why, own=shown.row.id),
        "tone": tone,
        "shape": shape,
        "refs": refs,
        "diff": _changes(found.diff),
        "postings": _entries(found.postings),
        "effects": _effects(found),
        "events": [{"type": kind, "text": "is told"} for kind in found.events],
    }


def _apply_view(found: Preview, shown: Shown, *, reason: Input, once: str) -> View:
    is_empty = found.verdict in ("no_op", "superseded")
    blocked = None
    if found.verdict == "unsafe":
        blocked = "The trial run could not be finished, so there is nothing to apply."
    number = shown.row.attempts + 1
    harmless = "Allowed and harmless: it adds an attempt with your name and reason, nothing else."
    applies = f"Runs the same code again and keeps the result, as attempt {number}."
    return {
        "enabled": blocked is None,
        "title": "Replay anyway" if is_empty else "Apply the replay",
        "text": "" if blocked else harmless if is_empty else applies,
        "label": "Replay with no effect" if is_empty else "Apply replay",
        "action": f"{shown.href}/replay",
        "preview_hash": found.hash,
        "idempotency_key": once,
        "reason": reason,
        "blocked": blocked,
    }


def _show(
    shown: Shown,
    found: Preview,
    *,
    reason: Input | None = None,
    once: str | None = None,
    problem: Alert | None = None,
) -> Response:
    """Show a preview; again, with what was wrong, when the form came back."""
    is_again = reason is not None or problem is not None
    field = reason or confirming.reason_input()
    view: View = {
        "event": webhook_page.head(shown),
        "problem": problem,
        "preview": preview_view(found, shown),
        "apply": _apply_view(found, shown, reason=field, once=once or ids.new("once")),
    }
    status = 422 if is_again else 200
    if is_again and render.wants_fragment():
        return render.part("webhooks/_apply.html", view | {"in_part": True}, status=status)
    return render.page("webhooks/preview.html", view, status=status, live=False)


def _find(inbound_id: str) -> Shown:
    with reading() as session:
        return webhook_page.find(session, inbound_id, actor=render.actor())


@routes.get("/webhooks/<inbound_id>/preview")
@access.page(Permission.INBOUND_REPLAY)
def preview(inbound_id: str) -> Response:
    shown = _find(inbound_id)
    return _show(shown, replays.preview(inbound_id, actor=shown.actor))


@routes.post("/webhooks/<inbound_id>/replay")
@access.page(Permission.INBOUND_REPLAY)
def replay(inbound_id: str) -> Response:
    shown, reason = _find(inbound_id), confirming.reason()
    once = render.typed("idempotency_key")[:LONGEST_KEY] or ids.new("once")
    if (error := confirming.reason_error(reason)) is not None:
        found = replays.preview(inbound_id, actor=shown.actor)
        return _show(shown, found, reason=confirming.reason_input(reason, error), once=once)
    try:
        done = replays.replay(
            inbound_id,
            actor=shown.actor,
            reason=reason,
            preview_hash=request.form.get("preview_hash") or None,
            once_key=f"{inbound_id}:{shown.actor.id}:{once}",
        )
    except AppError as refused:
        if refused.http_status in (403, 404, 410):
            raise
        found = replays.preview(inbound_id, actor=shown.actor)
        kept = confirming.reason_input(reason)
        return _show(shown, found, reason=kept, problem=_problem(refused))
    return render.to(f"{shown.href}/replayed/{done.attempt_no}")


def _problem(refused: AppError) -> Alert:
    if refused.code == "PREVIEW_STALE":
        said = (
            "Something changed meanwhile. This is the new preview; look at it before you apply it."
        )
        return Alert("warn", "The outcome is not the one you saw", said)
    return Alert("bad", "The event was not replayed", refused.message)


@routes.get("/webhooks/<inbound_id>/replayed/<int:no>")
@access.page(Permission.INBOUND_READ)
def replayed(inbound_id: str, no: int) -> Response:
    with reading() as session:
        shown = webhook_page.find(session, inbound_id, actor=render.actor())
        trace = desk.trace_of(session, inbound_id, no)
        view: View = {"event": webhook_page.head(shown)}
        view["result"] = _result(session, shown, trace)
    return render.page("webhooks/replayed.html", view, live=False)


def _result(session: Session, shown: Shown, trace: Trace) -> View:
    attempt = trace.attempt
    names = naming.actor_names(session, [attempt.actor], for_staff=True)
    state = states.INBOUND.get(attempt.outcome, State(attempt.outcome, "dot", "quiet"))
    has_effect = bool(trace.changes or trace.entries)
    verdict = f"Applied as attempt {attempt.no}" if has_effect else "Replayed, nothing changed"
    movements = book_queries.movements_of(session, [entry.id for entry in trace.entries])
    said = shown.row.verdict if attempt.no == shown.row.attempts else None
    return {
        "tone": "good" if has_effect else "quiet",
        "shape": "done" if has_effect else "equal",
        "verdict": verdict,
        "why": words.verdict(said or attempt.outcome.replace("_", " "), own=shown.row.id),
        "diff": [_change(row) for row in trace.changes],
        "postings": books.entries(trace.entries, movements, render.actor()),
        "facts": [
            Fact("Who", names[attempt.actor]),
            Fact("Reason", attempt.reason or "None given"),
            Fact("When", at=words.moment(attempt.at)),
            Fact("Attempt", str(attempt.no)),
            Fact("Outcome", state=state),
        ],
        "acts": _next_acts(shown),
    }


def _change(row: StateChange) -> Change:
    return Change(_name(row.object_id), _FIELDS.get(row.object_kind, "state"), row.old, row.new)


def _next_acts(shown: Shown) -> list[Act]:
    back = Act("event", "Back to the event", shown.href, icon="webhooks")
    if shown.payment is None:
        return [back]
    href = f"/payments/{shown.payment.id}"
    return [Act("payment", "Open the payment", href, icon="payments", tone="primary"), back]
