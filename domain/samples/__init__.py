"""Sample data in bulk: a year of realistic payments that `flask verify` accepts; for sandbox and measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import clock, hashing
from core.states import Role
from domain import database, events, sequencer
from domain.books import chains
from domain.samples import cast as casting
from domain.samples import invoices
from domain.samples import story as stories
from domain.samples.arrivals import Arrivals
from domain.samples.books import Books
from domain.samples.bulk import Sheaf
from domain.samples.cast import Cast
from domain.samples.dice import Dice, Namer
from domain.samples.rows import add_order, add_payment, name_attempt
from domain.samples.trail import Trail
from models.audit import ChainLink
from models.events import EventLog
from models.ledger import LedgerAccount
from models.people import Merchant
from models.secrets import SecretVersion

YEAR = timedelta(days=365)
BATCH = 1000
# Busier by day than by night, in UTC.
_HOURS = tuple(
    enumerate((1, 1, 1, 1, 2, 3, 5, 8, 11, 13, 13, 12, 11, 12, 13, 12, 11, 11, 12, 13, 12, 8, 4, 2))
)


@dataclass(frozen=True)
class Loaded:
    """What a load added."""

    payments: int
    orders: int
    rows: int
    seconds: float


def load(
    payments: int,
    *,
    seed: int = 1,
    api_version: str = "",
    progress: Callable[[int, int], None] = lambda _done, _rows: None,
) -> Loaded:
    """Add sample payments over the last year, labelled demo and `{"sample": true}`.

    payments: how many; seed: the same one gives the same stories; api_version: what the events
    speak; progress: called with payments and rows so far.
    Writes: every table of the spine. Transaction: opens its own, one per thousand payments.
    """
    began = clock.monotonic()
    chains.link_all(everything=True)
    loader = _Loader(seed, payments, api_version)
    while loader.wants_more():
        with database.transaction() as session:
            loader.write_batch(session)
        progress(loader.payments, loader.rows)
    return Loaded(loader.payments, loader.orders, loader.rows, clock.monotonic() - began)


class _Loader:
    def __init__(self, seed: int, wanted: int, api_version: str) -> None:
        self._dice, self._namer, self._sheaf = Dice(seed), Namer(), Sheaf()
        self._wanted, self._api_version = wanted, api_version
        self._now = clock.now()
        self._times = _times(self._dice, wanted, self._now)
        self._cast: Cast | None = None
        self._books = Books(set())
        self.payments = self.orders = self.rows = 0

    def wants_more(self) -> bool:
        return self.payments < self._wanted

    def write_batch(self, session: Session) -> None:
        """Make and write some orders with all that belongs to them."""
        cast = self._cast or self._assemble(session)
        trail = Trail(self._sheaf, self._namer)
        arrivals = Arrivals(
            self._sheaf,
            self._namer,
            now=self._now,
            version=_newest_secret(session),
            api_version=self._api_version,
        )
        entries: list[tuple[str, str]] = []
        until = min(self.payments + BATCH, self._wanted)
        while self.payments < until:
            # Some orders are paid twice; by payments, the last ones are of today all the same.
            at = self._times[self.payments]
            story = stories.tell(self._dice, cast, at, self._now)
            entries += self._add(story, trail, arrivals)
        self._number(session)
        self._link(session, "audit", [(row, content) for _, row, content in trail.linked])
        self._link(session, "journal", entries)
        self.rows += self._sheaf.write(session, (Merchant,))
        invoices.number(session, self._sheaf)
        self.rows += self._sheaf.write(session)

    def _add(self, story: stories.Story, trail: Trail, arrivals: Arrivals) -> list[tuple[str, str]]:
        order_id = self._namer.at("ord", story.made_at)
        # The last order of a load may have room for its first payment only.
        del story.attempts[self._wanted - self.payments :]
        bills = invoices.bills_of(story, self._namer)
        standing = invoices.current(story, bills)
        add_order(self._sheaf, story, order_id, namer=self._namer, invoice_id=standing)
        trail.order_made(story, order_id)
        entries = []
        payment_ids: list[str] = []
        for attempt in story.attempts:
            invoice_id = bills.paid_by(attempt)
            names = name_attempt(self._namer, order_id, attempt, invoice_id=invoice_id)
            payment_ids.append(names.payment)
            add_payment(self._sheaf, story, attempt, names, namer=self._namer)
            arrivals.told(story, attempt, names)
            trail.attempt_made(story, attempt, names)
            entry = self._books.add(self._sheaf, story, attempt, names=names, namer=self._namer)
            entries += [entry] if entry else []
            self.payments += 1
        invoices.add(self._sheaf, story, bills, order_id=order_id, payment_ids=payment_ids)
        if self._dice.permille(12):
            arrivals.oddity(self._dice, story.made_at)
        self.orders += 1
        return entries

    def _assemble(self, session: Session) -> Cast:
        """Choose who takes part; accounts that stand already are not opened again."""
        since = self._now - YEAR - timedelta(days=30)
        cast = casting.assemble(session, self._sheaf, namer=self._namer, since=since)
        wanted = {
            Role.BUYER: max(3, self._wanted // casting.PAYMENTS_PER_BUYER),
            Role.SELLER: min(casting.SELLERS, max(2, self._wanted // 50)),
        }
        for role, ids in ((Role.BUYER, cast.buyers), (Role.SELLER, cast.sellers)):
            ids += [
                casting.add_person(
                    self._sheaf, role, no, dice=self._dice, namer=self._namer, since=since
                )
                for no in range(wanted[role])
            ]
        shared = select(LedgerAccount.address, LedgerAccount.asset).where(
            LedgerAccount.address.like("provider:%")
        )
        self._books = Books({(row.address, row.asset) for row in session.execute(shared)})
        self._cast = cast
        return cast

    def _number(self, session: Session) -> None:
        """Give the events their places now; the sequencer is kept from doing so meanwhile."""
        if not database.is_sqlite():
            lock = text("select pg_advisory_xact_lock(:lock)")
            session.execute(lock, {"lock": sequencer.LOCK})
        seq = events.last_seq(session)
        rows = self._sheaf.rows[EventLog]
        rows.sort(key=lambda row: (str(row["at"]), str(row["id"])))
        for place, row in enumerate(rows, start=seq + 1):
            row["seq"] = place

    def _link(self, session: Session, chain: str, rows: list[tuple[str, str]]) -> None:
        if not database.is_sqlite():
            session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": chains.LOCK})
        seq, previous = chains.head_of(session, chain)
        for row_id, content in rows:
            seq += 1
            following = hashing.chained(previous, content)
            link: dict[str, object] = {
                "chain": chain,
                "seq": seq,
                "row_id": row_id,
                "content_hash": content,
                "previous_hash": previous,
                "hash": following,
            }
            self._sheaf.add(ChainLink, link)
            previous = following


def _newest_secret(session: Session) -> str | None:
    statement = select(SecretVersion.id).order_by(SecretVersion.created_at.desc()).limit(1)
    return session.scalar(statement)


def _times(dice: Dice, count: int, now: datetime) -> list[datetime]:
    """Spread moments over a year: more of them lately, most of them by day. Oldest first."""
    found = []
    for _ in range(count):
        if dice.permille(20):
            # A share of today's, so that a small load has open payments too.
            found.append(now - timedelta(seconds=dice.between(120, 20 * 3600)))
            continue
        days = YEAR.days * (1 - (dice.below(1_000_000) / 1_000_000) ** 0.66)
        at = (now - timedelta(days=days)).replace(
            hour=dice.weighted(_HOURS), minute=dice.below(60), second=dice.below(60)
        )
        found.append(min(at, now - timedelta(minutes=2)))
    return sorted(found)
