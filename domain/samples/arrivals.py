"""The inbox of sample data: the event behind each payment's last turn, its body kept for the newest ones."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from core import hashing
from core.states import MAPPING_VERSION, Inbound
from core.strictjson import Json
from domain.inbox.inbox_conflicts import body_place
from domain.samples.bulk import Row, Sheaf
from domain.samples.dice import Dice, Namer
from domain.samples.rows import Names
from domain.samples.story import Attempt, Story
from domain.secrets import keyring
from models.cases import ExceptionCase
from models.inbound import InboundAttempt, InboundEvent
from models.payments import StateChange

# Bodies are kept for a while only; what is older shows that it was purged.
BODIES_KEPT = timedelta(days=45)
_TYPES = {
    "challenged": ("payment_intent.requires_action", "requires_action"),
    "held": ("payment_intent.amount_capturable_updated", "requires_capture"),
    "debiting": ("payment_intent.processing", "processing"),
    "stuck": ("payment_intent.processing", "processing"),
    "completed": ("payment_intent.succeeded", "succeeded"),
}
_APPLIED = timedelta(milliseconds=21)


class Arrivals:
    """Adds inbound events with their attempts. version: the signing secret's version, if there is one."""

    def __init__(
        self, sheaf: Sheaf, namer: Namer, *, now: datetime, version: str | None, api_version: str
    ) -> None:
        self._sheaf, self._namer = sheaf, namer
        self._now, self._version, self._api_version = now, version, api_version

    def told(self, story: Story, attempt: Attempt, names: Names) -> None:
        """Add the event that told of an attempt's last turn.

        Writes: inbound_events, inbound_attempts, through the sheaf.
        """
        if names.inbound is None:
            return
        kind, status = _TYPES[attempt.end]
        event_id = f"evt_3S{self._namer.chance(22)}"
        body = self._body(event_id, kind, _intent(story, attempt, names, status), attempt.told_at)
        row = self._row(names.inbound, event_id, kind, attempt.told_at, body)
        row |= {
            "object_reference": names.intent,
            "payment_id": names.payment,
            "verdict": f"payment pending → {attempt.status.value}",
        }
        self._sheaf.add(InboundEvent, row)
        self._attempt(names.inbound, attempt.told_at + _APPLIED, Inbound.PROCESSED)

    def oddity(self, dice: Dice, at: datetime) -> None:
        """Add one event that came to another end, with the case that it opened.

        Writes: inbound_events, inbound_attempts, exception_cases, through the sheaf.
        """
        end = dice.weighted(((Inbound.IGNORED, 70), (Inbound.UNMATCHED, 20), (Inbound.DEAD, 10)))
        inbound_id, event_id = self._namer.at("inb", at), f"evt_3S{self._namer.chance(22)}"
        reference = f"pi_3S{self._namer.chance(22)}"
        kind = "payout.paid" if end == Inbound.IGNORED else "payment_intent.succeeded"
        subject: dict[str, Json] = {"id": reference, "object": kind.partition(".")[0]}
        row = self._row(inbound_id, event_id, kind, at, self._body(event_id, kind, subject, at))
        row |= {"state": end.value, "object_reference": reference, "verdict": _VERDICTS[end]}
        if end == Inbound.UNMATCHED:
            # It was tried for a day; the worker looks again in a month.
            row |= {"attempts": 5, "due_at": self._now + timedelta(days=30), "processed_at": None}
        if end == Inbound.DEAD:
            row |= {"attempts": 12, "last_error": _VERDICTS[end], "processed_at": None}
        self._sheaf.add(InboundEvent, row)
        self._attempt(inbound_id, at + _APPLIED, end)
        if end != Inbound.IGNORED:
            self._case(end, inbound_id, at)

    def _row(self, inbound_id: str, event_id: str, kind: str, at: datetime, body: bytes) -> Row:
        sealed = None
        if self._now - at < BODIES_KEPT:
            place = body_place(inbound_id)
            sealed = keyring.vault().seal(body, purpose="inbound", place=place)
        return {
            "id": inbound_id,
            "provider": "stripe",
            "account": "",
            "mode": "test",
            "delivery_key": event_id,
            "provider_event_id": event_id,
            "type": kind,
            "object_reference": None,
            "state": Inbound.PROCESSED.value,
            "body_sealed": sealed,
            "body_sha256": hashing.sha256(body),
            "body_bytes": len(body),
            "headers": {"Content-Type": "application/json; charset=utf-8"},
            "secret_version_id": self._version,
            "signature_scheme": "stripe_v1",
            "received_at": at,
            "provider_at": at.replace(microsecond=0),
            "due_at": at,
            "attempts": 1,
            "last_error": None,
            "verdict": None,
            "processed_at": at + _APPLIED,
            "payment_id": None,
            "duplicates": 0,
        }

    def _body(self, event_id: str, kind: str, subject: dict[str, Json], at: datetime) -> bytes:
        event: dict[str, Json] = {
            "id": event_id,
            "object": "event",
            "api_version": self._api_version,
            "created": int(at.timestamp()),
            "data": {"object": subject},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        return json.dumps(event, indent=2).encode()

    def _attempt(self, inbound_id: str, at: datetime, outcome: Inbound) -> None:
        row: Row = {
            "id": self._namer.at("att", at),
            "inbound_id": inbound_id,
            "no": 1,
            "at": at,
            "outcome": outcome.value,
            "error": None,
            "actor": "system:worker",
            "reason": None,
            "is_replay": False,
            "replay_key": None,
        }
        self._sheaf.add(InboundAttempt, row)

    def _case(self, end: Inbound, inbound_id: str, at: datetime) -> None:
        dead = end == Inbound.DEAD
        kind = "DEAD_LETTER" if dead else "UNMATCHED"
        is_old = self._now - at > timedelta(days=10)
        case_id, settled_at = self._namer.at("exc", at), at + timedelta(hours=20)
        row: Row = {
            "id": case_id,
            "kind": kind,
            "state": "resolved" if is_old else "open",
            "subject_key": f"{kind}:{inbound_id}",
            "sentence": _VERDICTS[end],
            "inbound_id": inbound_id,
            "team": "engineering" if dead else "support",
            "source": f"inbound:{inbound_id}",
            "opened_at": at,
            "sla_due_at": at + timedelta(hours=4 if dead else 24),
            "resolved_at": settled_at if is_old else None,
            "verb": "accept" if is_old else None,
            "demo": True,
        }
        self._sheaf.add(ExceptionCase, row)
        if is_old:
            self._settled(case_id, inbound_id, settled_at)

    def _settled(self, case_id: str, inbound_id: str, at: datetime) -> None:
        row: Row = {
            "id": self._namer.at("chg", at),
            "object_kind": "case",
            "object_id": case_id,
            "payment_id": None,
            "order_id": None,
            "old": "open",
            "new": "resolved",
            "actor": "system:samples",
            "reason": "sample data: looked at and left as it is",
            "source": f"inbound:{inbound_id}",
            "mapping_version": MAPPING_VERSION,
            "at": at,
        }
        self._sheaf.add(StateChange, row)


_VERDICTS = {
    Inbound.IGNORED: "payout.paid: known, no effect on payments yet",
    Inbound.UNMATCHED: "payment_intent.succeeded belongs to no payment of ours",
    Inbound.DEAD: "payment_intent.succeeded could not be applied after 12 attempts: LostRace",
}


def _intent(story: Story, attempt: Attempt, names: Names, status: str) -> dict[str, Json]:
    held = attempt.amount_minor if attempt.end == "held" else 0
    metadata: dict[str, Json] = {
        "payment_id": names.payment,
        "operation_id": names.operation,
        "order_id": names.order,
        "demo": "true",
    }
    return {
        "id": names.intent,
        "object": "payment_intent",
        "amount": attempt.amount_minor,
        "amount_capturable": held,
        "amount_received": attempt.received_minor,
        "capture_method": "manual" if held else "automatic",
        "created": int(attempt.begun_at.timestamp()),
        "currency": story.asset.code.lower(),
        "description": story.description,
        "last_payment_error": None,
        "latest_charge": names.charge,
        "livemode": False,
        "metadata": metadata,
        "payment_method_types": ["card"],
        "status": status,
    }
