"""The secrets cockpit: every secret with its age and verdict, one secret with the chart of its uses, its probe."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request

from core.errors import AppError
from core.permissions import Permission
from dashboard import hits_chart, listing, render, secret_words, words
from dashboard.shapes import Act, Alert, Empty, Fact, Tab, View
from domain import naming
from domain.actors import Actor
from domain.database import reading, transaction
from domain.desk import Session
from domain.secrets import secret_probes, secret_queries
from domain.secrets.secret_kinds import WEBHOOK
from domain.secrets.secret_queries import SecretSeen
from providers import registry
from web import access, secret_probe

routes = Blueprint("desk_secrets", __name__)
_PLACES = (
    ("/secrets", "Secrets", Permission.SECRETS_READ),
    ("/secrets/api-keys", "API keys", Permission.SECRETS_READ),
    ("/secrets/master-keys", "Master keys", Permission.SECRETS_READ),
)
CHARTS: Mapping[str, str] = {"24h": "24 hours", "7d": "7 days"}


def tabs(current: str) -> list[Tab]:
    """Prepare the tabs over the cockpit's pages."""
    return [Tab(label, href, href == current) for href, label, _ in _PLACES]


def _row(seen: SecretSeen) -> View:
    in_use = seen.in_use
    leaving = [each for each in seen.versions if each.state == "retiring"]
    return {
        "id": seen.row.id,
        "version": listing.version(
            *(f"{each.row.version}{each.state}{each.hits_24h}" for each in seen.versions)
        ),
        "href": f"/secrets/{seen.row.id}",
        "title": secret_words.title(seen),
        "purpose": words.sentence(seen.kind.purpose),
        "mode": seen.row.mode if seen.row.mode != "all" else None,
        "in_use": f"v{in_use.row.version}" if in_use else "none",
        "age": secret_words.age(seen),
        "overdue": seen.is_overdue,
        "limit": f"at most {seen.kind.max_age_days} days",
        "hits": f"{sum(each.hits_24h for each in seen.versions):,}",
        "leaving": [f"v{each.row.version}" for each in leaving],
        "verdict": seen.verdict,
    }


def _rows() -> View:
    with reading() as session:
        found = secret_queries.list_secrets(session)
    return {
        "rows": [_row(seen) for seen in found],
        "rows_url": "/secrets/rows",
        "empty_note": Empty("No secret is known yet", "They come from the environment.", "key"),
    }


@routes.get("/secrets")
@access.page(Permission.SECRETS_READ)
def index() -> Response:
    return render.page("secrets/index.html", _rows() | {"tabs_items": tabs("/secrets")})


@routes.get("/secrets/rows")
@access.page(Permission.SECRETS_READ)
def rows() -> Response:
    if not render.wants_fragment():
        return render.to("/secrets")
    return render.part("secrets/_rows.html", _rows())


def _chart_name() -> str:
    asked = request.args.get("chart", "")
    return asked if asked in CHARTS else "24h"


def _head(seen: SecretSeen, actor: Actor) -> View:
    row, blocked = seen.row, secret_words.why_not(actor)
    href = f"/secrets/{row.id}"
    acts = [
        Act(
            "rotate",
            "Rotate",
            f"{href}/rotate",
            not blocked,
            blocked,
            icon="refresh",
            tone="primary",
        )
    ]
    if row.kind == WEBHOOK:
        no_probe = None if actor.may(Permission.SECRETS_PROBE) else "Your role reads secrets only."
        acts.insert(
            0,
            Act("probe", "Probe", f"{href}/probe", no_probe is None, no_probe, "post", icon="bolt"),
        )
    return {
        "id": row.id,
        "href": href,
        "title": secret_words.title(seen),
        "sentence": f"It {seen.kind.purpose}.",
        "ref": words.ref("secret id", row.id),
        "mode": row.mode if row.mode != "all" else None,
        "acts": acts,
    }


def body_view(session: Session, seen: SecretSeen, *, actor: Actor, chart: str) -> View:
    """Prepare what changes by itself on a secret's page."""
    hits = secret_queries.chart(session, seen, chart)
    newest = [each.row.version for each in seen.versions]
    makers = [each.row.made_by for each in seen.versions if each.row.made_by]
    names = naming.actor_names(session, makers, for_staff=True)
    href = f"/secrets/{seen.row.id}"
    return {
        "secret": _head(seen, actor),
        "overdue": seen.is_overdue,
        "facts": _facts(seen),
        "verdict": seen.verdict,
        "is_leaving": any(each.state == "retiring" for each in seen.versions),
        "versions": [
            secret_words.version_view(
                seen, each, actor=actor, made_by=names.get(each.row.made_by or "")
            )
            for each in seen.versions
        ],
        "chart": hits_chart.draw(secret_queries.bars_of(chart), hits, newest=newest),
        "chart_tabs": [
            Tab(label, f"{href}?chart={name}", name == chart) for name, label in CHARTS.items()
        ],
        "links": {"body": f"{href}/body?chart={chart}"},
        "listens": f"sse:secret-{seen.row.id}"
        + (", sse:webhooks" if seen.row.kind == WEBHOOK else ""),
    }


def _facts(seen: SecretSeen) -> list[Fact]:
    kind = seen.kind
    found = [
        Fact("In use", secret_words.age(seen), note=f"at most {kind.max_age_days} days"),
        Fact("Owner", secret_words.owner(seen)),
        Fact("Overlap", f"{kind.overlap_hours} h unless told otherwise"),
        Fact("Safe to retire", f"after {kind.quiet_hours} h without use", note=kind.quiet_why),
    ]
    if seen.row.kind == WEBHOOK:
        door = registry.get(seen.row.provider).door
        door = f"{render.settings().public_url}/api/webhooks/{door}"
        found.append(Fact("Arrives at", ref=words.ref("address", door, text=door)))
    return found


@routes.get("/secrets/<secret_id>")
@access.page(Permission.SECRETS_READ)
def show(secret_id: str) -> Response:
    with reading() as session:
        seen = secret_queries.get_secret(session, secret_id)
        view = body_view(session, seen, actor=render.actor(), chart=_chart_name())
    return render.page("secrets/show.html", view)


@routes.get("/secrets/<secret_id>/body")
@access.page(Permission.SECRETS_READ)
def body(secret_id: str) -> Response:
    if not render.wants_fragment():
        return render.to(f"/secrets/{secret_id}")
    with reading() as session:
        seen = secret_queries.get_secret(session, secret_id)
        view = body_view(session, seen, actor=render.actor(), chart=_chart_name())
    return render.part("secrets/_body.html", view)


@routes.post("/secrets/<secret_id>/probe")
@access.page(Permission.SECRETS_PROBE)
def probe(secret_id: str) -> Response:
    render.tell(_probed(secret_id, render.actor()))
    return render.to(f"/secrets/{secret_id}")


def _probed(secret_id: str, actor: Actor) -> Alert:
    url = render.settings().public_url
    try:
        with transaction() as session:
            prepared = secret_probes.prepare(session, secret_id, actor=actor)
    except AppError as refused:
        if refused.http_status == 404:
            raise
        return Alert("warn", "No probe was sent", refused.message)
    sent = secret_probe.send(prepared, public_url=url)
    with reading() as session:
        found = secret_probe.judge(sent, secret_probes.verified_by(session, prepared))
    if not found.ok:
        said = found.note or "It was verified by another version than the newest."
        return Alert("bad", "The probe did not come through", said)
    said = f"Verified with v{found.version} in {sent.milliseconds} ms, stored without effect."
    return Alert("good", f"The probe came through {url}", said)
