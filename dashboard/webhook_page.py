"""What the page of one inbound event shows: head, attempts, effects, payload, how it was verified. No routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.permissions import Permission
from core.states import Inbound
from core.strictjson import Json
from dashboard import books, states, trees, webhooks, words
from dashboard.shapes import Act, Fact, FactGroup, Link, RailMark, State, View
from domain import desk, naming
from domain.actors import Actor
from domain.desk import Session
from domain.inbox import inbox_queries
from domain.inbox.inbox_queries import Effect
from models.inbound import InboundAttempt, InboundEvent
from models.payments import Payment

PARTS = ("header", "story", "facts")
SETTLED = frozenset({Inbound.PROCESSED.value, Inbound.NO_EFFECT.value})
WAITS = frozenset({Inbound.RECEIVED.value, Inbound.FAILED.value, Inbound.UNMATCHED.value})
_EFFECT_ICONS = {"change": "check", "entry": "book", "event": "bolt", "case": "exceptions"}
_SCHEMES = {"stripe_v1": "HMAC-SHA256, Stripe v1"}


@dataclass(frozen=True)
class Shown:
    """An event with what its page needs beside it."""

    row: InboundEvent
    payment: Payment | None
    actor: Actor

    @property
    def href(self) -> str:
        """The page's own address."""
        return f"/webhooks/{self.row.id}"


def find(session: Session, inbound_id: str, *, actor: Actor) -> Shown:
    """Fetch an event for its page.

    Raises: NotFound
    """
    row = inbox_queries.get_inbound(session, inbound_id)
    payments = desk.payments_by_id(session, [row.payment_id])
    return Shown(row, payments.get(row.payment_id or ""), actor)


def links(shown: Shown) -> dict[str, str]:
    """Give the addresses of the parts that change by themselves."""
    return {part: f"{shown.href}/{part}" for part in PARTS}


def head(shown: Shown) -> View:
    """Prepare the head of the page and its acts."""
    row, payment = shown.row, shown.payment
    mark = words.provider(row.provider)
    event_id = row.provider_event_id
    return {
        "id": row.id,
        "short": words.short(row.id),
        "href": shown.href,
        "type": row.type,
        "state": states.of_inbound(row),
        "demo": bool(payment and payment.demo),
        "sentence": _sentence(shown),
        "ref": words.ref("event id", event_id) if event_id else words.ref("inbound id", row.id),
        "provider": RailMark(f"{mark.label}, {row.mode} mode", mark.icon),
        "payment": Link(words.short(payment.id), f"/payments/{payment.id}") if payment else None,
        "received": words.moment(row.received_at),
        "acts": [replay_act(shown)],
        "more_acts": [ignore_act(shown)],
    }


def _sentence(shown: Shown) -> str:
    row = shown.row
    if row.state == Inbound.RECEIVED:
        return "Stored and acknowledged. The worker applies it in the order of arrival."
    said = words.verdict(row.verdict or "", own=row.id)
    if row.state == Inbound.PROCESSED and row.processed_at is not None:
        took = max(0.0, (row.processed_at - row.received_at).total_seconds())
        tries = words.counted(row.attempts, "attempt")
        return f"{said} {tries}, {words.span(took)} after it arrived."
    return said or states.of_inbound(row).word


def replay_act(shown: Shown) -> Act:
    """Offer the preview of a replay, or say why there is none."""
    reason = None
    if not shown.actor.may(Permission.INBOUND_REPLAY):
        reason = "Your role reads events only."
    elif shown.row.body_sealed is None:
        reason = "Its body is kept no longer. Ask the provider about the payment instead."
    return Act(
        *("preview", "Replay event", f"{shown.href}/preview", reason is None, reason),
        icon="replay",
        tone="primary",
    )


def ignore_act(shown: Shown) -> Act:
    """Offer to set the event aside, or say why that is not possible."""
    row, reason = shown.row, None
    if not shown.actor.may(Permission.INBOUND_IGNORE):
        reason = "Setting events aside is for finance, admins and engineers."
    elif row.state in SETTLED:
        reason = "It has been applied; there is nothing to set aside."
    elif row.state == Inbound.IGNORED:
        reason = "It is set aside already."
    said = "It is tried no more and waits no longer. Asks for a reason."
    return Act(
        *("ignore", "Ignore this event", f"{shown.href}/ignore", reason is None, reason),
        text=said,
        verb="Ignore",
    )


def _outcome(attempt: InboundAttempt) -> State:
    return states.INBOUND.get(attempt.outcome, State(attempt.outcome, "dot", "quiet"))


def story(session: Session, shown: Shown) -> View:
    """Prepare the attempts and the effects."""
    row = shown.row
    attempts = inbox_queries.attempts_of(session, row.id)
    names = naming.actor_names(session, [each.actor for each in attempts], for_staff=True)
    effects = inbox_queries.effects_of(session, row.id)
    waits = row.state in WAITS and row.attempts > 0
    rail = shown.payment.rail if shown.payment else words.rail_of(row.provider)
    return {
        "attempts": [
            _attempt(each, names, last=each.no == row.attempts, row=row) for each in attempts
        ],
        "next_attempt": words.moment(row.due_at) if waits else None,
        "effects": [_effect(each, rail) for each in effects],
        "effects_note": "written in the same database transaction" if effects else "",
        "no_effects": _no_effects(row),
    }


def _no_effects(row: InboundEvent) -> str:
    if row.state in WAITS:
        return "Nothing yet."
    return f"It had no effect. {words.verdict(row.verdict or '', own=row.id)}".strip()


def _attempt(
    attempt: InboundAttempt, names: Mapping[str, str], *, last: bool, row: InboundEvent
) -> View:
    act = "Replayed by hand" if attempt.is_replay else "Applied by the worker"
    said = (
        words.verdict(row.verdict, own=row.id) if last and row.verdict and not attempt.error else ""
    )
    return {
        "no": attempt.no,
        "state": _outcome(attempt),
        "text": said or f"{act}.",
        "error": attempt.error,
        "reason": attempt.reason,
        "actor": words.person(attempt.actor, names),
        "at": words.moment(attempt.at),
        "took": None,
    }


def _effect(effect: Effect, rail: str) -> View:
    href = None
    if effect.kind == "case":
        href = f"/exceptions/{effect.id}"
    elif effect.object_id and effect.object_id.startswith("pay_"):
        href = f"/payments/{effect.object_id}"
    elif effect.object_id and effect.object_id.startswith("ord_"):
        href = f"/orders/{effect.object_id}"
    return {
        "icon": _EFFECT_ICONS.get(effect.kind, "dot"),
        "text": _effect_words(effect, rail),
        "href": href,
        "at": words.moment(effect.at),
    }


def _effect_words(effect: Effect, rail: str) -> str:
    """Say an effect as the rest of the desk says it."""
    if effect.kind == "event":
        return f"Event {effect.text} told"
    if effect.kind == "entry":
        kind = effect.text.removeprefix("journal entry ")
        return f"Posted: {books.entry_kind(kind).lower()}"
    kind, _, moved = effect.text.partition(" ")
    old, _, new = moved.partition(" → ")
    table = {"payment": states.PAYMENT, "order": states.ORDER}.get(kind)
    if table is not None and old in table and new in table:
        return f"{kind.capitalize()} moved from {table[old].word} to {table[new].word}"
    if kind == "payment_sub":
        return states.sub_words(new, rail) or "Nothing more is needed of the payer"
    return words.sentence(effect.text.replace("_", " "))


def payload(shown: Shown) -> View:
    """Prepare the redacted body."""
    row = shown.row
    note = f"{row.body_bytes:,} bytes, personal data and secrets redacted"
    if row.body_sealed is None:
        gone = "The body is kept no longer. Its checksum and effects stay."
        return {"note": f"{row.body_bytes:,} bytes", "gone": gone, "tree": None, "text": None}
    content: Json = inbox_queries.content_of(row)
    if isinstance(content, dict) and set(content) == {"unreadable", "bytes"}:
        text = f"This is no JSON document ({content['unreadable']}), so nothing in it can be masked by name."
        return {"note": note, "gone": None, "tree": None, "text": text}
    return {"note": note, "gone": None, "tree": trees.tree(content), "text": None}


def headers(shown: Shown) -> list[View]:
    """Prepare the kept headers."""
    shown_headers = inbox_queries.headers_of(shown.row)
    return [{"name": name, "value": str(value)} for name, value in shown_headers.items()]


def facts(session: Session, shown: Shown) -> View:
    """Prepare the panels beside the story."""
    row = shown.row
    numbers = inbox_queries.secret_numbers(session)
    return {
        "facts": [
            FactGroup("verified", "Verified", _verified(row, numbers)),
            FactGroup("ids", "Identity", _identity(row)),
            FactGroup("times", "Times", _times(row)),
        ],
        "copies": _copies(row),
    }


def _verified(row: InboundEvent, numbers: Mapping[str, int]) -> list[Fact]:
    scheme = _SCHEMES.get(row.signature_scheme, row.signature_scheme)
    found = [Fact("Secret version", webhooks.verified_by(row, numbers)), Fact("Scheme", scheme)]
    if row.provider_at is not None:
        apart = abs((row.received_at - row.provider_at).total_seconds())
        found.append(Fact("Happened", at=words.moment(row.provider_at)))
        found.append(Fact("Under way for", words.span(apart)))
    return found


def _identity(row: InboundEvent) -> list[Fact]:
    rows = [("Event", "event id", row.provider_event_id), ("About", "object", row.object_reference)]
    found = [Fact(label, ref=words.ref(name, value)) for label, name, value in rows if value]
    found.append(Fact("Stored as", ref=words.ref("inbound id", row.id)))
    checksum = f"{row.body_sha256[:8]}…{row.body_sha256[-4:]}"
    found.append(Fact("SHA-256", ref=words.ref("checksum", row.body_sha256, text=checksum)))
    found.append(Fact("Mode", row.mode))
    return [*found, Fact("Account", row.account)] if row.account else found


def _times(row: InboundEvent) -> list[Fact]:
    found = [Fact("Received", at=words.moment(row.received_at))]
    if row.processed_at is not None:
        found.append(Fact("Settled", at=words.moment(row.processed_at)))
    return found


def _copies(row: InboundEvent) -> View:
    provider = words.provider_label(row.provider)
    if not row.duplicates:
        text = f"{provider} sent this event once."
    else:
        text = f"{provider} sent this event {row.duplicates + 1} times. Only the first is applied."
    return {"count": row.duplicates + 1, "text": text, "rows": []}
