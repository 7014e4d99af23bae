"""The page of one month: checklist, signatures, certificate, late facts, known then and known now; live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response

from core import clock
from core.book_states import Period as Word
from core.money import Money, asset
from core.money_out import Act as Guarded
from core.permissions import Permission
from dashboard import books, journal_words, period_words, render, words
from dashboard.shapes import Act, Fact, Link, View
from domain import calendar, naming
from domain.actors import Actor
from domain.books import book_queries
from domain.cases import case_queries
from domain.control import approvals
from domain.database import reading
from domain.desk import Session
from domain.periods import certificates, checklist, closings, late_facts, months, reopening
from domain.periods.months import Month
from models.control import Approval
from models.ledger import JournalEntry
from models.periods import PeriodClosing
from web import access

routes = Blueprint("desk_period", __name__)
MOST_ACCOUNTS = 100


@routes.get("/periods/<period_id>")
@access.page(Permission.PERIODS_READ)
def show(period_id: str) -> Response:
    return render.page("periods/show.html", body_view(period_id, render.actor()))


@routes.get("/periods/<period_id>/body")
@access.page(Permission.PERIODS_READ)
def body(period_id: str) -> Response:
    view = body_view(period_id, render.actor())
    return render.fragment("periods/_body.html", view, page_href=f"/periods/{period_id}")


@routes.get("/periods/<period_id>/certificates/<int:no>.pdf")
@access.page(Permission.PERIODS_READ)
def certificate(period_id: str, no: int) -> Response:
    with reading() as session:
        month = months.get_month(session, period_id)
        found = certificates.open_one(session, month, no)
    return Response(
        found.pdf,
        mimetype="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{found.name}"'},
    )


def body_view(period_id: str, actor: Actor) -> View:
    """Prepare one month: what keeps it from being closed, or what was known when it was."""
    with reading() as session:
        month = months.get_month(session, period_id)
        late, count = late_facts.list_late(session, month.id)
        waiting = approvals.find_open(session, Guarded.PERIOD_CLOSE, month.id)
        undoing = approvals.find_open(session, Guarded.PERIOD_REOPEN, month.id)
        names = naming.actor_names(session, _people(month), for_staff=True)
        view: View = {
            "period": _head(session, month, actor, waiting, undoing),
            "late": _late_views(session, late),
            "late_count": count,
            "late_more": count - len(late),
            "closings": [_closing_view(row, month, names) for row in reversed(month.closings)],
            "links": {"body": f"/periods/{month.id}/body", "is_printing": _is_printing(month)},
        }
        return view | _checks(session, month, actor, waiting) | _known(session, month)


def _people(month: Month) -> list[str]:
    found = []
    for row in month.closings:
        found += [row.asked_by, row.agreed_by, row.reopened_by, row.reopen_agreed_by]
    return [each for each in found if each is not None]


def _is_printing(month: Month) -> bool:
    return any(row.certificate_due_at is not None for row in month.closings)


def _head(
    session: Session,
    month: Month,
    actor: Actor,
    waiting: Approval | None,
    undoing: Approval | None,
) -> View:
    asked = waiting or undoing
    acts: list[Act] = []
    if month.standing is None:
        acts.append(period_words.close_act(month, actor))
    else:
        refused = reopening.why_not(session, month)
        acts.append(
            period_words.reopen_act(month, actor, waits=undoing is not None, why_not=refused)
        )
    return {
        "id": month.id,
        "title": period_words.name(month.id),
        "state": period_words.state(month),
        "days": _days(month),
        "acts": acts,
        "waiting": Link("Open the request", f"/approvals/{asked.id}") if asked else None,
        "journal": f"/journal?period={month.id}",
    }


def _days(month: Month) -> str:
    """Say from which day to which, and by whose clock."""
    first, last = calendar.days_of(month.id)
    zone = month.standing.zone if month.standing else calendar.zone().key
    return f"{first.day} to {last.day} {last:%B %Y}, by the clock of {zone}"


def _checks(session: Session, month: Month, actor: Actor, waiting: Approval | None) -> View:
    """Prepare the checklist: as it was signed, as it waits to be signed, or as it is now."""
    stands = month.standing
    if stands is not None:
        carried = period_words.carries(stands.carried_forward)
        lines = period_words.signed_lines(stands.checklist)
    else:
        said = waiting.details.get("checklist") if waiting else None
        carried = checklist.carries_of(said)
        found = checklist.compute(session, month.span, carried)
        lines = [period_words.line_view(line, month.span, actor=actor) for line in found]
    ids = [each.case_id for each in carried if each.case_id is not None]
    cases = {row.id: row for row in case_queries.by_ids(session, ids, actor=actor)}
    return {
        "lines": lines,
        "red": sum(1 for line in lines if line["state"] is period_words.RED),
        "computed": None if stands is not None else words.moment(clock.now()),
        "carried": period_words.carried_view(carried, cases),
    }


def _known(session: Session, month: Month) -> View:
    """Prepare what the closing says, and the accounts that late facts changed since."""
    stands = month.standing
    if stands is None:
        return {"totals": [], "known": None}
    differs = late_facts.compare(session, month, stands)
    return {
        "totals": [
            {
                "currency": asset(each.asset).code,
                "debits": words.shown(Money(each.debit, asset(each.asset))),
                "credits": words.shown(Money(each.credit, asset(each.asset))),
                "accounts": words.counted(each.accounts, "account"),
            }
            for each in closings.totals(session, stands.id)
        ],
        "known": {
            "rows": [period_words.difference_view(each) for each in differs[:MOST_ACCOUNTS]],
            "more": max(0, len(differs) - MOST_ACCOUNTS),
        },
    }


def _late_views(session: Session, rows: Sequence[JournalEntry]) -> list[View]:
    movements = book_queries.movements_of(session, [row.id for row in rows])
    return [_late_view(row, movements[row.id]) for row in rows]


def _late_view(row: JournalEntry, movements: journal_words.Movements) -> View:
    return {
        "href": f"/journal/{row.id}",
        "id": words.short(row.id),
        "title": books.entry_words(row),
        "sums": journal_words.sums(movements),
        "effective": words.moment(row.effective_at),
        "posted": words.moment(row.posted_at),
        "booked": period_words.name(row.period) if row.period else "",
    }


def _closing_view(row: PeriodClosing, month: Month, names: Mapping[str, str]) -> View:
    facts = [
        Fact("Asked by", names[row.asked_by]),
        Fact("Agreed by", names[row.agreed_by]),
        Fact("Closed", at=words.moment(row.closed_at)),
        Fact("Note", row.note),
        Fact("Entries", f"{row.entries:,}"),
        Fact("Snapshot", ref=words.ref("snapshot hash", row.snapshot_sha256)),
        Fact(
            "Journal chain",
            ref=words.ref("journal chain's head", row.journal_head),
            note=f"link {row.journal_seq:,}",
        ),
        Fact(
            "Audit chain",
            ref=words.ref("audit chain's head", row.audit_head),
            note=f"link {row.audit_seq:,}",
        ),
        Fact("Clock", row.zone),
    ]
    if row.reopened_at is not None:
        by = [names.get(each or "", "") for each in (row.reopened_by, row.reopen_agreed_by)]
        facts += [
            Fact("Reopened", at=words.moment(row.reopened_at)),
            Fact("Reopened by", " and ".join(by)),
            Fact("Because", row.reopen_reason or ""),
        ]
    return {
        "no": row.no,
        "state": period_words.STATES[Word.REOPENED if row.reopened_at else Word.CLOSED],
        "facts": facts,
        "certificate": _certificate(row, month),
    }


def _certificate(row: PeriodClosing, month: Month) -> View:
    """Say where the certificate is, or why there is none yet."""
    is_there = row.certificate_sha256 is not None and row.certificate_due_at is None
    said = "It is being printed."
    if row.certificate_error and not is_there:
        said = f"It could not be printed: {row.certificate_error}. It is tried again."
    return {
        "href": f"/periods/{month.id}/certificates/{row.no}.pdf" if is_there else None,
        "ref": words.ref("certificate's hash", str(row.certificate_sha256)) if is_there else None,
        "said": said,
    }
