"""One content, one answer: drawn, or refused in a sentence that repeats nothing of what it said."""

from __future__ import annotations

import gc
import logging
import os
from datetime import date
from typing import BinaryIO

from weasyprint.urls import FatalURLFetchingError

from printing import drawing, frames, wire
from printing.contents import INVOICE, Bill, Line, Party, Tax


def prepare() -> None:
    """Load everything, and draw one document, so that the first real one is as quick as the others."""
    logging.disable(logging.CRITICAL)
    drawing.warm_up()
    drawing.draw(_sample())
    gc.collect()
    gc.freeze()
    gc.disable()


def _sample() -> Bill:
    someone = Party("A", country="DE", vat_id="DE1", identifier="a")
    lines = (Line("A 一 א ا", "1", 1, 1, "19"),)
    taxes = (Tax("19", 1, 0),)
    return Bill(
        document=INVOICE,
        number="1",
        asset="EUR/2",
        issued_on=date(2026, 1, 1),
        seller=someone,
        buyer=someone,
        lines=lines,
        taxes=taxes,
        net_minor=1,
        tax_minor=0,
        total_minor=1,
        order_id="1",
        pay_url="https://localhost/",
    )


def answer(answers: BinaryIO, body: bytes) -> None:
    """Draw what a content says and answer with the document.

    A content that cannot be drawn is refused by the name of what went wrong: the message of an error
    may hold what somebody wrote. Whoever ran out of memory is not to be trusted any more, and ends.
    """
    try:
        printed = drawing.draw(wire.unpack(body))
    except MemoryError:
        os._exit(1)
    except FatalURLFetchingError:
        frames.write_answer(answers, frames.REFUSED, b"it asks for something to be fetched")
    except Exception as error:  # noqa: BLE001  # one bad content must not take the others' printer
        frames.write_answer(answers, frames.REFUSED, type(error).__name__.encode())
    else:
        frames.write_answer(answers, frames.PRINTED, printed.pdf, printed.xml)
    # Between documents, not while one is drawn: half of a short document's time went there.
    gc.collect()
