"""Merchants' API keys with their verdicts, rotated and revoked by admins; shown once when made."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError, NotFound
from core.permissions import Permission
from dashboard import confirming, guarded, listing, render, secret_words, words
from dashboard.confirming import Question
from dashboard.secrets import tabs
from dashboard.shapes import Act, Alert, Empty, Fact, Link, View
from domain.actors import Actor
from domain.database import reading, transaction
from domain.people import keys
from domain.secrets import key_rotation
from domain.secrets.key_rotation import KeySeen
from web import access, identity

routes = Blueprint("desk_secret_keys", __name__)
HERE = "/secrets/api-keys"
_TRAIL = [Link("Secrets", "/secrets"), Link("API keys", HERE)]


def _row(seen: KeySeen, actor: Actor) -> View:
    row = seen.row
    blocked = secret_words.why_not(actor)
    base = f"{HERE}/{row.id}"
    acts = []
    if seen.state == "active":
        acts.append(Act(f"rotate-{row.id}", "Rotate", f"{base}/rotate", not blocked, blocked))
    if seen.state in ("active", "retiring"):
        acts.append(
            Act(f"revoke-{row.id}", "Revoke", f"{base}/revoke", not blocked, blocked, tone="danger")
        )
    return {
        "id": row.id,
        "version": listing.version(seen.state, seen.hits_24h, row.last_used_at),
        "name": row.name,
        "prefix": row.prefix,
        "merchant": seen.merchant,
        "mode": "live" if row.livemode else "test",
        "state": secret_words.STATES[seen.state],
        "created": words.moment(row.created_at),
        "ends": words.moment(row.retire_at) if row.retire_at and seen.state == "retiring" else None,
        "hits": f"{seen.hits_24h:,}",
        "last": words.moment(seen.last_hit_at) if seen.last_hit_at else None,
        "verdict": seen.verdict if seen.state == "retiring" else None,
        "acts": acts,
    }


def _rows(actor: Actor) -> View:
    with reading() as session:
        found = key_rotation.list_all(session)
    note = "A merchant makes one, or `flask api-key add`."
    return {
        "rows": [_row(seen, actor) for seen in found],
        "rows_url": f"{HERE}/rows",
        "empty_note": Empty("There is no API key", note, "key"),
    }


@routes.get("/secrets/api-keys")
@access.page(Permission.SECRETS_READ)
def index() -> Response:
    view = _rows(render.actor()) | {"tabs_items": tabs(HERE)}
    return render.page("secrets/keys.html", view)


@routes.get("/secrets/api-keys/rows")
@access.page(Permission.SECRETS_READ)
def rows() -> Response:
    if not render.wants_fragment():
        return render.to(HERE)
    return render.part("secrets/_key_rows.html", _rows(render.actor()))


def _get(key_id: str) -> KeySeen:
    with reading() as session:
        found = key_rotation.get_seen(session, key_id)
    if found is None:
        raise NotFound
    return found


def _question(seen: KeySeen, verb: str) -> Question:
    is_revoking = verb == "revoke"
    effects = [
        "Every process refuses it within five seconds",
        "It never comes back",
    ]
    if not is_revoking:
        effects = [
            "A new key of the same name, mode and scopes is made and shown once",
            f"The old one lets its holder in for {key_rotation.OVERLAP_HOURS} h more",
            "Give the new one to the merchant over a channel that you trust",
        ]
    return Question(
        title=f"{verb.capitalize()} the API key {seen.row.name}",
        lead=f"A {'live' if seen.row.livemode else 'test'} key of {seen.merchant}. {seen.verdict.why}",
        effects=effects,
        facts=[
            Fact("State", state=secret_words.STATES[seen.state]),
            Fact("Begins with", ref=words.ref("prefix", seen.row.prefix, text=seen.row.prefix)),
            Fact("Uses in 24 h", f"{seen.hits_24h:,}"),
        ],
        action=f"{HERE}/{seen.row.id}/{verb}",
        label=f"{verb.capitalize()} key",
        tone="danger" if is_revoking else "primary",
        back=HERE,
        trail=_TRAIL,
    )


@routes.get("/secrets/api-keys/<key_id>/<any(rotate, revoke):verb>")
@access.page(Permission.SECRETS_ROTATE)
def ask(key_id: str, verb: str) -> Response:
    if (detour := guarded.detour()) is not None:
        return detour
    return confirming.show(_question(_get(key_id), verb))


@routes.post("/secrets/api-keys/<key_id>/<any(rotate, revoke):verb>")
@access.page(Permission.SECRETS_ROTATE)
def act(key_id: str, verb: str) -> Response:
    seen = _get(key_id)
    if (detour := guarded.detour(f"{HERE}/{key_id}/{verb}")) is not None:
        return detour
    reason = confirming.reason()
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(seen, verb), reason=reason, error=error)
    try:
        made = _do(seen, verb, reason)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", "The key was not changed", refused.message)
        return confirming.show(_question(_get(key_id), verb), reason=reason, problem=problem)
    identity.forget_cached()
    if made is None:
        render.tell(Alert("good", f"The key {seen.row.name} is revoked"))
        return render.to(HERE)
    return _shown(seen, made)


def _do(seen: KeySeen, verb: str, reason: str) -> str | None:
    """Do it. Gives the new key, which is shown this once."""
    actor = render.actor()
    with transaction() as session:
        merchant = keys.get_merchant(session, seen.row.merchant_id, actor=actor)
        if verb == "revoke":
            keys.revoke_key(session, merchant, seen.row.id, actor=actor, reason=reason)
            return None
        made = key_rotation.rotate(
            session, merchant, seen.row.id, actor=actor, overlap_hours=None, reason=reason
        )
        return made.key


def _shown(seen: KeySeen, key: str) -> Response:
    view: View = {
        "trail": _TRAIL,
        "title": f"New key: {seen.row.name}",
        "lead": "This is the only time that it is shown. The old one lives on for a day.",
        "label": "key",
        "value": key,
        "next": [f"Give it to {seen.merchant} over a channel that you trust."],
        "back": Link("I have copied it", HERE),
    }
    return render.page("secrets/made.html", view, live=False)
