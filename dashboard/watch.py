"""The watch over the books: rules that always hold, signatures, last proof and the night, live; asking for them now."""

from __future__ import annotations

from flask import Blueprint, Response

from core.permissions import Permission
from dashboard import render, watch_words, words
from dashboard.payment_acts import source
from dashboard.shapes import Act, Alert, Fact, View
from domain.actors import Actor
from domain.books import verification
from domain.database import reading, transaction
from domain.desk import Session
from domain.jobs import nightly as night_duty
from domain.jobs import watching
from domain.transitions import Why
from domain.watch import asking, checkpoints, nightly, turns, watch_queries
from domain.watch.night_checks import CHECKS
from domain.watch.turns import Work
from models.watch import NightlyCheck
from web import access

routes = Blueprint("desk_watch", __name__)
HERE = "/watch"
SHOWN_CHECKPOINTS = 5


def body_view(actor: Actor) -> View:
    """Prepare everything that the page shows, as of now."""
    with reading() as session:
        seen = watch_queries.at_a_glance(session)
        standing = watch_queries.list_standing(session)
        asked = turns.look(session, watching.WORK), turns.look(session, night_duty.WORK)
        view: View = {
            "state": watch_words.state_of(seen),
            "facts": _facts(seen),
            # What is broken comes first.
            "rules": [
                watch_words.rule_view(each, actor)
                for each in sorted(standing, key=lambda each: not each.is_red)
            ],
            "signed": _signed(session, seen),
            "night": _night(session),
            "proof": _proof(session),
        }
    is_asked = turns.is_asked_for(asked[0]), turns.is_asked_for(asked[1])
    return view | {
        "acts": [
            _act("rules", "Ask the rules now", actor, is_asked=is_asked[0]),
            _act("night", "Run the night's checks now", actor, is_asked=is_asked[1]),
        ],
        "links": {"body": f"{HERE}/body"},
        "pace": "2s" if any(is_asked) else "10s",
    }


def _act(name: str, label: str, actor: Actor, *, is_asked: bool) -> Act:
    reason = None
    if not actor.may(Permission.WATCH_RUN):
        reason = "Finance and admins have them run."
    elif is_asked:
        reason = "It was asked for; the worker does it now."
    icon = "refresh" if name == "rules" else "moon"
    return Act(name, label, f"{HERE}/{name}/run", reason is None, reason, method="post", icon=icon)


def _facts(seen: watch_queries.Watch) -> list[Fact]:
    found = [Fact("Rules", state=watch_words.state_of(seen))]
    if seen.since is not None:
        label = "Broken since" if seen.red else "All hold since"
        found.append(Fact(label, at=words.moment(seen.since)))
    if seen.checked_at is not None:
        found.append(Fact("All asked", at=words.moment(seen.checked_at)))
    if seen.signed_at is not None:
        found.append(Fact("Chains signed", at=words.moment(seen.signed_at)))
    return found


def _signed(session: Session, seen: watch_queries.Watch) -> View:
    keeper = checkpoints.keeper()
    rows = checkpoints.list_newest(session, limit=SHOWN_CHECKPOINTS)
    return {
        "at": words.moment(seen.signed_at) if seen.signed_at else None,
        "unsigned": words.counted(seen.unsigned, "row is", "rows are"),
        "has_unsigned": seen.unsigned > 0,
        "folder": str(keeper.folder),
        "key": words.ref("key id", keeper.signer.id),
        "rows": [
            {
                "chain": row.chain.capitalize(),
                "seq": f"{row.seq:,}",
                "hash": words.ref("chain hash", row.hash, text=row.hash[:12]),
                "at": words.moment(row.at),
            }
            for row in rows
        ],
    }


def _night(session: Session) -> list[View]:
    known = {row.name: row for row in nightly.list_kept(session)}
    labels = {name: (check.label, check.means) for name, check in CHECKS.items()}
    labels[nightly.VERIFICATION] = (
        "Everything, row by row",
        "Books, chains, signatures and every payment's state, as the command verify proves them.",
    )
    return [
        _check(label, means, known.get(name)) | {"name": name}
        for name, (label, means) in labels.items()
    ]


def _check(label: str, means: str, row: NightlyCheck | None) -> View:
    state = watch_words.UNASKED
    if row is not None:
        state = watch_words.AGREES if row.ok else watch_words.DIFFERS
    return {
        "label": label,
        "means": means,
        "state": state,
        "at": words.moment(row.at) if row else None,
        "compared": f"{row.compared:,}" if row else None,
        "differences": [str(each) for each in row.differences] if row else [],
    }


def _proof(session: Session) -> View | None:
    report = verification.last_report(session)
    if report is None:
        return None
    found = report.get("checks")
    checks = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    bad = [each for each in checks if not each.get("ok")]
    rows = report.get("rows")
    return {
        "state": watch_words.DIFFERS if bad else watch_words.AGREES,
        "rows": f"{rows:,}" if isinstance(rows, int) else "0",
        "checks": words.counted(len(checks), "check"),
        "bad": [f"{each.get('name')}: {each.get('firstBad')}" for each in bad],
    }


@routes.get(HERE)
@access.page(Permission.LEDGER_VERIFICATION)
def index() -> Response:
    return render.page("watch/index.html", body_view(render.actor()))


@routes.get(f"{HERE}/body")
@access.page(Permission.LEDGER_VERIFICATION)
def body() -> Response:
    return render.fragment("watch/_body.html", body_view(render.actor()), page_href=HERE)


def _ask(work: Work, title: str) -> Response:
    actor = render.actor()
    with transaction() as session:
        asking.ask(session, work, why=Why(actor, source(actor)))
    render.tell(Alert("good", title, "The worker does it now; this page follows it."))
    return render.to(HERE)


@routes.post(f"{HERE}/rules/run")
@access.page(Permission.WATCH_RUN)
def ask_rules() -> Response:
    return _ask(watching.WORK, "The rules are asked")


@routes.post(f"{HERE}/night/run")
@access.page(Permission.WATCH_RUN)
def run_night() -> Response:
    return _ask(night_duty.WORK, "The night's checks run")
