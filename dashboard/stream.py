"""The desk's own stream: says which lists and pages have changed, so that they fetch themselves anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from flask import Blueprint, Response, url_for

from core.permissions import Permission
from domain import feed
from domain.database import reading
from models.events import EventLog
from web import access, identity
from web.frames import Frame
from web.stream import Wish, asked_after, open_stream, reset_frame

blueprint = Blueprint("desk_stream", __name__)
# Several events of one change reach the pages as one.
PACE_SECONDS = 0.1
# A page that was away longer loads its lists anew instead of hearing of each change.
LONGEST_BACKLOG = 2000
LISTS = (
    *("home", "payments", "orders", "webhooks", "exceptions"),
    *("approvals", "freezes", "refunds", "disputes", "secrets", "users"),
    *("journal", "periods", "reconciliation", "invoices", "credit-notes"),
    "bank",
    "watch",
    *("providers", "deadlines"),
)
# Events of these are committed together with what they post.
_POSTING = frozenset(
    {"journal", "payment", "refund", "dispute", "wallet", "transaction", "reconciliation", "period"}
)
# Events whose object is a row of one list.
_OWN_LISTS = {
    "approval": "approvals",
    "freeze": "freezes",
    "invariant": "watch",
    "period": "periods",
    "reconciliation": "reconciliation",
    "control": "freezes",
    "notice": "providers",
    "refund": "refunds",
    "dispute": "disputes",
    "secret": "secrets",
    "api_key": "secrets",
    "user": "users",
    "invoice": "invoices",
    "credit_note": "credit-notes",
    "session": "users",
    "statement": "bank",
    "line": "bank",
}


def url() -> str:
    """Give the stream's address for a page that shows the state as of now.

    The address says where the page stands, so nothing is missed between drawing it and connecting,
    nor when htmx connects again.
    """
    with reading() as session:
        newest = feed.newest_id(session)
    return url_for("desk_stream.stream", after=newest)


def changed(event: EventLog) -> Iterator[tuple[str, str]]:
    """Name what an event changes on the desk, each with the id of the row in it."""
    area, about = event.type.split(".", 1)[0], event.object_id or ""
    if event.payment_id:
        yield "payments", event.payment_id
        yield f"payment-{event.payment_id}", event.payment_id
    if event.order_id:
        yield "orders", event.order_id
        yield f"order-{event.order_id}", event.order_id
    if event.type == "order.deadline_extended":
        yield "deadlines", about
    if area == "inbound":
        yield "webhooks", about
        yield f"webhook-{about}", about
    if area == "exception":
        yield "exceptions", str(event.body.get("caseId") or about)
        yield f"exception-{event.body.get('caseId') or about}", about
    if area in _OWN_LISTS:
        yield _OWN_LISTS[area], about
        yield f"{area}-{about}", about
    yield from _in_the_books(event, area)
    if area in ("transaction", "wallet", "refund") and event.buyer_id:
        yield f"wallet-{event.buyer_id}", about
    if area in ("payment_method", "trial") and event.buyer_id:
        yield f"cards-{event.buyer_id}", about
    if area in (
        "payment",
        "order",
        "inbound",
        "exception",
        "approval",
        "freeze",
        "control",
        "invariant",
    ):
        yield "home", event.id


def _in_the_books(event: EventLog, area: str) -> Iterator[tuple[str, str]]:
    """Name what an event changes of the journal and of invoices."""
    about = event.object_id or ""
    if area in _POSTING:
        yield "journal", event.id
    if area == "credit_note" and isinstance(invoice := event.body.get("invoiceId"), str):
        yield f"invoice-{invoice}", invoice
    if area == "journal":
        yield f"journal-{about}", about
        if isinstance(reverses := event.body.get("reverses"), str):
            yield f"journal-{reverses}", reverses


def tell(frames: Sequence[Frame]) -> bytes:
    """Write what has changed, each list and page once, with the ids of its changed rows."""
    found: dict[str, dict[str, None]] = {}
    for frame in frames:
        for name, row_id in changed(frame.event):
            found.setdefault(name, {})[row_id] = None
    if not found:
        return b""
    told = [f"event: {name}\ndata: {json.dumps([*rows])}\n\n" for name, rows in found.items()]
    # On the last frame: a client cut off before it hears all of this again.
    told[-1] = f"id: {frames[-1].event.id}\n{told[-1]}"
    return "".join(told).encode()


def reset(newest: str | None) -> bytes:
    """Have every list fetch itself anew; pages of one object listen to `reset` itself."""
    lists = "".join(f"event: {name}\ndata: []\n\n" for name in LISTS)
    return lists.encode() + reset_frame(newest)


@blueprint.get("/desk/stream")
@access.page(Permission.DESK_OPEN, note="tells of what the person may see")
def stream() -> Response:
    """Follow the changes of what this person may see."""
    caller = identity.require()
    return open_stream(
        Wish(
            caller.actor,
            after=asked_after(),
            look_again=caller.look_again,
            tell=tell,
            pace_seconds=PACE_SECONDS,
            reset=reset,
            longest_backlog=LONGEST_BACKLOG,
        )
    )
