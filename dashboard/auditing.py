"""The audit page: who did what, when and why, with before and after; narrowed, paged and exported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from flask import Blueprint, Response

from core.permissions import Permission
from core.strictjson import Json
from dashboard import listing, render, words
from dashboard.listing import Asked, BarWords
from dashboard.shapes import Act, Change, Empty, Fact, Input, State, View
from domain import audit_actors, audit_reading, naming
from domain.actors import Actor
from domain.audit_reading import AuditFilter, Entry
from domain.books import chains, verification
from domain.database import reading
from domain.desk import Session
from web import access
from web.exports import csv_stream, json_stream

routes = Blueprint("desk_audit", __name__)
NAMES = ("q", "by", "actor", "action", "object", "refused", "from", "to")
_BAR = BarWords("Filter the audit log", "Search the audit log", "A reason's words, or a whole id")
_BY = {"": "Anybody", "people": "People only"}
_REFUSED = {"": "Shown too", "yes": "Only"}
_CHAIN = ("audit_rows", "audit_chain")
# Where each kind of object is shown, and what opens that page.
_PAGES: Mapping[str, tuple[str, Permission]] = {
    "payment": ("/payments", Permission.PAYMENTS_READ),
    "order": ("/orders", Permission.ORDERS_READ),
    "inbound": ("/webhooks", Permission.INBOUND_READ),
    "case": ("/exceptions", Permission.EXCEPTIONS_READ),
    "approval": ("/approvals", Permission.APPROVALS_READ),
    "freeze": ("/freezes", Permission.CONTROLS_READ),
    "notice": ("/providers/notices", Permission.NOTICES_READ),
    "extension": ("/providers/deadlines", Permission.NOTICES_READ),
    "refund": ("/refunds", Permission.REFUNDS_LIST),
    "user": ("/users", Permission.USERS_ADMINISTER),
}
_KIND_OF = {"pay": "payment", "ord": "order", "inb": "inbound", "exc": "case", "apr": "approval"}
_KIND_OF |= {"frz": "freeze", "ref": "refund", "usr": "user", "dly": "notice", "ext": "extension"}


def wanted_of(session: Session, asked: Asked) -> AuditFilter:
    """Read what the address wants to see. A name that nobody bears finds nothing."""
    begin, end = listing.days(asked)
    actor = asked.get("actor")
    return AuditFilter(
        actors=audit_actors.find(session, actor) if actor else None,
        by_people=asked.get("by") == "people",
        action_begins=asked.get("action") or None,
        about=asked.get("object") or None,
        text=asked.get("q") or None,
        refused=True if asked.get("refused") == "yes" else None,
        since=begin,
        until=end,
    )


@routes.get("/audit")
@access.page(Permission.AUDIT_READ)
def index() -> Response:
    asked, actor = listing.read("/audit", NAMES), render.actor()
    page = listing.page_of(asked)
    with reading() as session:
        wanted = wanted_of(session, asked)
        found = audit_reading.list_entries(
            session, wanted, limit=page.limit + 1, before=page.before
        )
        shown = found[: page.limit]
        names = naming.actor_names(session, [each.row.actor for each in shown], for_staff=True)
        chain = _chain(session)
    more = (shown[-1].row.at, shown[-1].row.id) if len(found) > page.limit else None
    view: View = {
        "lead": "Every act of a person or of Paydesk, also those that were refused. Rows are never "
        "changed or deleted; each is linked to the one before.",
        "chain": chain,
        "exports": _exports(asked),
        "bar": listing.bar(asked, _BAR, _inputs(asked)),
        "rows": [row_view(each, names, actor) for each in shown],
        "page": listing.pages(asked, len(shown), more),
        "empty_note": _empty(asked),
    }
    return render.page("audit/index.html", view, live=False)


def _inputs(asked: Asked) -> list[Input]:
    kind = listing.select(asked, "by", "By", _BY)
    who = replace(listing.text_input(asked, "actor", "Who"), placeholder="name or e-mail")
    what = replace(listing.text_input(asked, "action", "Act"), placeholder="freeze")
    about = replace(listing.text_input(asked, "object", "Object"), placeholder="id or kind")
    refused = listing.select(asked, "refused", "Refused", _REFUSED)
    return [kind, who, what, about, refused, *listing.day_inputs(asked)]


def _exports(asked: Asked) -> list[Act]:
    found = []
    for kind in ("csv", "json"):
        href = asked.href("/audit/export", cursor=None, format=kind)
        found.append(Act(f"export-{kind}", f"Export {kind.upper()}", href, icon="file"))
    return found


def _empty(asked: Asked) -> Empty:
    if asked.values:
        return Empty(
            "Nothing matches these filters",
            "Clear them, or paste a whole id. An e-mail address must be whole.",
            "search",
            href="/audit",
            label="Clear all filters",
        )
    return Empty("Nothing was done yet", "The first act is the first row here.", "list")


def _chain(session: Session) -> View:
    """Say what the last verification found of the log, and how much was written since."""
    length, head = chains.head_of(session, "audit")
    report = verification.last_report(session)
    if report is None:
        return {
            "state": State("Not proved yet", "dotted", "quiet"),
            "text": f"{length:,} rows are linked. flask verify proves every one.",
            "head": words.ref("head of the chain", head) if length else None,
        }
    listed = report.get("checks")
    checks = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    broken = [each for each in checks if each.get("name") in _CHAIN and not each.get("ok")]
    proved = int(str(report.get("chainLength", 0)))
    if broken:
        state = State("Chain broken", "failed", "bad")
        text = f"{broken[0].get('firstBad')}."
    else:
        state = State("Chain proved", "done", "good")
        text = f"{proved:,} rows, each as it was written; {max(0, length - proved):,} since."
    at = words.moment(datetime.fromisoformat(str(report["at"])))
    return {"state": state, "text": text, "at": at, "head": words.ref("head of the chain", head)}


def row_view(entry: Entry, names: Mapping[str, str], actor: Actor) -> View:
    """Prepare one act with everything that is kept of it."""
    row, link = entry.row, entry.link
    approval = audit_reading.approval_of(row)
    facts = [
        Fact("Object", f"{row.object_kind} {row.object_id}", href=_page(row.object_id, actor)),
        Fact("Reason", row.reason or "None was asked for"),
        Fact("Role", row.role.capitalize()),
        Fact("Source", row.source, href=_page(row.source.rpartition(":")[2], actor)),
    ]
    if approval:
        facts.append(Fact("Approval", approval, href=_page(approval, actor)))
    if row.address:
        facts.append(Fact("Address", row.address))
    facts.append(Fact("At", at=words.moment(row.at)))
    facts.append(Fact("Place in the chain", f"{link.seq:,}" if link else "Linked within seconds"))
    facts.append(
        Fact("Hash", ref=words.ref("hash", link.hash)) if link else Fact("Hash", "Not yet")
    )
    return {
        "id": row.id,
        "at": words.moment(row.at),
        "actor": words.person(row.actor, names),
        "action": row.action,
        "object": f"{row.object_kind} {words.short(row.object_id)}",
        "refused": State("Refused", "failed", "bad") if row.refused else None,
        "reason": row.reason,
        "facts": facts,
        "changes": changes(row.before, row.after),
    }


def changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Change]:
    """Set what was beside what is, field by field; a field of one side only is none on the other."""
    fields = dict.fromkeys([*before, *after])
    return [Change("", name, _said(before.get(name)), _said(after.get(name))) for name in fields]


def _said(value: Json) -> str | None:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return words.value(value)


def _page(object_id: str, actor: Actor) -> str | None:
    """Lead to the page of an object that has one and that this person may open."""
    kind = _KIND_OF.get(object_id.partition("_")[0])
    if kind is None or "_" not in object_id:
        return None
    path, permission = _PAGES[kind]
    return f"{path}/{object_id}" if actor.may(permission) else None


@routes.get("/audit/export")
@access.page(Permission.AUDIT_READ)
def export() -> Response:
    asked = listing.read("/audit", (*NAMES, "format"))
    with reading() as session:
        wanted = wanted_of(session, asked)
    entries = audit_reading.all_entries(wanted)
    if asked.get("format") == "json":
        response = json_stream(map(audit_reading.wire, entries))
        response.headers["Content-Disposition"] = 'attachment; filename="audit.json"'
        return response
    return csv_stream("audit", audit_reading.COLUMNS, map(audit_reading.cells, entries))
