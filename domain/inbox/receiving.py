"""Receiving into the inbox: verify the raw bytes, store each event, acknowledge; nothing is applied here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core import clock, hashing, ids, redaction
from core.states import Inbound
from domain.inbox.inbox_conflicts import body_place
from domain.inbox.ingest import Arrival, ingest
from domain.secrets import credential_uses, keyring, secrets
from providers import registry
from providers.deliveries import PROBE, Delivery, Sent, UnreadableDelivery, Verified


@dataclass(frozen=True)
class Received:
    """What the door answers with: the ids of the rows, one for each event, and whether all were there already."""

    inbound_ids: Sequence[str]
    is_duplicate: bool

    @property
    def inbound_id(self) -> str:
        """The row of a delivery that holds one event."""
        (only,) = self.inbound_ids
        return only


def receive(provider: str, sent: Sent, *, headers: Iterable[tuple[str, str]]) -> Received:
    """Verify a delivery over its raw bytes, store its events, and return once all of them are durable.

    A signed body that cannot be read is stored as quarantined, and so is an event of the wrong mode or
    account. Writes: inbound_events, event_log. Raises: NotFound, BadSignature, Unavailable.
    Transaction: opens its own, shared with other arrivals.
    """
    rail = registry.get(provider)
    verified = rail.verify(sent, secrets=secrets.live(provider), now=clock.unix())
    unreadable = None
    try:
        deliveries = rail.read_deliveries(sent.body)
    except UnreadableDelivery as error:
        unreadable = f"cannot be read: {error}"
        key = hashing.sha256(sent.body)
        deliveries = [Delivery(key, "unreadable", None, verified.mode, "", None, None)]
    if verified.version_id is not None and any(each.type != PROBE for each in deliveries):
        # Our own probes prove nothing of what the provider signs with.
        credential_uses.count(verified.version_id)
    kept = redaction.kept_headers(headers)
    arrivals = []
    for delivery in deliveries:
        body = sent.body if delivery.body is None else delivery.body
        problem = unreadable or _problem(delivery, verified)
        row = _row(provider, body, verified=verified, delivery=delivery, problem=problem)
        row["headers"] = kept
        arrivals.append(Arrival(row=row, body=body))
    ingest.store(arrivals)
    ids_ = [str(each.row["id"]) for each in arrivals]
    return Received(ids_, bool(arrivals) and all(each.is_duplicate for each in arrivals))


def _problem(delivery: Delivery, verified: Verified) -> str | None:
    """Say why an event is not for this installation, or None."""
    if delivery.mode != verified.mode:
        return f"a {delivery.mode} event signed with the {verified.mode} secret"
    return f"an event of another account, {delivery.account}" if delivery.account else None


def _row(
    provider: str,
    body: bytes,
    *,
    verified: Verified,
    delivery: Delivery,
    problem: str | None,
) -> dict[str, object]:
    now, inbound_id = clock.now(), ids.new("inb")
    place = body_place(inbound_id)
    return {
        "id": inbound_id,
        "provider": provider,
        "account": delivery.account,
        "mode": delivery.mode,
        "delivery_key": delivery.key,
        "provider_event_id": delivery.event_id,
        "type": delivery.type,
        "object_reference": delivery.reference,
        "state": (Inbound.QUARANTINED if problem else Inbound.RECEIVED).value,
        "body_sealed": keyring.vault().seal(body, purpose="inbound", place=place),
        "body_sha256": hashing.sha256(body),
        "body_bytes": len(body),
        "secret_version_id": verified.version_id,
        "signature_scheme": verified.scheme,
        "received_at": now,
        "provider_at": delivery.said_at,
        "due_at": now,
        "verdict": problem,
    }
