from __future__ import annotations

import csv
import io
from decimal import Decimal
from urllib.request import urlopen
from xml.etree import ElementTree as ET

from tests.sandbox.bank.wires import GoCardless, TrueLayer
from tests.sandbox.standin import StandIn

NAMES = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"}


def read(bank: StandIn, name: str) -> bytes:
    with urlopen(f"{bank.url}/_sandbox/{name}", timeout=10) as answer:
        return bytes(answer.read())


def signed(node: ET.Element) -> Decimal:
    """Return the amount of a balance or an entry, negative when it is a debit."""
    amount = Decimal(node.findtext("c:Amt", namespaces=NAMES) or "")
    return -amount if node.findtext("c:CdtDbtInd", namespaces=NAMES) == "DBIT" else amount


def moved(bank: StandIn, truelayer: TrueLayer, gocardless: GoCardless) -> list[str]:
    """Let money reach our account over both wires, and give the payouts' references."""
    for payment in (truelayer.pay(10_000)["id"], gocardless.request(7_000)["id"]):
        bank.control("POST", f"payments/{payment}/authorise", {})
    bank.control("POST", "payouts", {"currency": "GBP"})
    return [each["reference"] for each in bank.control("GET", "ledger")["payouts"].values()]


def test_opening_and_lines_make_the_closing_balance(
    bank: StandIn, truelayer: TrueLayer, gocardless: GoCardless
) -> None:
    references = moved(bank, truelayer, gocardless)
    root = ET.fromstring(read(bank, "statement.camt053.xml?currency=GBP"))
    statement = root.find("c:BkToCstmrStmt/c:Stmt", NAMES)
    assert statement is not None
    balances = {
        node.findtext("c:Tp/c:CdOrPrtry/c:Cd", namespaces=NAMES): signed(node)
        for node in statement.findall("c:Bal", NAMES)
    }
    entries = statement.findall("c:Ntry", NAMES)
    assert balances["OPBD"] + sum(signed(each) for each in entries) == balances["CLBD"]
    held = bank.control("GET", "ledger")["accounts"]["bank:GBP"]
    assert balances["CLBD"] == Decimal(held) / 100
    told = [each.findtext(".//c:Ustrd", namespaces=NAMES) for each in entries]
    assert told == references
    assert [signed(each) for each in entries] == [Decimal("100.00"), Decimal("69.80")]


def test_csv_says_the_same_line_by_line(
    bank: StandIn, truelayer: TrueLayer, gocardless: GoCardless
) -> None:
    references = moved(bank, truelayer, gocardless)
    rows = list(csv.DictReader(io.StringIO(read(bank, "statement.csv?currency=GBP").decode())))
    assert [row["reference"] for row in rows] == references
    assert rows[-1]["balance"] == "10169.80"
    assert {row["currency"] for row in rows} == {"GBP"}


def test_providers_account_is_stated_too_and_days_can_be_chosen(
    bank: StandIn, truelayer: TrueLayer
) -> None:
    payment = truelayer.pay(2_500)["id"]
    bank.control("POST", f"payments/{payment}/authorise", {})
    refund = truelayer.post(f"/v3/payments/{payment}/refunds", {"reference": "back"}).json()["id"]
    bank.control("POST", f"refunds/{refund}/execute")
    bank.control("POST", "clock", {"advance_seconds": 2 * 86_400})
    of = "statement.csv?account=truelayer&currency=GBP"
    rows = list(csv.DictReader(io.StringIO(read(bank, of).decode())))
    assert [row["amount"] for row in rows] == ["25.00", "-25.00"]
    later = f"{of}&from=2098-01-01&to=2098-01-02"
    assert list(csv.DictReader(io.StringIO(read(bank, later).decode()))) == []
