"""Certificates that wait to be printed: one at a time, drawn in a printer's process with no transaction open."""

from __future__ import annotations

import structlog

from domain import crash, database
from domain.periods import certificates
from printing import wire
from printing.printers import Printer, PrintingFailed

log = structlog.get_logger()


def print_next() -> bool:
    """Print the certificate that waits longest. Gives False when none does.

    A month is closed a dozen times a year: the printer's process ends with the certificate.
    Transaction: opens its own, none during the printing.
    """
    with database.transaction() as session:
        leased = certificates.lease_due(session)
        if leased is None:
            return False
        body = wire.pack(certificates.content(session, leased))
    printer = Printer()
    try:
        pdf = printer.print_out(body).pdf
    except PrintingFailed as error:
        log.warning("certificate.failed", closing=leased.id, said=error.said)
        with database.transaction() as session:
            certificates.note_failure(session, leased, error.said)
        return True
    finally:
        printer.close()
    crash.point("certificate.before_keep")
    with database.transaction() as session:
        certificates.keep(session, leased, pdf)
    return True
