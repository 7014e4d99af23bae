"""The certificate says what was signed, is printed once in a process of its own, kept sealed, and owns up to a reopening."""

from __future__ import annotations

import os
import signal

import pytest
import sqlalchemy
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import undefer

from core import clock, hashing
from core.errors import Conflict
from domain import crash, database
from domain.books import verification
from domain.jobs import certificates as job
from domain.periods import certificates
from models.periods import PeriodClosing
from printing.contents import Certificate
from printing.printers import Printer, PrinterDied
from tests.domain import closing_months as time
from tests.domain.asking import Staff
from tests.domain.closing_months import OCTOBER, agreed, asked_to_reopen, at, posted, prepared
from tests.domain.world import World


@pytest.fixture
def closing(world: World, staff: Staff) -> PeriodClosing:
    """October, closed by Fin and Flo."""
    with at("2026-10-05"):
        posted(500)
    with at("2026-11-02"):
        prepared(OCTOBER)
        return time.closed(OCTOBER, staff.fin, staff.flo)


def said(no: int = 1) -> Certificate:
    with database.reading() as session:
        own = PeriodClosing.no == no
        return certificates.content(
            session, session.scalars(select(PeriodClosing).where(own)).one()
        )


def opened(no: int = 1) -> bytes:
    with database.reading() as session:
        return certificates.open_one(session, time.month(OCTOBER), no).pdf


def test_it_says_what_was_signed_and_owns_up_to_a_reopening(
    closing: PeriodClosing, staff: Staff, engine: Engine
) -> None:
    with at("2026-11-02T00:01"):
        first = said()
        assert [(each.debit_minor, each.credit_minor) for each in first.totals] == [(500, 500)]
        assert (first.entries, first.accounts, first.close_no) == (1, 2, 1)
        assert [(each.name, each.role) for each in first.signers] == [
            ("Fin", "finance"),
            ("Flo", "finance"),
        ]
        assert first.snapshot_sha256 == closing.snapshot_sha256
        assert first.chains[0].head == closing.journal_head
        assert all(check.is_ok for check in first.checklist)
        assert first.reopened == ()
        assert job.print_next()
        pdf = opened()
        assert pdf.startswith(b"%PDF-1.7")
        assert time.newest(OCTOBER).certificate_sha256 == hashing.sha256(pdf)
        assert not job.print_next()
        with engine.connect() as connection:
            kept = connection.scalar(text("select certificate from period_closings"))
        assert b"%PDF" not in bytes(kept)
        agreed(asked_to_reopen(OCTOBER, staff.fin), staff.ada)
        with pytest.raises(Conflict):
            opened()
        assert "an invoice was forgotten" in said().reopened[0]
        assert job.print_next()
        assert opened() != pdf
        time.closed(OCTOBER, staff.flo, staff.fin)
        assert len(said(2).reopened) == 1
        with database.reading() as session:
            assert not [bad for bad in verification.CHECKS["certificates"](session) if bad]


def test_a_printer_that_fails_is_asked_again_and_says_why(
    closing: PeriodClosing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at("2026-11-02T00:01"):

        def die(self: object, body: bytes) -> None:
            raise PrinterDied("the printer was killed")

        monkeypatch.setattr(Printer, "print_out", die)
        assert job.print_next()
        row = time.newest(OCTOBER)
        assert (row.certificate_error, row.certificate_sha256) == ("the printer was killed", None)
        assert row.certificate_due_at is not None and row.certificate_due_at > clock.now()
        assert not job.print_next()
    with at("2026-11-03"):
        monkeypatch.undo()
        assert job.print_next()
        assert time.newest(OCTOBER).certificate_error is None


def test_what_was_leased_again_or_reopened_meanwhile_is_not_kept(
    closing: PeriodClosing, staff: Staff
) -> None:
    with at("2026-11-02T00:01"), database.transaction() as session:
        first = certificates.lease_due(session)
        assert first is not None
        session.expunge(first)
        assert certificates.lease_due(session) is None
    with at("2026-11-02T00:04"):
        with database.transaction() as session:
            second = certificates.lease_due(session)
            assert second is not None
            session.expunge(second)
            assert not certificates.keep(session, first, b"%PDF of a zombie")
        agreed(asked_to_reopen(OCTOBER, staff.fin), staff.ada)
        with database.transaction() as session:
            assert not certificates.keep(session, second, b"%PDF without the mark")
            row = session.scalars(
                select(PeriodClosing).options(undefer(PeriodClosing.certificate))
            ).one()
            assert row.certificate is None


def test_killed_before_it_is_kept_it_is_printed_again(
    closing: PeriodClosing, engine: Engine
) -> None:
    with at("2026-11-02T00:01"):
        engine.dispose()
        child = os.fork()
        if child == 0:
            _print_armed(engine)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert time.newest(OCTOBER).certificate_sha256 is None
        assert not job.print_next()
    with at("2026-11-02T00:04"):
        assert job.print_next()
        assert time.newest(OCTOBER).certificate_sha256 == hashing.sha256(opened())


def _print_armed(engine: Engine) -> None:
    """Print in this process, which is killed before the certificate is kept; ends it in any case."""
    try:
        database.bind(sqlalchemy.create_engine(engine.url))
        crash.arm("certificate.before_keep")
        job.print_next()
    finally:
        os._exit(7)
