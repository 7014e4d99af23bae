"""Whether an old version of a secret is safe to retire, in words with numbers; and what revoking it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound
from core.states import Inbound
from core.states import SecretVersion as State
from domain.secrets import credential_uses
from domain.secrets.secret_kinds import KINDS, WEBHOOK, Kind
from domain.secrets.secrets import LIVE
from models.inbound import InboundEvent
from models.secrets import Secret, SecretVersion
from providers.deliveries import PROBE

# Deliveries this fresh may still be followed by others that the same version signed.
RECENT = timedelta(hours=3)
_WAITING = (Inbound.RECEIVED.value, Inbound.FAILED.value, Inbound.UNMATCHED.value)


@dataclass(frozen=True)
class Verdict:
    """Whether the old version may go, and why in one or two sentences."""

    is_safe: bool
    why: str


@dataclass(frozen=True)
class Forecast:
    """What revoking a version costs. in_flight: stored events that it verified and that are not applied
    yet (none of them is lost); backfillable: what it verified in the last three hours, so what may be
    refused from now on and can be fetched from the provider.
    """

    in_flight: int
    backfillable: int


def hours(span: timedelta) -> str:
    """Write a span in whole hours, rounded up."""
    return f"{-(-int(span.total_seconds()) // 3600)} h"


def of_version(
    session: Session, secret: Secret, versions: Sequence[SecretVersion], row: SecretVersion
) -> Verdict:
    """Judge one live version. versions: all of its secret.

    Transaction: caller's, reads only.
    """
    used = credential_uses.last_uses(session, [each.id for each in versions])
    return judge(KINDS[secret.kind], versions, row, used)


def judge(
    kind: Kind,
    versions: Sequence[SecretVersion],
    row: SecretVersion,
    used: Mapping[str, datetime],
) -> Verdict:
    """Judge one version. used: when each version was last used; one that never was is absent."""
    if row.state not in LIVE:
        return Verdict(True, f"v{row.version} is {row.state}: it verifies nothing.")
    newer = [each for each in versions if each.version > row.version and each.state in LIVE]
    if not newer:
        return Verdict(False, f"v{row.version} is the newest: there is nothing to take its place.")
    last = used.get(row.id)
    if last is None:
        return Verdict(True, f"v{row.version} was never used.")
    if kind.name == WEBHOOK and not any(each.id in used for each in newer):
        said = f"v{newer[0].version} has verified nothing yet: is it set at the provider?"
        return Verdict(False, f"{said} The last use of v{row.version} was {ago(last)}.")
    quiet, gone = timedelta(hours=kind.quiet_hours), clock.now() - last
    said = f"The last use of v{row.version} was {ago(last)}; {kind.quiet_why}"
    if gone >= quiet:
        return Verdict(True, f"{said}: it is safe to retire.")
    return Verdict(False, f"{said}: wait {hours(quiet - gone)} more.")


def ago(at: datetime) -> str:
    """Write how long ago something was."""
    minutes = int((clock.now() - at).total_seconds()) // 60
    if minutes < 1:
        return "just now"
    return f"{minutes} min ago" if minutes < 60 else f"{minutes // 60} h ago"


def of_secret(
    kind: Kind, versions: Sequence[SecretVersion], used: Mapping[str, datetime]
) -> Verdict:
    """Judge the oldest version that is on its way out."""
    leaving = [row for row in versions if row.state == State.RETIRING.value]
    if not leaving:
        return Verdict(False, "One version is in use; there is nothing to retire.")
    return judge(kind, versions, min(leaving, key=lambda row: row.version), used)


def forecast(session: Session, secret_id: str, number: int) -> Forecast:
    """Say what revoking a version would cost now.

    Raises: NotFound. Transaction: caller's, reads only.
    """
    statement = (
        select(Secret, SecretVersion)
        .join(SecretVersion, SecretVersion.secret_id == Secret.id)
        .where(Secret.id == secret_id, SecretVersion.version == number)
    )
    found = session.execute(statement).first()
    if found is None:
        raise NotFound
    secret, row = found
    begin = clock.now() - RECENT
    if secret.kind != WEBHOOK:
        recent = credential_uses.since(session, [row.id], begin=begin)
        return Forecast(sum(use.count for use in recent), 0)
    signed = (InboundEvent.secret_version_id == row.id, InboundEvent.type != PROBE)
    waiting = select(func.count()).where(*signed, InboundEvent.state.in_(_WAITING))
    came = select(func.count()).where(*signed, InboundEvent.received_at > begin)
    return Forecast(session.scalar(waiting) or 0, session.scalar(came) or 0)
