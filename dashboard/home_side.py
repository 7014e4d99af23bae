"""The side of home: how the providers and our own processes are, and what changed last."""

from __future__ import annotations

from core import rail_words
from dashboard import states, words
from dashboard.shapes import State, View
from domain import desk, desk_queries, naming, presence
from domain.actors import Actor
from domain.control import settling
from domain.desk import Session
from domain.desk_queries import ProviderHealth
from models.events import EventLog

LATEST = 8
_BY = ("user:", "key:")
_TOLD = {
    "payment.created": ("open", "started"),
    "payment.requires_action": ("action", "waits for the payer"),
    "payment.processing": ("half", "paid, not final"),
    "payment.authorized": ("hold", "held"),
    "payment.succeeded": ("done", "confirmed"),
    "payment.failed": ("failed", "failed"),
    "payment.expired": ("expired", "expired"),
    "payment.cancelled": ("cancelled", "cancelled"),
    "payment.released": ("released", "released"),
    "payment.refunded": ("refunded", "refunded"),
    "order.cancelled": ("cancelled", "order cancelled"),
    "exception.opened": ("warn", "exception opened"),
}


def provider_view(found: ProviderHealth, broken_href: str) -> View:
    """Prepare one provider's health."""
    text = found.said
    if not found.is_configured:
        text = f"Set {found.set_by} in the environment and restart to turn it on."
    elif found.failures:
        events = words.counted(found.failures, "event")
        text = f"{found.said} {events} of the last day could not be applied."
    state = "degraded" if found.failures and found.state == "ok" else found.state
    last = found.last_event_at
    return {
        "name": found.label,
        "state": states.HEALTH[state],
        "text": text,
        "last_event": words.moment(last) if last else None,
        "failures": str(found.failures),
        "failures_href": broken_href if found.failures else None,
        "waiting": str(found.waiting),
    }


def processes(session: Session) -> list[View]:
    """Say which of our own processes live."""
    found: list[View] = []
    for kind, word in (("worker", "Worker"), ("web", "Web")):
        alive = presence.list_alive(session, kind)
        newest = max((each.seen_at for each in alive), default=None)
        state = State("Running", "done", "good") if alive else State("Not running", "failed", "bad")
        if alive and kind == "worker" and settling.is_paused(session):
            state = State("Paused by a person", "hold", "warn", "It applies no event meanwhile")
        found.append(
            {
                "name": word,
                "state": state,
                "text": f"{words.counted(len(alive), 'process', 'processes')}, last sign of life"
                if newest
                else "No sign of life within the last minute.",
                "seen": words.moment(newest) if newest else None,
            }
        )
    return found


def activity(session: Session, actor: Actor) -> list[View]:
    """Prepare the latest changes."""
    events = desk_queries.latest_changes(session, actor=actor, limit=LATEST)
    found = desk.orders_by_id(session, (event.order_id for event in events))
    titles = {order_id: order.description for order_id, order in found.items()}
    payments = desk.payments_by_id(session, (event.payment_id for event in events))
    rails = {payment_id: payment.rail for payment_id, payment in payments.items()}
    actors = [event.source.partition(":")[2] for event in events if event.source.startswith(_BY)]
    names = naming.actor_names(session, actors, for_staff=True)
    return [_change(event, titles, names, rails) for event in events]


def _change(
    event: EventLog, titles: dict[str, str], names: dict[str, str], rails: dict[str, str]
) -> View:
    shape, what = _TOLD[event.type]
    said = rail_words.of(rails.get(event.payment_id or "", ""))
    what = said.changes.get(event.type, what)
    title = titles.get(event.order_id or "") or words.short(
        event.payment_id or event.object_id or ""
    )
    href = f"/payments/{event.payment_id}" if event.payment_id else f"/orders/{event.order_id}"
    if event.type == "exception.opened":
        href = f"/exceptions/{event.body.get('caseId')}"
        kind = str(event.body.get("kind"))
        what = states.KINDS.get(kind, kind).lower()
    return {
        "shape": shape,
        "href": href,
        "text": f"{title}: {what}",
        "actor": _by(event.source, names),
        "at": words.moment(event.at),
        "demo": event.demo,
    }


def _by(source: str, names: dict[str, str]) -> str:
    kind, _, actor_id = source.partition(":")
    if source.startswith(_BY):
        return names.get(actor_id, actor_id)
    told = {"inbound": "told by the provider", "operation": "answer of the provider"}
    return told.get(kind, "Paydesk")
