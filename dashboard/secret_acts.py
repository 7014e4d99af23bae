"""Rotating, retiring, revoking and restoring secrets: each asked about first, done by the form's POST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Response

from core import clock
from core.errors import AppError, NotFound
from core.permissions import Permission
from dashboard import confirming, guarded, render, secret_words, words
from dashboard.confirming import Question
from dashboard.shapes import Alert, Fact, Input, Link, Option, View
from domain.database import reading, transaction
from domain.secrets import rotation, secret_queries, secret_verdicts, secrets
from domain.secrets.rotation import Retirement, Rotated, Rotation
from domain.secrets.secret_kinds import LONGEST_OVERLAP_HOURS, Kind
from domain.secrets.secret_queries import SecretSeen, VersionSeen
from domain.transitions import Why
from web import access

routes = Blueprint("desk_secret_acts", __name__)
_OVERLAPS = (0, 1, 12, 24, 72, 168, LONGEST_OVERLAP_HOURS)
_LATER = (1, 12, 24, 48, 72, 168)
# A private key on P-521 in base64, beside its name, has some 600 characters.
LONGEST_VALUE = 1024


@dataclass(frozen=True)
class Typed:
    """What the form of a rotation sent, and what is wrong with it. The value is never given back."""

    value: str = ""
    overlap: str = ""
    reason: str = ""
    value_error: str | None = None
    reason_error: str | None = None
    problem: Alert | None = None


def _get(secret_id: str) -> SecretSeen:
    with reading() as session:
        return secret_queries.get_secret(session, secret_id)


def _why(reason: str) -> Why:
    actor = render.actor()
    return Why(actor, f"user:{actor.id}", reason)


def _trail(seen: SecretSeen) -> list[Link]:
    here = Link(secret_words.title(seen), f"/secrets/{seen.row.id}")
    return [Link("Secrets", "/secrets"), here]


def _hours(number: int) -> str:
    if number == 0:
        return "None: the old one is refused at once"
    return words.counted(number, "hour") if number < 48 else words.counted(number // 24, "day")


def _overlap_input(kind: Kind, typed: str) -> Input:
    chosen = typed if typed.isdigit() else str(kind.overlap_hours)
    numbers = sorted({*_OVERLAPS, kind.overlap_hours})
    options = [Option(str(each), _hours(each), str(each) == chosen) for each in numbers]
    hint = f"For how long both verify. {words.sentence(kind.quiet_why)}"
    return Input("overlap", "Overlap", "select", options=options, hint=hint, required=True)


def _value_input(kind: Kind, error: str | None) -> Input:
    may_generate = kind.generate is not None
    hint = "What the provider shows you. It is sealed and never shown again."
    if may_generate:
        hint = "Leave it empty to have one generated, which is shown once."
    if may_generate and not kind.we_sign:
        hint = (
            "A provider that makes its own shows it to you: enter it. Leave it empty to have one "
            "generated, shown once, for a provider that takes ours."
        )
    return Input(
        "value",
        "New value",
        "password",
        hint=hint,
        error=error,
        required=not may_generate,
        optional=may_generate,
        maxlength=LONGEST_VALUE,
        autocomplete="off",
    )


def _rotation_effects(seen: SecretSeen) -> list[str]:
    in_use = seen.in_use
    old = f"v{in_use.row.version}" if in_use else "the old one"
    new = f"v{max((each.row.version for each in seen.versions), default=0) + 1}"
    found = [
        f"{new} is the one in use from now on; every process knows it within seconds",
        f"{old} goes on verifying for the overlap, then it is refused",
        "The chart shows old against new; the verdict says when nothing uses the old one any more",
        f"Way back: restore {old} from this secret's page, at any time",
    ]
    if not seen.kind.we_sign:
        where = secret_words.owner(seen)
        said = f"{where} must sign with {new} next; until it does, it goes on with {old}"
        found.insert(1, said)
    return found


def _ask_rotate(seen: SecretSeen, typed: Typed, *, status: int = 200) -> Response:
    newest = max((each.row.version for each in seen.versions), default=0)
    view: View = {
        "trail": _trail(seen),
        "problem": typed.problem,
        "act": {
            "title": f"Rotate: {secret_words.title(seen)}",
            "lead": f"It {seen.kind.purpose}. {words.sentence(secret_words.age(seen))}",
            "effects": _rotation_effects(seen),
            "action": f"/secrets/{seen.row.id}/rotate",
            "fields": {"after": str(newest)},
            "inputs": [
                _value_input(seen.kind, typed.value_error),
                _overlap_input(seen.kind, typed.overlap),
                confirming.reason_input(typed.reason, typed.reason_error),
            ],
            "label": "Rotate",
            "back": f"/secrets/{seen.row.id}",
        },
    }
    return render.page("acts/confirm.html", view, status=status, live=False)


@routes.get("/secrets/<secret_id>/rotate")
@access.page(Permission.SECRETS_ROTATE)
def ask_rotate(secret_id: str) -> Response:
    if (detour := guarded.detour()) is not None:
        return detour
    return _ask_rotate(_get(secret_id), Typed())


@routes.post("/secrets/<secret_id>/rotate")
@access.page(Permission.SECRETS_ROTATE)
def rotate(secret_id: str) -> Response:
    seen = _get(secret_id)
    if (detour := guarded.detour(f"/secrets/{secret_id}/rotate")) is not None:
        return detour
    reason, overlap = confirming.reason(), render.typed("overlap")
    value, after = render.typed("value"), render.typed("after")
    wrong = confirming.reason_error(reason)
    if not value and seen.kind.generate is None:
        missing = "Enter the value that the provider shows you."
        return _ask_rotate(seen, Typed("", overlap, reason, missing, wrong), status=422)
    if wrong is not None:
        return _ask_rotate(seen, Typed("", overlap, reason, None, wrong), status=422)
    wanted = Rotation(
        value=value or None,
        overlap_hours=int(overlap) if overlap.isdigit() and len(overlap) < 6 else None,
        after=int(after) if after.isdigit() and len(after) < 9 else None,
    )
    try:
        with transaction() as session:
            made = rotation.rotate(session, secret_id, wanted, why=_why(reason))
    except AppError as refused:
        return _refused(seen, refused, Typed("", overlap, reason))
    secrets.forget_cached()
    return _made(seen, made)


def _refused(seen: SecretSeen, refused: AppError, typed: Typed) -> Response:
    if refused.http_status in (403, 404):
        raise refused
    if refused.code == "SECRET_WEAK":
        weak = Typed("", typed.overlap, typed.reason, refused.message)
        return _ask_rotate(seen, weak, status=422)
    problem = Alert("bad", "Nothing was rotated", refused.message)
    return _ask_rotate(seen, Typed("", typed.overlap, typed.reason, problem=problem), status=422)


def _made(seen: SecretSeen, made: Rotated) -> Response:
    """Show a generated value this once; for an entered one there is nothing to show."""
    number, href = made.version.version, f"/secrets/{seen.row.id}"
    until = f" The one before is refused {_from(made)}." if made.retire_at else ""
    if made.value is None:
        render.tell(Alert("good", f"v{number} is in use", f"It takes over now.{until}"))
        return render.to(href)
    view: View = {
        "trail": _trail(seen),
        "title": f"v{number} of {secret_words.title(seen)}",
        "lead": f"This is the only time that it is shown.{until}",
        "label": "value",
        "value": made.value,
        "next": _next_steps(seen, number),
        "back": Link("I have copied it", href),
    }
    return render.page("secrets/made.html", view, live=False)


def _from(made: Rotated) -> str:
    if made.retire_at is None or made.retire_at <= clock.now():
        return "from now on"
    return f"from {words.absolute(made.retire_at)}"


def _next_steps(seen: SecretSeen, number: int) -> Sequence[str]:
    if seen.kind.we_sign:
        return ["Nothing else is to be done: it never leaves this installation."]
    where = secret_words.owner(seen)
    return [f"Have {where} sign with it now.", f"Probe the endpoint; it answers with v{number}."]


def _version(seen: SecretSeen, number: int) -> VersionSeen:
    for each in seen.versions:
        if each.row.version == number:
            return each
    raise NotFound


_PAST = {"retire": "retired", "revoke": "revoked", "restore": "in use again"}


def _question(seen: SecretSeen, each: VersionSeen, verb: str) -> Question:
    number, href = each.row.version, f"/secrets/{seen.row.id}"
    about = _ABOUT[verb](seen, each)
    return Question(
        title=f"{verb.capitalize()} v{number}: {secret_words.title(seen)}",
        lead=about.lead,
        effects=about.effects,
        facts=[
            Fact("State", state=secret_words.STATES[each.state]),
            Fact("Uses in 24 h", f"{each.hits_24h:,}"),
            *about.facts,
        ],
        action=f"{href}/versions/{number}/{verb}",
        label=f"{verb.capitalize()} v{number}",
        tone="danger" if verb == "revoke" else "primary",
        back=href,
        trail=_trail(seen),
        fields=about.fields,
        inputs=about.inputs,
    )


@dataclass(frozen=True)
class _About:
    lead: str
    effects: Sequence[str]
    facts: Sequence[Fact] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[Input] = ()


def _about_retire(seen: SecretSeen, each: VersionSeen) -> _About:
    del seen
    effects = [f"v{each.row.version} verifies nothing any more, on every process within seconds"]
    effects.append("It can be restored")
    verdict = each.verdict
    if not verdict.is_safe:
        effects.insert(0, "Now, although it is not safe: what still uses it is refused")
    fields: dict[str, str] = {} if verdict.is_safe else {"force": "yes"}
    return _About(verdict.why, effects, fields=fields, inputs=[_when_input()])


def _when_input() -> Input:
    chosen = render.typed("when")
    choices = {"": "Now"} | {str(hours): f"In {_hours(hours)}" for hours in _LATER}
    options = [Option(value, label, value == chosen) for value, label in choices.items()]
    return Input("when", "When", "select", options=options, hint="The worker does it on time.")


def _about_revoke(seen: SecretSeen, each: VersionSeen) -> _About:
    with reading() as session:
        costs = secret_verdicts.forecast(session, seen.row.id, each.row.version)
    number = each.row.version
    effects = [
        f"Every process refuses v{number} within five seconds",
        "It never comes back, not through the environment either",
    ]
    facts = [Fact("Used in the last 3 h", f"{costs.in_flight:,}")]
    if not seen.kind.we_sign:
        facts = [
            Fact("Stored, not applied yet", f"{costs.in_flight:,}", note="they are not lost"),
            Fact(
                "Deliveries in the last 3 h",
                f"{costs.backfillable:,}",
                note="what comes signed with it from now on is refused and can be fetched",
            ),
        ]
        command = f"flask reconcile {seen.row.provider} --since 3h"
        effects.append(f"What is refused can be fetched: {command}")
    if each.row.state == "active":
        effects.append("The newest of the other live versions takes its place")
    lead = "For a value that has leaked. In any other case retire it when it is safe."
    return _About(lead, effects, facts)


def _about_restore(seen: SecretSeen, each: VersionSeen) -> _About:
    in_use = seen.in_use
    now = f"v{in_use.row.version}" if in_use else "the one in use"
    hours = seen.kind.overlap_hours
    effects = [
        f"v{each.row.version} is the one in use again",
        f"{now} goes on verifying for {hours} h, then it is refused",
    ]
    return _About("The way back from a rotation.", effects)


_ABOUT = {"retire": _about_retire, "revoke": _about_revoke, "restore": _about_restore}


@routes.get("/secrets/<secret_id>/versions/<int:number>/<any(retire, revoke, restore):verb>")
@access.page(Permission.SECRETS_ROTATE)
def ask(secret_id: str, number: int, verb: str) -> Response:
    if (detour := guarded.detour()) is not None:
        return detour
    seen = _get(secret_id)
    return confirming.show(_question(seen, _version(seen, number), verb))


@routes.post("/secrets/<secret_id>/versions/<int:number>/<any(retire, revoke, restore):verb>")
@access.page(Permission.SECRETS_ROTATE)
def act(secret_id: str, number: int, verb: str) -> Response:
    seen = _get(secret_id)
    each = _version(seen, number)
    if (detour := guarded.detour(f"/secrets/{secret_id}/versions/{number}/{verb}")) is not None:
        return detour
    reason = confirming.reason()
    if (error := confirming.reason_error(reason)) is not None:
        return confirming.show(_question(seen, each, verb), reason=reason, error=error)
    try:
        _do(verb, secret_id, number, reason)
    except AppError as refused:
        if refused.http_status in (403, 404):
            raise
        problem = Alert("bad", f"v{number} was not changed", refused.message)
        return confirming.show(
            _question(_get(secret_id), each, verb), reason=reason, problem=problem
        )
    secrets.forget_cached()
    later = verb == "retire" and render.typed("when")
    past = "going to be retired" if later else _PAST[verb]
    render.tell(Alert("good", f"v{number} is {past}"))
    return render.to(f"/secrets/{secret_id}")


def _do(verb: str, secret_id: str, number: int, reason: str) -> None:
    why = _why(reason)
    with transaction() as session:
        if verb == "retire":
            later = render.typed("when")
            at = clock.after(int(later) * 3600) if later in map(str, _LATER) else None
            wanted = Retirement(at=at, force=render.typed("force") == "yes")
            rotation.retire(session, secret_id, number, wanted, why=why)
        elif verb == "revoke":
            rotation.revoke(session, secret_id, number, why=why)
        else:
            rotation.restore(session, secret_id, number, why=why)
