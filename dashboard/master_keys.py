"""Master keys: which one seals how many values, sealing everything anew, and whether an old one may go."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import AppError
from core.permissions import Permission
from dashboard import confirming, guarded, render, secret_words, words
from dashboard.confirming import Question
from dashboard.secrets import tabs
from dashboard.shapes import Act, Alert, Link, View
from domain.actors import Actor
from domain.database import reading, transaction
from domain.secrets import keyring, master_keys, reencryption
from domain.secrets.master_keys import KeyStanding
from domain.transitions import Why
from models.secrets import Reencryption
from web import access

routes = Blueprint("desk_master_keys", __name__)
HERE = "/secrets/master-keys"


def _key(found: KeyStanding) -> View:
    return {
        "kid": found.kid,
        "rows": f"{found.rows:,}",
        "is_first": found.is_first,
        "may_go": found.may_go,
        "why": found.why,
    }


def _pass(row: Reencryption | None) -> View | None:
    if row is None:
        return None
    share = 100 if row.total == 0 else row.done * 100 // row.total
    return {
        "is_running": row.state == reencryption.RUNNING,
        "kid": row.master_kid,
        "done": f"{row.done:,}",
        "total": f"{row.total:,}",
        "value": row.done,
        "max": max(row.total, 1),
        "share": f"{min(share, 100)}%",
        "rate": f"{reencryption.rate(row):,}",
        "started": words.moment(row.started_at),
        "finished": words.moment(row.finished_at) if row.finished_at else None,
        "left_over": row.last_error,
    }


def _view(actor: Actor) -> View:
    with reading() as session:
        row = reencryption.last(session)
        found = master_keys.look(session)
    is_running = row is not None and row.state == reencryption.RUNNING
    is_ours = row is not None and row.master_kid == keyring.vault().kid
    reason = secret_words.why_not(actor) or (
        "A pass is running." if is_running and is_ours else None
    )
    return {
        "keys": [_key(each) for each in found.keys],
        "stray": f"{found.stray:,}" if found.stray else None,
        "indexes": found.indexes,
        "sealing": _pass(row),
        "counted": words.moment(found.at),
        "acts": [Act("seal", "Seal everything anew", f"{HERE}/seal", reason is None, reason)],
        "live_url": f"{HERE}/body",
    }


@routes.get("/secrets/master-keys")
@access.page(Permission.SECRETS_READ)
def index() -> Response:
    return render.page("secrets/master.html", _view(render.actor()) | {"tabs_items": tabs(HERE)})


@routes.get("/secrets/master-keys/body")
@access.page(Permission.SECRETS_READ)
def body() -> Response:
    if not render.wants_fragment():
        return render.to(HERE)
    return render.part("secrets/_master.html", _view(render.actor()))


def _question() -> Question:
    kid = keyring.vault().kid
    return Question(
        title="Seal everything anew",
        lead=f"Every stored value that another master key sealed is sealed with {kid}, the first of "
        "MASTER_KEYS, by the worker in the background.",
        effects=[
            "Everything stays readable all the time; nothing waits for it",
            "A worker that is killed goes on where it stood",
            "When it is done, this page says whether the old key may leave MASTER_KEYS",
        ],
        action=f"{HERE}/seal",
        label="Seal anew",
        back=HERE,
        trail=[Link("Secrets", "/secrets"), Link("Master keys", HERE)],
    )


@routes.get("/secrets/master-keys/seal")
@access.page(Permission.SECRETS_ROTATE)
def ask() -> Response:
    if (detour := guarded.detour()) is not None:
        return detour
    return confirming.show(_question())


@routes.post("/secrets/master-keys/seal")
@access.page(Permission.SECRETS_ROTATE)
def seal() -> Response:
    if (detour := guarded.detour(f"{HERE}/seal")) is not None:
        return detour
    reason, actor = confirming.reason(), render.actor()
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(), reason=reason, error=error)
    try:
        with reading() as session:
            found = reencryption.standing(session)
        with transaction() as session:
            reencryption.start(session, found, why=Why(actor, f"user:{actor.id}", reason))
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("warn", "Nothing was begun", refused.message)
        return confirming.show(_question(), reason=reason, problem=problem)
    render.tell(Alert("good", "The worker has begun", "This page follows it."))
    return render.to(HERE)
