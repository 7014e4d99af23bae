"""A ledger that is played with at random: posts, reservations, reversals, late facts, and every attack on it.

All of one game is one transaction that is rolled back at its end, each move a savepoint of it, so that
tens of thousands of moves cost seconds. What must wait for a commit (an entry without its seal) is asked of the
database at the end of each game.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core import clock, ids
from core.errors import Conflict
from core.money import Asset, Money, asset
from domain import calendar, database, pending
from domain.books import account_proofs, accounts, balances, booking, ledger, proofs, reserving
from domain.books.accounts import Account
from domain.books.ledger import Movement, Ties
from domain.watch.rules import RULES
from models.ledger import JournalEntry, Posting
from models.periods import Period

T = TypeVar("T")
EUR, JPY = asset("EUR"), asset("JPY")
CLEARING = accounts.clearing("stripe")
PLAIN = (accounts.adjustments("a"), accounts.adjustments("b"), CLEARING)
PAIRS = st.sampled_from(list(permutations(PLAIN, 2)))
LIMITED = st.sampled_from((accounts.merchant_payable("mer_1"), accounts.wallet("usr_1")))
UNITS = st.sampled_from((EUR, JPY))
AMOUNTS = st.integers(1, 10**4)
PLACES = st.integers(0, 255)
TIES = Ties(payment_id="pay_1", provider_reference="ref_1")
NOW = "2026-11-21 12:00:00.000000"
YEAR_AGO = clock.now() - timedelta(days=365)
# The rules that a ledger alone can break; a game has no payments, and its wallets are filled by nobody's top-up.
WATCHED = (
    *("currencies_balance", "entries_balance", "journal_as_chained", "kept_balances"),
    *("holds_not_overdrawn", "accounts_not_overdrawn", "accounts_charted"),
)
TRIAL_BALANCE = text("select asset from postings group by asset having sum(amount_minor) <> 0")

# What nobody may do, whoever asks. `:entry` is an entry that is sealed, `:new` the id of one that is not there.
_HEAD = (
    "insert into journal_entries (id, kind, source_key, source, payment_id, provider_reference, content_hash,"
    f" livemode, demo, effective_at, posted_at) values (:new, 'fee', :new, 'x', 'p', 'r', 'x', false, false,"
    f" '{NOW}', '{NOW}')"
)
_LINE = (
    "insert into postings (entry_id, line, pair, address, asset, amount_minor)"
    " values ({entry}, {line}, 1, 'adjustments:a', 'EUR/2', {minor})"
)
_SEAL = (
    "insert into journal_seals (entry_id, postings, sealed_at)"
    f" values ({{entry}}, {{count}}, '{NOW}')"
)
ATTACKS: dict[str, tuple[str, ...]] = {
    "edit a line": ("update postings set amount_minor = amount_minor + 1 where entry_id = :entry",),
    "edit an entry": ("update journal_entries set note = 'x' where id = :entry",),
    "edit a seal": ("update journal_seals set postings = 4 where entry_id = :entry",),
    "delete a line": ("delete from postings where entry_id = :entry",),
    "delete a seal": ("delete from journal_seals where entry_id = :entry",),
    "delete an entry": ("delete from journal_entries where id = :entry",),
    "add a line later": (_LINE.format(entry=":entry", line=90, minor=5),),
    "seal it again": (_SEAL.format(entry=":entry", count=2),),
    "post it unbalanced": (
        _HEAD,
        _LINE.format(entry=":new", line=1, minor=5),
        _LINE.format(entry=":new", line=2, minor=-4),
        _SEAL.format(entry=":new", count=2),
    ),
    "seal nothing": (_HEAD, _SEAL.format(entry=":new", count=0)),
    "miscount the lines": (
        _HEAD,
        _LINE.format(entry=":new", line=1, minor=5),
        _LINE.format(entry=":new", line=2, minor=-5),
        _SEAL.format(entry=":new", count=3),
    ),
    "post it untied": (_HEAD.replace("'p', 'r'", "'p', null"),),
    "post it as nothing we know": (_HEAD.replace("'fee'", "'gift'"),),
    "reverse without saying what": (_HEAD.replace("'fee'", "'reversal'"),),
}


class LedgerMachine(RuleBasedStateMachine):
    """One game. moves: how many of each kind were made over all games, and after how many all balanced."""

    engine: Engine
    moves: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.moves["games"] += 1
        self.connection = self.engine.execution_options(writing=True).connect()
        self.connection.begin()
        self.session = Session(self.connection, expire_on_commit=False, autoflush=False)
        self.sums: Counter[tuple[str, str]] = Counter()
        self.posted: list[str] = []
        self.keys: list[str] = []
        self.reversed: set[str] = set()
        self.held: dict[str, tuple[Account, Money]] = {}
        self.over: set[str] = set()
        self.closed = 0

    def teardown(self) -> None:
        """Ask what only a whole game can answer, and take all of it back."""
        try:
            for check in (proofs.trial_balance, proofs.entries, account_proofs.kept):
                assert [said for said in check(self.session) if said] == []
            for name in WATCHED:
                assert [each.sentence for each in RULES[name].find(self.session, None)] == []
            assert self._told() == {place: minor for place, minor in self.sums.items() if minor}
            # What waits for the commit is asked for now.
            if self.engine.dialect.name == "postgresql":
                self.session.execute(text("set constraints all immediate"))
            else:
                assert list(self.session.execute(text("pragma foreign_key_check"))) == []
        finally:
            self.session.close()
            self.connection.rollback()
            self.connection.close()

    def _told(self) -> dict[tuple[str, str], int]:
        sums = select(Posting.address, Posting.asset, func.sum(Posting.amount_minor))
        rows = self.session.execute(sums.group_by(Posting.address, Posting.asset))
        return {(address, unit): int(total) for address, unit, total in rows if total}

    def _refused(self, act: Callable[[], object]) -> None:
        """Do something that the database must refuse."""
        with pytest.raises(DBAPIError), self.session.begin_nested():
            act()

    def _say(self, statements: Sequence[str], said: dict[str, str]) -> None:
        for statement in statements:
            names = {name: value for name, value in said.items() if f":{name}" in statement}
            self.session.execute(text(statement), names)

    def _post(
        self, kind: str, movements: list[Movement], *, key: str | None = None, **more: Any
    ) -> str:
        """Post an entry and keep what it should have done."""
        key = key or ids.new("key")
        entry_id = ledger.post(
            self.session,
            kind,
            movements=movements,
            source_key=key,
            source="machine",
            ties=TIES,
            **more,
        )
        self._written(movements)
        self.posted.append(entry_id)
        self.keys.append(key)
        return entry_id

    def _written(self, movements: Sequence[Movement]) -> None:
        pending.write_rows(self.session)
        self.session.info.pop("written", None)
        for each in movements:
            unit = str(each.amount.asset)
            self.sums[each.debit.address, unit] += each.amount.minor
            self.sums[each.credit.address, unit] -= each.amount.minor

    def _holds(self, account: Account, unit: Asset) -> int:
        return -self.sums[account.address, str(unit)]

    @rule(pair=PAIRS, unit=UNITS, minor=AMOUNTS)
    def post(self, pair: tuple[Account, Account], unit: Asset, minor: int) -> None:
        self.moves["post"] += 1
        self._post("fee", [Movement(*pair, Money(minor, unit))])

    @rule(first=PAIRS, second=PAIRS, minor=AMOUNTS, other=AMOUNTS)
    def post_in_two_currencies(
        self,
        first: tuple[Account, Account],
        second: tuple[Account, Account],
        minor: int,
        other: int,
    ) -> None:
        self.moves["post"] += 1
        movements = [Movement(*first, Money(minor, EUR)), Movement(*second, Money(other, JPY))]
        self._post("exchange", movements, details={"rate": "1.08", "rateOn": "2026-11-21"})

    @rule(account=LIMITED, unit=UNITS, minor=st.integers(1, 10**6))
    def earn(self, account: Account, unit: Asset, minor: int) -> None:
        self.moves["post"] += 1
        self._post("fee", [Movement(CLEARING, account, Money(minor, unit))])

    @rule(account=LIMITED, unit=UNITS, minor=AMOUNTS)
    def reserve(self, account: Account, unit: Asset, minor: int) -> None:
        amount, key = Money(minor, unit), ids.new("key")
        held = self._holds(account, unit)
        try:
            kept = reserving.reserve(
                self.session, account, amount, source_key=key, source="machine", ties=TIES
            )
        except Conflict:
            assert minor > held
            self.moves["refused: more than is there"] += 1
            return
        assert minor <= held
        self.moves["reserve"] += 1
        self._written([Movement(account, accounts.reserved(account), amount)])
        self.posted.append(kept.entry_id)
        self.held[kept.entry_id] = (account, amount)

    @precondition(lambda self: self.held)
    @rule(no=PLACES, part=st.integers(0, 3))
    def spend(self, no: int, part: int) -> None:
        entry_id, (account, amount) = self._choose(self.held, no)
        minor = amount.minor * (4 - part) // 4 or amount.minor
        spent, left = Money(minor, amount.asset), Money(amount.minor - minor, amount.asset)
        try:
            reserving.spend(
                self.session,
                entry_id,
                CLEARING,
                amount=spent,
                source_key=ids.new("key"),
                source="machine",
            )
        except Conflict:
            self._was_over(entry_id)
            return
        kept = accounts.reserved(account)
        back = [Movement(kept, account, left)] if left.minor else []
        self._ended(entry_id, [Movement(kept, CLEARING, spent), *back])

    @precondition(lambda self: self.held)
    @rule(no=PLACES)
    def void(self, no: int) -> None:
        entry_id, (account, amount) = self._choose(self.held, no)
        try:
            reserving.void(self.session, entry_id, source="machine")
        except Conflict:
            self._was_over(entry_id)
            return
        self._ended(entry_id, [Movement(accounts.reserved(account), account, amount)])

    def _ended(self, entry_id: str, movements: list[Movement]) -> None:
        assert entry_id not in self.over
        self.moves["end a reservation"] += 1
        self.over.add(entry_id)
        self._written(movements)

    def _was_over(self, entry_id: str) -> None:
        assert entry_id in self.over
        self.moves["refused: over already"] += 1

    @staticmethod
    def _choose(known: dict[str, T], no: int) -> tuple[str, T]:
        chosen = list(known)[no % len(known)]
        return chosen, known[chosen]

    @precondition(lambda self: self.posted)
    @rule(no=PLACES)
    def reverse(self, no: int) -> None:
        entry_id = self.posted[no % len(self.posted)]
        movements = ledger.mirror_of(self.session, entry_id)
        if any(balances.is_kept(each.address) for m in movements for each in (m.debit, m.credit)):
            # What moved a limited balance is taken back by its own door.
            return
        try:
            ledger.reverse(self.session, entry_id, source="machine", note="wrong")
        except Conflict:
            assert entry_id in self.reversed
            self.moves["refused: reversed already"] += 1
            return
        assert entry_id not in self.reversed
        self.moves["reverse"] += 1
        self.reversed.add(entry_id)
        self._written(movements)

    @rule(pair=PAIRS, minor=AMOUNTS, days=st.integers(0, 400))
    def tell_late(self, pair: tuple[Account, Account], minor: int, days: int) -> None:
        """Post what took effect long ago; in a closed month it is late and says so."""
        at = clock.now() - timedelta(days=days)
        entry_id = self._post("fee", [Movement(*pair, Money(minor, EUR))], effective_at=at)
        entry = self.session.get_one(JournalEntry, entry_id)
        month, closed = calendar.month_of(at), booking.newest_closed(self.session)
        assert entry.late_of == (month if month <= closed else None)
        assert entry.period is not None and entry.period > closed
        self.moves["tell late" if entry.late_of else "post"] += 1

    @precondition(lambda self: len(self.posted) >= 8 * self.closed)
    @rule()
    def close_a_month(self) -> None:
        """Close the oldest month that is open, a year ago at first, never the running one."""
        self.closed += 1
        closed = booking.newest_closed(self.session)
        month = calendar.following(closed) if closed else calendar.month_of(YEAR_AGO)
        if month >= calendar.month_of(clock.now()):
            return
        now = clock.now()
        self.session.add(
            Period(id=month, state="closed", close_no=1, created_at=now, updated_at=now)
        )
        self.session.flush()
        self.session.info.pop(booking._KEY, None)
        self.moves["close a month"] += 1

    @precondition(lambda self: self.posted)
    @rule(name=st.sampled_from(sorted(ATTACKS)), no=PLACES)
    def attack(self, name: str, no: int) -> None:
        """Do what nobody may; the database itself refuses it."""
        said = {"entry": self.posted[no % len(self.posted)], "new": ids.new("jrn")}
        self._refused(lambda: self._say(ATTACKS[name], said))
        self.moves[f"attack: {name}"] += 1

    @precondition(lambda self: self.keys)
    @rule(no=PLACES)
    def post_the_same_fact_again(self, no: int) -> None:
        key = self.keys[no % len(self.keys)]
        self._refused(
            lambda: self._post("fee", [Movement(CLEARING, PLAIN[0], Money(5, EUR))], key=key)
        )
        # What was kept for the refused entry is not to be written with the next.
        for name in ("rows", "sums", "written"):
            self.session.info.pop(name, None)
        self.moves["attack: post it twice"] += 1

    @invariant()
    def balances_to_nothing(self) -> None:
        self.moves["balanced after"] += 1
        assert list(self.session.execute(TRIAL_BALANCE)) == []


PER_GAME = 80


def play(engine: Engine, moves: int, *, begin: int) -> Counter[str]:
    """Play games until so many moves were made. Gives how many of each kind.

    begin: which games; the same number plays the same ones again.
    """
    database.bind(engine)

    class Machine(LedgerMachine):
        pass

    Machine.engine, Machine.moves = engine, Counter()
    made, turn = 0, 0
    while made < moves:
        how = settings(
            max_examples=max(10, (moves - made) // PER_GAME),
            stateful_step_count=PER_GAME,
            phases=(Phase.generate, Phase.shrink),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        seed(begin * 1000 + turn)(Machine)
        run_state_machine_as_test(Machine, settings=how)  # type: ignore[no-untyped-call]
        # Each game is asked once before its first move.
        made, turn = Machine.moves["balanced after"] - Machine.moves["games"], turn + 1
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from journal_entries")) == 0
    assert {f"attack: {name}" for name in ATTACKS} <= Machine.moves.keys()
    return Machine.moves
