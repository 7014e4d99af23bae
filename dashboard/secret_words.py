"""How secrets read on the desk: names, states of versions, acts with their reasons; nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping

from core.permissions import Permission
from dashboard import words
from dashboard.shapes import Act, State, View
from domain.actors import Actor
from domain.secrets.secret_kinds import OURS
from domain.secrets.secret_queries import SecretSeen, VersionSeen

STATES: Mapping[str, State] = {
    "active": State("In use", "done", "good"),
    "retiring": State("Retiring", "half", "info", "Still verifies, until its time has passed"),
    "retired": State("Retired", "skip", "quiet", "Verifies nothing; it can be restored"),
    "revoked": State("Revoked", "dead", "bad", "Ended at once; it never comes back"),
    "expired": State("Expired", "expired", "quiet"),
    "pending": State("Pending", "open", "quiet"),
}
ORIGINS: Mapping[str, str] = {
    "environment": "from the environment",
    "entered": "entered",
    "generated": "generated",
}
_NOT_ADMIN = "Only admins change secrets."


def owner(seen: SecretSeen) -> str:
    """Name whose secret it is."""
    return "Paydesk" if seen.row.provider == OURS else words.provider_label(seen.row.provider)


def title(seen: SecretSeen) -> str:
    """Name a secret as a person would."""
    label = seen.kind.label
    if seen.row.provider == OURS:
        return label
    return f"{owner(seen)}: {label[0].lower()}{label[1:]}"


def age(seen: SecretSeen) -> str:
    """Say how old the version in use is."""
    if seen.age_days is None:
        return "nothing in use"
    said = words.counted(seen.age_days, "day") if seen.age_days else "today"
    return f"{said} old" if seen.age_days else "made today"


def why_not(actor: Actor) -> str | None:
    """Say why this person may not change secrets; None when they may."""
    return None if actor.may(Permission.SECRETS_ROTATE) else _NOT_ADMIN


def acts_of(seen: SecretSeen, each: VersionSeen, *, actor: Actor) -> list[Act]:
    """Offer what can be done with one version, or say why not."""
    base = f"/secrets/{seen.row.id}/versions/{each.row.version}"
    blocked = why_not(actor)
    last = each.is_live and sum(other.is_live for other in seen.versions) == 1
    only = "It is the last live version. Rotate first." if last else None
    found: list[Act] = []
    if each.state == "retiring":
        found.append(_act(each, "retire", "Retire", base, blocked or only))
    if each.state in ("retiring", "retired"):
        found.append(_act(each, "restore", "Restore", base, blocked))
    if each.row.state != "revoked":
        found.append(_act(each, "revoke", "Revoke", base, blocked or only, tone="danger"))
    return found


def _act(
    each: VersionSeen, verb: str, label: str, base: str, reason: str | None, *, tone: str = "plain"
) -> Act:
    name = f"{verb}-{each.row.version}"
    return Act(name, label, f"{base}/{verb}", reason is None, reason, tone=tone)


def version_view(seen: SecretSeen, each: VersionSeen, *, actor: Actor, made_by: str | None) -> View:
    """Prepare one version."""
    row = each.row
    origin = ORIGINS.get(row.origin, row.origin)
    return {
        "number": row.version,
        "state": STATES[each.state],
        "origin": f"{origin} by {made_by}" if made_by else origin,
        "reason": row.reason,
        "created": words.moment(row.created_at),
        "retires": words.moment(row.retire_at) if each.is_live and row.retire_at else None,
        "ended": words.moment(row.ended_at) if row.ended_at and not each.is_live else None,
        "hits": f"{each.hits_24h:,}",
        "last_hit": words.moment(each.last_hit_at) if each.last_hit_at else None,
        "verdict": each.verdict if each.state == "retiring" else None,
        "acts": acts_of(seen, each, actor=actor),
    }
