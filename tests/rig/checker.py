"""The independent judge: plain SQL on the database and the stand-in's own ledger, none of the product's code.

Invariants are named as in the reliability bar: I1 trial balance, I2 entries, I3 the provider's truth,
I4 each effect once, I5 what was acknowledged is there, I6 order and escrow, I9 states follow from
facts, I10 chains, I11 nothing stuck, and `order`: the gapless numbering of events.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, text

from tests.rig import checked_bookings, checked_disputes, checked_refunds

Row = Mapping[str, Any]
# Where an accepted event may rest: applied, set aside with a reason, or before a person.
FINAL = frozenset({"processed", "no_effect", "ignored", "dead"})
PARKED = frozenset({"unmatched", "quarantined", "failed"})
ENDED = frozenset({"failed", "cancelled"})
# What arrived, also where all of it was given back since.
ARRIVED = frozenset({"completed", "refunded"})
BACK_THERE = frozenset({"pending", "succeeded"})


@dataclass(frozen=True)
class Claim:
    """What the world outside holds us to.

    truth: the stand-in's ledger, or None where there is none; events: ids of events that were
    acknowledged; orders, payments: ids that clients were given; created: whether these are all.
    """

    truth: Mapping[str, Row] | None = None
    events: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    payments: frozenset[str] = frozenset()
    is_complete: bool = False
    is_idle: bool = True


@dataclass
class Book:
    """The rows of one database, read in one snapshot."""

    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __getitem__(self, table: str) -> list[Row]:
        return self.rows[table]

    def by(self, table: str, column: str) -> dict[str, list[Row]]:
        """Group a table's rows by a column."""
        grouped: dict[str, list[Row]] = {}
        for row in self[table]:
            if row[column] is not None:
                grouped.setdefault(row[column], []).append(row)
        return grouped


TABLES = (
    "orders",
    "payments",
    "payment_facts",
    "refunds",
    "disputes",
    "operations",
    "inbound_events",
    "inbound_attempts",
    "journal_entries",
    "journal_seals",
    "postings",
    "audit_log",
    "chain_links",
    "event_log",
    "exception_cases",
)


def _read(connection: Connection) -> Book:
    if connection.dialect.name == "postgresql":
        connection.execute(text("set transaction isolation level repeatable read, read only"))
    book = Book()
    for table in TABLES:
        found = connection.execute(text(f"select * from {table}"))
        book.rows[table] = [dict(row) for row in found.mappings()]
    return book


def _instant(value: object) -> datetime:
    """Read a time as either driver gives it: SQLite's is text without a zone."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _milliseconds(value: object) -> str:
    return _instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _document(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _digest(value: object) -> str:
    # For what these hashes cover (ASCII keys, no floats) this is RFC 8785.
    said = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def _trial_balance(book: Book, _: Claim) -> Iterator[str]:
    sums = Counter[str]()
    for line in book["postings"]:
        sums[line["asset"]] += line["amount_minor"]
    yield from (f"{asset} is out by {total}" for asset, total in sums.items() if total)


def _entries(book: Book, _: Claim) -> Iterator[str]:
    lines = book.by("postings", "entry_id")
    seals = {row["entry_id"]: row for row in book["journal_seals"]}
    # What is paid in without an order, such as into a wallet, has none.
    order_of = {row["id"]: row["order_id"] for row in book["payments"]}
    for entry in book["journal_entries"]:
        own, seal = lines.pop(entry["id"], []), seals.pop(entry["id"], None)
        if seal is None or len(own) < 2 or seal["postings"] != len(own):
            yield f"{entry['id']} has {len(own)} postings, its seal: {seal and seal['postings']}"
        sums = Counter[str]()
        for line in own:
            sums[line["asset"]] += line["amount_minor"]
        if any(sums.values()):
            yield f"{entry['id']} does not balance: {dict(sums)}"
        has_payment = entry["payment_id"] or checked_bookings.is_own(entry)
        if not has_payment or not entry["provider_reference"] or not entry["source"]:
            yield f"{entry['id']} is not tied to payment, provider's reference and source"
        if entry["kind"] == "deposit" and entry["order_id"] != order_of.get(entry["payment_id"]):
            yield f"{entry['id']} is a deposit without its order"
    yield from (f"postings of {entry_id} have no entry" for entry_id in lines)
    yield from (f"the seal of {entry_id} has no entry" for entry_id in seals)


def _truth(book: Book, claim: Claim) -> Iterator[str]:
    booked = checked_bookings.booked(book)
    payments = {row["id"]: row for row in book["payments"]}
    for payment in payments.values():
        gone = payment["refunded_minor"] + payment["reversed_minor"]
        kept = payment["received_minor"] - gone
        if kept != booked[payment["id"]]:
            yield f"{payment['id']} received and kept {kept}, booked {booked[payment['id']]}"
    if claim.truth is None:
        return
    moved, intents, back = Counter[str](), Counter[str](), Counter[str]()
    for reference, intent in claim.truth.items():
        payment_id = intent["metadata"].get("payment_id")
        if payment_id not in payments:
            yield f"{reference} at the provider is of no payment of ours ({payment_id})"
            continue
        moved[payment_id] += intent["amount_received"]
        intents[payment_id] += 1
        back[payment_id] += sum(
            each["amount"] for each in intent.get("refunds", ()) if each["status"] in BACK_THERE
        )
    for payment_id, payment in payments.items():
        if intents[payment_id] > 1:
            yield f"{payment_id} has {intents[payment_id]} intents at the provider"
        if claim.is_idle and payment["received_minor"] != moved[payment_id]:
            ours, theirs = payment["received_minor"], moved[payment_id]
            yield f"{payment_id} received {ours} here, {theirs} at the provider"
        if claim.is_idle and payment["refunded_minor"] != back[payment_id]:
            ours, theirs = payment["refunded_minor"], back[payment_id]
            yield f"{payment_id} gave back {ours} here, {theirs} at the provider"


def _twice(rows: Iterable[Row], *columns: str) -> Iterator[str]:
    counts = Counter(tuple(row[name] for name in columns) for row in rows)
    for key, count in counts.items():
        if count > 1 and None not in key:
            yield f"{count} rows with {' and '.join(columns)} = {', '.join(map(str, key))}"


def _effects(book: Book, _: Claim) -> Iterator[str]:
    yield from _twice(book["journal_entries"], "source_key")
    yield from _twice(book["payment_facts"], "fact_key")
    yield from _twice(book["operations"], "business_key")
    yield from _twice(book["inbound_events"], "provider", "account", "mode", "delivery_key")
    yield from _twice(book["inbound_attempts"], "inbound_id", "no")
    told = Counter(
        row["payment_id"] for row in book["event_log"] if row["type"] == "payment.succeeded"
    )
    for payment in book["payments"]:
        wanted = 1 if payment["status"] in ARRIVED or payment["reversed_minor"] else 0
        if told[payment["id"]] != wanted:
            yield f"{payment['id']} ({payment['status']}) was told as paid {told[payment['id']]} times"


def _acknowledged(book: Book, claim: Claim) -> Iterator[str]:
    stored = Counter(row["provider_event_id"] for row in book["inbound_events"])
    yield from (
        f"event {event_id} was acknowledged and is stored {stored[event_id]} times"
        for event_id in sorted(claim.events)
        if stored[event_id] != 1
    )
    for table, given in (("orders", claim.orders), ("payments", claim.payments)):
        there = {row["id"] for row in book[table]}
        yield from (
            f"{row_id} was given to a client and is not in {table}" for row_id in given - there
        )
        if claim.is_complete:
            yield from (f"{row_id} in {table} was given to nobody" for row_id in there - given)


def _orders(book: Book, _: Claim) -> Iterator[str]:
    payments = book.by("payments", "order_id")
    held = Counter[str]()
    for line in book["postings"]:
        if line["address"].endswith(":escrow_hold"):
            held[line["address"].split(":")[1]] -= line["amount_minor"]
    for order in book["orders"]:
        counted = [p for p in payments.get(order["id"], []) if p["status"] not in ENDED]
        paid = sum(p["received_minor"] for p in counted)
        if order["paid_minor"] != paid:
            yield f"{order['id']} counts {order['paid_minor']} as paid, its payments {paid}"
        kept = paid - sum(p["refunded_minor"] for p in counted)
        if held[order["id"]] != kept:
            yield f"{order['id']} was paid {paid} and kept {kept}, {held[order['id']]} is held for it"
        if (order["status"] == "refunded") != (paid > 0 and kept == 0):
            yield f"{order['id']} is {order['status']}, {kept} of {paid} was kept"
        if paid and order["status"] == "awaiting_deposit" and paid >= _deposit(order):
            yield f"{order['id']} still awaits the deposit that it has"
        yield from _twice(payments.get(order["id"], []), "open_key")


def _deposit(order: Row) -> int:
    wanted = order["deposit_minor"]
    return int(order["total_minor"] if wanted is None else wanted)


def _states(book: Book, _: Claim) -> Iterator[str]:
    facts = book.by("payment_facts", "payment_id")
    late = {c["payment_id"] for c in book["exception_cases"] if c["kind"] == "PAID_LATE"}
    for payment in book["payments"]:
        said = facts.get(payment["id"], [])
        paid = [fact["amount_minor"] or 0 for fact in said if fact["kind"] == "succeeded"]
        if payment["received_minor"] != max(paid, default=0):
            yield f"{payment['id']} received {payment['received_minor']}, its facts say {paid}"
        is_late = payment["status"] in ENDED and payment["id"] in late
        is_late = is_late or payment["reversed_minor"] > 0
        if bool(paid) != (payment["status"] in ARRIVED) and not is_late:
            yield f"{payment['id']} is {payment['status']}, its facts say paid {paid}"
        if (
            payment["status"] in ENDED
            and not paid
            and not {f["kind"] for f in said}
            & {
                "failed",
                "expired",
                "cancelled",
            }
        ):
            yield f"{payment['id']} is {payment['status']} and no fact says why"


def _audit_hash(row: Row) -> str:
    said = {name: value for name, value in row.items() if name != "content_hash"}
    said |= {name: _document(row[name]) for name in ("before", "after")}
    return _digest(said | {"at": _milliseconds(row["at"]), "refused": bool(row["refused"])})


def _entry_hash(entry: Row, lines: Iterable[Row]) -> str:
    names = (
        *("id", "kind", "source_key", "source", "order_id", "payment_id", "invoice_id"),
        *("provider", "provider_reference", "note", "reverses_id"),
    )
    head = {name: entry[name] for name in names}
    said_only = {name: entry[name] for name in ("period", "late_of", "resolves_id")}
    said_only |= {
        "details": _document(entry["details"]),
        "reversal_due_on": entry["reversal_due_on"],
    }
    head |= {name: value for name, value in said_only.items() if value}
    head |= {name: bool(entry[name]) for name in ("livemode", "demo")}
    head |= {name: _milliseconds(entry[name]) for name in ("effective_at", "posted_at")}
    ordered = sorted(lines, key=lambda line: int(line["line"]))
    said = [[li["pair"], li["address"], li["asset"], str(li["amount_minor"])] for li in ordered]
    return _digest({"head": head, "lines": said})


def _chains(book: Book, claim: Claim) -> Iterator[str]:
    lines = book.by("postings", "entry_id")
    contents = {
        "audit": {row["id"]: _audit_hash(row) for row in book["audit_log"]},
        "journal": {
            row["id"]: _entry_hash(row, lines.get(row["id"], [])) for row in book["journal_entries"]
        },
    }
    links = book.by("chain_links", "chain")
    for name, known in contents.items():
        previous, unlinked = "0" * 64, set(known)
        for place, link in enumerate(sorted(links.get(name, []), key=lambda li: int(li["seq"])), 1):
            content = known.get(link["row_id"])
            following = hashlib.sha256(bytes.fromhex(previous + str(content or ""))).hexdigest()
            is_next = link["seq"] == place and link["previous_hash"] == previous
            if not is_next or link["content_hash"] != content or link["hash"] != following:
                yield f"link {link['seq']} of {name} ({link['row_id']}) does not hold"
                unlinked.clear()
                break
            previous = link["hash"]
            unlinked.discard(link["row_id"])
        if claim.is_idle and unlinked:
            yield f"{len(unlinked)} rows of {name} are in no link"


def _stuck(book: Book, claim: Claim) -> Iterator[str]:
    now = datetime.now(UTC)
    attempts = Counter(row["inbound_id"] for row in book["inbound_attempts"])
    for row in book["inbound_events"]:
        name, state = f"{row['provider_event_id']} ({row['id']})", row["state"]
        if state not in FINAL | PARKED and (state != "received" or claim.is_idle):
            yield f"{name} is {state}"
        waits = state in {"received", "failed", "unmatched"}
        if waits and claim.is_idle and _instant(row["due_at"]) < now - timedelta(seconds=5):
            yield f"{name} is {state} and was due at {row['due_at']}"
        if attempts[row["id"]] != row["attempts"]:
            yield f"{name} counts {row['attempts']} attempts, {attempts[row['id']]} are written down"
        if state in FINAL - {"dead"} and row["processed_at"] is None:
            yield f"{name} is {state} without a time"
    for operation in book["operations"]:
        owned = operation["due_at"] is not None
        if operation["state"] in {"prepared", "sent", "unknown"} and not owned:
            yield f"{operation['id']} is {operation['state']} and nobody will look at it"


def _numbering(book: Book, claim: Claim) -> Iterator[str]:
    numbers = sorted(row["seq"] for row in book["event_log"] if row["seq"] is not None)
    if numbers != list(range(1, len(numbers) + 1)):
        gap = next(n for n, seq in enumerate(numbers, 1) if n != seq)
        yield f"the numbering of {len(numbers)} events breaks at {gap}"
    unnumbered = len(book["event_log"]) - len(numbers)
    if claim.is_idle and unnumbered:
        yield f"{unnumbered} events have no number"


INVARIANTS: dict[str, Callable[[Book, Claim], Iterator[str]]] = {
    "I1": _trial_balance,
    "I2": _entries,
    "I3": _truth,
    "I4": _effects,
    "I5": _acknowledged,
    "I6": _orders,
    "refunds": checked_refunds.check,
    "disputes": checked_disputes.check,
    "I9": _states,
    "I10": _chains,
    "I11": _stuck,
    "order": _numbering,
}


def rows(database_url: str, query: str, **values: object) -> list[tuple[Any, ...]]:
    """Read rows by plain SQL on a connection of its own."""
    engine = sqlalchemy.create_engine(database_url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def differences(database_url: str, claim: Claim) -> list[str]:
    """Give every breach of an invariant as a sentence that begins with its name."""
    engine = sqlalchemy.create_engine(database_url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        book = _read(connection)
    return [
        f"{name}: {sentence}"
        for name, check in INVARIANTS.items()
        for sentence in check(book, claim)
    ]


def assert_whole(database_url: str, claim: Claim, *, about: str = "") -> None:
    """Fail with everything that differs; `about` says how to come here again, such as a seed.

    Raises: AssertionError
    """
    found = differences(database_url, claim)
    if found:
        heading = f"{len(found)} differences" + (f" ({about})" if about else "")
        raise AssertionError("\n".join([heading, *found[:60]]))
