"""How the books are watched over: rules that always hold, signed checkpoints, what is compared every night."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint

from api.contract import Answer, Call, Listed, NoBody, NoQuery, Out, endpoint
from core import clock
from core.permissions import Permission
from domain.database import reading
from domain.watch import checkpoints, nightly, watch_queries

blueprint = Blueprint("watch", __name__)


class OffendingOut(Out):
    """One row that breaks a rule, in a sentence."""

    kind: str
    id: str
    text: str


class PlaceOut(Out):
    """What a broken rule holds."""

    scope: Literal["all", "rail", "merchant", "order"]
    scope_id: str | None
    freeze_id: str


class InvariantOut(Out):
    """One rule. ok: null before it was first asked; scope, freezeId: the first of `freezes`."""

    name: str
    label: str
    ok: bool | None
    at: str | None
    since: str | None
    scope: Literal["all", "rail", "merchant", "order"] | None
    scope_id: str | None
    offending: list[OffendingOut]
    freeze_id: str | None
    freezes: list[PlaceOut]
    case_id: str | None


class CheckpointOut(Out):
    """One signed statement of how long a chain was and how it ended. statement: the text that was signed."""

    chain: Literal["audit", "journal"]
    seq: int
    hash: str
    signature: str
    at: str
    key_id: str
    statement: str


class KeyOut(Out):
    """A public key with which checkpoints can be checked, as PEM."""

    key_id: str
    pem: str


class CheckpointsOut(Out):
    """Checkpoints, newest first. verifiedAt, ok: of the last proof, null before it; firstBadSeq: the first
    place of the audit chain that contradicts what was signed or proved.
    """

    items: list[CheckpointOut]
    verified_at: str | None
    ok: bool | None
    first_bad_seq: int | None
    keys: list[KeyOut]


class NightlyOut(Out):
    """One comparison of the night. differences: a sentence for each thing that does not agree."""

    name: str
    ok: bool
    at: str
    compared: int
    differences: list[str]


@endpoint(
    blueprint,
    "GET",
    "/api/invariants",
    access=Permission.CONTROLS_READ,
    answers={200: Listed[InvariantOut]},
    summary="List the rules of the books, how each stands, and what a broken one holds.",
    requirement="S213",
)
def invariants(_: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        items = [watch_queries.wire(each) for each in watch_queries.list_standing(session)]
    return Answer(200, {"items": items, "nextCursor": None})


@endpoint(
    blueprint,
    "GET",
    "/api/audit/checkpoints",
    access=Permission.AUDIT_READ,
    answers={200: CheckpointsOut},
    summary="Read what was signed of the chains, with the keys to check it.",
    requirement="S52",
)
def signed(_: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        rows = checkpoints.list_newest(session)
        seen = watch_queries.at_a_glance(session)
        ok, first_bad = watch_queries.is_whole(session), watch_queries.first_bad_seq(session)
    keys = checkpoints.public_keys({row.key_id for row in rows})
    return Answer(
        200,
        {
            "items": [watch_queries.checkpoint_wire(row) for row in rows],
            "verifiedAt": clock.rfc3339(seen.verified_at),
            "ok": ok,
            "firstBadSeq": first_bad,
            "keys": [{"keyId": name, "pem": pem} for name, pem in sorted(keys.items())],
        },
    )


@endpoint(
    blueprint,
    "GET",
    "/api/reconciliation/checks",
    access=Permission.LEDGER_VERIFICATION,
    answers={200: Listed[NightlyOut]},
    summary="Read what the comparisons of the last night found.",
    requirement="S221",
)
def compared(_: Call[NoBody, NoQuery]) -> Answer:
    with reading() as session:
        items = [nightly.wire(row) for row in nightly.list_kept(session)]
    return Answer(200, {"items": items, "nextCursor": None})
