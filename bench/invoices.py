"""How long an invoice takes: to print, warm, beside WeasyPrint alone, and to hand over, beside the bare answer."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from decimal import Decimal

from weasyprint import HTML

from bench import control, rig
from bench.report import Report
from bench.rig import Bench
from core.money import Money, asset
from core.states import Kyc, Role
from core.strictjson import Json
from domain import database
from domain.actors import Actor, system
from domain.invoices import document_views, papers
from domain.jobs import printing
from domain.orders import orders
from domain.people import people, sessions, tokens
from domain.people.people import NewUser
from domain.transitions import Why
from printing import wire
from printing.contents import Bill
from printing.printers import Printer

LINES = 12
PRINT_MS, SERVE_MS = 150.0, 10.0
_EUR = asset("EUR")
_WHY = Why(system("bench"), "bench", "measured")
_HOME: dict[str, Json] = {
    "line1": "Lindenstraße 14",
    "city": "Berlin",
    "postalCode": "10969",
    "country": "DE",
}


def measure(*, rounds: int = 60, engines: tuple[str, ...] = rig.ENGINES) -> Report:
    """Print the same invoice again and again, then hand it over again and again."""
    report = Report("invoices", f"python -m bench invoices --requests {rounds}")
    for engine in engines:
        with rig.ground(engine) as ground, ground.bound():
            buyer, headers = _buyer()
            order_id = _order(buyer)
            if engine == engines[0]:
                _prints(report, _bill(order_id), rounds)
            _serves(report, ground, order_id, headers, rounds * 5)
    return report


def _buyer() -> tuple[Actor, dict[str, str]]:
    with database.transaction() as session:
        wanted = NewUser("bo@bench.example", Role.BUYER, name="Bo Buyer", kyc=Kyc.APPROVED)
        user = people.create_user(session, wanted, actor=_WHY.actor, source="bench")
        issued = tokens.issue(user.id, role=user.role, kyc=user.kyc)
        sessions.note_token(session, user, issued.jti, address=None, stepped_up=False)
    actor = Actor(user.id, "user", Role.BUYER, "Bo")
    return actor, {"Authorization": f"Bearer {issued.token}"}


def _order(buyer: Actor) -> str:
    """Make an order of twelve lines whose invoice says all that EN 16931 wants to know."""
    lines: list[Json] = [
        {
            "description": f"Design of page {number}, with two rounds of review",
            "quantity": "1.5",
            "unitAmount": {"amountMinor": 10_000, "asset": str(_EUR)},
            "taxRate": "19",
        }
        for number in range(1, LINES + 1)
    ]
    net = 15_000 * LINES
    total = net + int(net * Decimal("0.19"))
    party: dict[str, Json] = {"address": _HOME, "vatId": "DE123456789"}
    invoice: dict[str, Json] = {
        "lines": lines,
        "seller": {"name": "Northwind Studio GmbH", **party},
        "buyer": {"name": "Acme GmbH", **party},
        "note": "Thank you for your order.",
    }
    wanted = orders.OrderWanted("A website", Money(total, _EUR), invoice=invoice)
    with database.transaction() as session:
        return orders.create_order(session, wanted, actor=buyer, source="bench").id


def _bill(order_id: str) -> Bill:
    with database.reading() as session:
        invoice = document_views.invoice_of(session, order_id, actor=_WHY.actor)
        content = papers.content_of(session, "invoice", invoice.id)
    assert isinstance(content, Bill)
    return content


def _prints(report: Report, bill: Bill, rounds: int) -> None:
    """Print in turns with the floor: WeasyPrint in this process, on a bare table of the same words."""
    rows = "".join(
        f"<tr><td>{each.description}<td>{each.quantity}<td>{each.net_minor}" for each in bill.lines
    )
    page = f"<table>{rows}</table>"
    printer, body = Printer(), wire.pack(bill)
    began = time.perf_counter()
    document = printer.print_out(body)
    cold = time.perf_counter() - began
    HTML(string=page).write_pdf()
    rig.wait_idle()
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(rounds):
        ours.append(_seconds(lambda: printer.print_out(body)))
        floor.append(_seconds(lambda: HTML(string=page).write_pdf()))
    printer.close()
    report.add(
        what="print",
        lines=len(bill.lines),
        rounds=rounds,
        cold_ms=round(cold * 1000, 1),
        p50_ms=control.milliseconds(ours, 0.5),
        p99_ms=control.milliseconds(ours, 0.99),
        floor_p50_ms=control.milliseconds(floor, 0.5),
        pdf_bytes=len(document.pdf),
        xml_bytes=len(document.xml),
        load=rig.load(),
    )
    sentence = f"an invoice of {len(bill.lines)} lines within {PRINT_MS:.0f} ms, warm (median)"
    report.expect(sentence, holds=control.milliseconds(ours, 0.5) <= PRINT_MS)


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _serves(
    report: Report, ground: Bench, order_id: str, headers: dict[str, str], rounds: int
) -> None:
    """Read the stored document in turns with the floor: what the same process answers without any work."""
    while printing.print_next():
        pass
    printing.close()
    web = ground.web(processes=1)
    connection = control.connect(web)
    path = f"/api/invoices/{order_id}.pdf"
    whole = _get(connection, path, headers)
    for _ in range(10):
        _get(connection, path, headers)
        _get(connection, "/healthz", {})
    connection.close()
    rig.wait_idle()
    connection = control.connect(web)
    _get(connection, "/healthz", {})
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(rounds):
        ours.append(_seconds(lambda: _get(connection, path, headers)))
        floor.append(_seconds(lambda: _get(connection, "/healthz", {})))
    if _get(connection, path, headers) != whole or not whole.startswith(b"%PDF-1.7"):
        raise SystemExit("the document is not the same bytes")
    connection.close()
    report.add(
        what="hand over",
        engine=ground.engine,
        rounds=rounds,
        pdf_bytes=len(whole),
        p50_ms=control.milliseconds(ours, 0.5),
        p99_ms=control.milliseconds(ours, 0.99),
        floor_p50_ms=control.milliseconds(floor, 0.5),
        load=rig.load(),
    )
    sentence = f"{ground.engine}: stored bytes within {SERVE_MS:.0f} ms, view noted (median)"
    report.expect(sentence, holds=control.milliseconds(ours, 0.5) <= SERVE_MS)


def _get(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} was answered {answer.status}: {body[:200]!r}")
    return body
