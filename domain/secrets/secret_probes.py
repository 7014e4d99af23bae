"""A signed probe of a webhook secret: prepared here, sent through the public URL by `web/secret_probe.py`.

It comes in by the providers' door like any delivery and is stored as what it is: without effect.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict
from domain import audit
from domain.actors import Actor
from domain.secrets import rotation, secrets
from domain.secrets.secret_kinds import WEBHOOK
from models.inbound import InboundEvent
from models.secrets import SecretVersion
from providers import registry
from providers.deliveries import Canary


@dataclass(frozen=True)
class Probe:
    """A canary, the path of the door it knocks at, and the number of the version that signed it."""

    canary: Canary
    path: str
    version: int


def prepare(session: Session, secret_id: str, *, actor: Actor) -> Probe:
    """Sign a probe with the newest version of a webhook secret.

    Writes: audit_log. Raises: NotFound, Conflict. Transaction: caller's.
    """
    secret = rotation.get(session, secret_id)
    live = secrets.live(secret.provider, secret.kind) if secret.kind == WEBHOOK else ()
    if not live:
        raise Conflict("Only a live webhook secret can be probed: others verify no deliveries.")
    numbers = {row.id: row.version for row in secrets.versions_of(session, secret.id)}
    canary = registry.get(secret.provider).canary(
        ids.new("x")[2:], secret=live[0], now=clock.unix()
    )
    audit.write(
        session,
        "secret.probe",
        actor=actor,
        object_kind="secret",
        object_id=secret.id,
        source=f"user:{actor.id}",
        after={"version": numbers.get(live[0].version_id), "eventId": canary.event_id},
    )
    path = f"/api/webhooks/{registry.get(secret.provider).door}"
    return Probe(canary, path, numbers.get(live[0].version_id, 0))


def verified_by(session: Session, probe: Probe) -> int | None:
    """Give the number of the version that the door verified a probe with; None: it never came in.

    Transaction: caller's, reads only.
    """
    statement = (
        select(SecretVersion.version)
        .join(InboundEvent, InboundEvent.secret_version_id == SecretVersion.id)
        .where(InboundEvent.provider_event_id == probe.canary.event_id)
    )
    return session.scalar(statement)
