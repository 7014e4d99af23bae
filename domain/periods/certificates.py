"""The certificate of a closing: what it says, kept sealed with its hash as it was printed, handed out unchanged.

It is printed once the closing is committed, and once more when the month is reopened, so that no copy
that we hand out hides that.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session, undefer

from core import clock, hashing
from core.errors import Conflict, NotFound
from core.strictjson import Json
from domain import audit, calendar, naming, queue
from domain.actors import system
from domain.people import people
from domain.periods import certificate_seals, closings
from domain.periods.checklist import BY_NAME
from domain.periods.months import Month
from models.audit import AuditRow
from models.people import User
from models.periods import PeriodClosing
from printing.contents import Carried, Certificate, Chain, Check, Signer, Total
from providers import registry

LEASE_SECONDS = 120
_SIGNED = (("approval.request", "Asked for the close"), ("approval.approve", "Agreed to it"))


@dataclass(frozen=True)
class Printed:
    """A certificate as it was printed. name: what a file of it is called."""

    name: str
    pdf: bytes


def open_standing(session: Session, month: Month) -> Printed:
    """Open the certificate of the closing that stands.

    Raises: Conflict while the month is not closed, or its certificate is not printed yet.
    Transaction: caller's, reads only.
    """
    if month.standing is None:
        raise Conflict("The month is not closed.", details={"state": month.state.value})
    return open_one(session, month, month.standing.no)


def open_one(session: Session, month: Month, no: int) -> Printed:
    """Open the certificate of a closing, of one that was reopened too.

    Raises: NotFound, Conflict while it is not printed yet. Transaction: caller's, reads only.
    """
    row = session.scalars(
        select(PeriodClosing)
        .where(PeriodClosing.period_id == month.id, PeriodClosing.no == no)
        .options(undefer(PeriodClosing.certificate))
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        raise NotFound
    if row.certificate is None or row.certificate_due_at is not None:
        raise Conflict("The certificate is being printed. Try again in a moment.")
    pdf = certificate_seals.opened(row.certificate, closing_id=row.id)
    if hashing.sha256(pdf) != row.certificate_sha256:
        raise RuntimeError("a certificate's bytes are not those that were hashed")
    return Printed(f"close-{month.id}-{no}.pdf", pdf)


def lease_due(session: Session) -> PeriodClosing | None:
    """Take the certificate that waits longest to be printed; nobody else prints it for a while.

    Writes: period_closings. Transaction: caller's.
    """
    statement = (
        select(PeriodClosing)
        .where(PeriodClosing.certificate_due_at <= clock.now())
        .order_by(PeriodClosing.certificate_due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is not None:
        row.certificate_attempts += 1
        row.certificate_due_at = clock.after(LEASE_SECONDS)
        session.flush()
    return row


def keep(session: Session, leased: PeriodClosing, pdf: bytes) -> bool:
    """Keep a printed certificate. Gives False when the closing was leased or reopened meanwhile.

    Writes: period_closings, audit_log. Transaction: caller's.
    """
    sha256 = hashing.sha256(pdf)
    sealed = certificate_seals.sealed(pdf, closing_id=leased.id)
    values: dict[str, object] = {
        "certificate": sealed,
        "certificate_sha256": sha256,
        "certificate_due_at": None,
        "certificate_error": None,
    }
    if not _set(session, leased, values):
        return False
    after: dict[str, Json] = {"no": leased.no, "closing": leased.id, "sha256": sha256}
    audit.write(
        session,
        "period.certificate",
        actor=system("worker"),
        object_kind="period",
        object_id=leased.period_id,
        source=f"closing:{leased.id}",
        after=after,
    )
    return True


def note_failure(session: Session, leased: PeriodClosing, said: str) -> None:
    """Note why a certificate was not printed, and when it is tried again.

    Writes: period_closings. Transaction: caller's.
    """
    due_at = queue.backoff(leased.certificate_attempts)
    _set(session, leased, {"certificate_error": said[:500], "certificate_due_at": due_at})


def _set(session: Session, leased: PeriodClosing, values: dict[str, object]) -> bool:
    reopened = PeriodClosing.reopened_at
    unchanged = reopened.is_(None) if leased.reopened_at is None else reopened.is_not(None)
    statement = (
        update(PeriodClosing)
        .where(
            PeriodClosing.id == leased.id,
            PeriodClosing.certificate_attempts == leased.certificate_attempts,
            unchanged,
        )
        .values(values)
        .returning(PeriodClosing.id)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(statement) is not None


def content(session: Session, closing: PeriodClosing) -> Certificate:
    """Say what the certificate of a closing says. Transaction: caller's, reads only."""
    others = select(PeriodClosing).where(
        PeriodClosing.period_id == closing.period_id, PeriodClosing.no <= closing.no
    )
    made = session.scalars(others.order_by(PeriodClosing.no)).all()
    people_in = {name for row in made for name in _people(row)}
    names = naming.actor_names(session, people_in, for_staff=True)
    sums = closings.totals(session, closing.id)
    return Certificate(
        period=closing.period_id,
        entity=people.house_merchant(session).name,
        close_no=closing.no,
        closed_at=closing.closed_at,
        zone=closing.zone,
        totals=tuple(Total(each.asset, each.debit, each.credit) for each in sums),
        checklist=_checks(closing),
        carried_forward=_carried(closing),
        chains=(
            Chain("journal", closing.journal_seq, closing.journal_head),
            Chain("audit", closing.audit_seq, closing.audit_head),
        ),
        snapshot_sha256=closing.snapshot_sha256,
        signers=_signers(session, closing, names),
        verify=_how_to_verify(closing),
        entries=closing.entries,
        accounts=sum(each.accounts for each in sums),
        note=closing.note,
        reopened=tuple(_reopened(row, names) for row in made if row.reopened_at is not None),
        is_test=not any(each.mode == "live" for each in registry.every()),
    )


def _people(closing: PeriodClosing) -> list[str]:
    found = (closing.asked_by, closing.agreed_by, closing.reopened_by, closing.reopen_agreed_by)
    return [each for each in found if each is not None]


def _checks(closing: PeriodClosing) -> tuple[Check, ...]:
    found = []
    for line in closing.checklist:
        assert isinstance(line, dict)  # as `checklist.Line.wire` writes it
        carried = line.get("carriedForward")
        left = len(carried) if isinstance(carried, list) else 0
        note = f"{left} carried forward" if left else ""
        name, count = str(line["item"]), int(str(line["count"]))
        found.append(Check(label_of(name), line["ok"] is True, count, note))
    return tuple(found)


def label_of(item: str) -> str:
    """Name an item of the checklist for people; one that is no more keeps its name."""
    return BY_NAME[item].label if item in BY_NAME else item


def _carried(closing: PeriodClosing) -> tuple[Carried, ...]:
    found = []
    for each in closing.carried_forward:
        assert isinstance(each, dict)  # as `checklist.Carry.wire` writes it
        of_item = label_of(str(each.get("item")))
        what = str(each["caseId"]) if "caseId" in each else of_item
        found.append(Carried(what, str(each["reason"])))
    return tuple(found)


def _signers(session: Session, closing: PeriodClosing, names: dict[str, str]) -> tuple[Signer, ...]:
    """Name both signers with the role that each had then, as the audit log kept it."""
    statement = select(AuditRow.action, AuditRow.role, AuditRow.at).where(
        AuditRow.object_id == (closing.approval_id or ""), AuditRow.refused.is_(False)
    )
    said = {action: (role, at) for action, role, at in session.execute(statement)}
    found = []
    for (action, act), person in zip(_SIGNED, (closing.asked_by, closing.agreed_by), strict=True):
        role, at = said.get(action, ("", closing.closed_at))
        user = session.get(User, person)
        found.append(Signer(names[person], role or (user.role if user else ""), act, at))
    return tuple(found)


def _how_to_verify(closing: PeriodClosing) -> tuple[str, ...]:
    month, length = closing.period_id, closing.journal_seq
    return (
        "flask --app wsgi verify",
        f"It computes {month} anew from the first {length} links of the journal's chain and compares.",
        f"Link {length} bears the hash above only if no entry before it was changed or taken away.",
    )


def _reopened(closing: PeriodClosing, names: dict[str, str]) -> str:
    assert closing.reopened_at is not None
    day = calendar.day_of(closing.reopened_at)
    by = [names.get(each or "", "") for each in (closing.reopened_by, closing.reopen_agreed_by)]
    return (
        f"Close no. {closing.no} was reopened on {day.isoformat()} by {by[0]} and {by[1]}:"
        f" {closing.reopen_reason}"
    )
