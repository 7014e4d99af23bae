"""The lines of an entry that people write: read, named and balanced before anybody is asked to agree.

People may post to every account of the chart but two sorts: reserved parts belong to what reserved
them, and what a dispute holds is the bank's word. An account that is one order's or one party's is
touched only by an entry of that order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import chart
from core.chart import RESERVED, Pattern, Side
from core.errors import Detail, FieldError, InvalidInput, invalid
from core.money import Asset, Money
from domain.books import balances
from domain.books.accounts import Account
from domain.books.ledger import Movement
from domain.refunds import promises
from models.ledger import LedgerAccount
from models.orders import Order
from models.payments import Payment
from providers import registry

MOST_LINES = 100
LONGEST_ADDRESS = 200
# Of one currency in one entry, in minor units: more is a slip of the hand, and sums of it would leave 64 bits.
MOST_MINOR = 10**15
# Patterns that only facts post to.
NOT_BY_HAND = (chart.DISPUTED,)
_RELEASE = frozenset({Side.BUYER, Side.SELLER})


@dataclass(frozen=True)
class Line:
    """One line as people write it: an amount that leaves `credit` and arrives at `debit`.

    One of the two may be missing; what such lines debit must be what they credit, per currency.
    """

    amount: Money
    debit: str | None = None
    credit: str | None = None


def read(session: Session, lines: Sequence[Line], order: Order) -> list[Movement]:
    """Turn lines into movements between accounts of the chart.

    Raises: InvalidInput naming each field, UNBALANCED with the difference per currency.
    Transaction: caller's, reads only.
    """
    if not 0 < len(lines) <= MOST_LINES:
        raise invalid("postings", f"Between 1 and {MOST_LINES} postings.", code="too_many")
    named, wrong = _named(session, lines, order)
    if wrong:
        raise InvalidInput(fields=wrong)
    _assert_balanced(lines)
    found = _pair(lines, named)
    for movement in found:
        _assert_apart(movement)
    return found


def _named(
    session: Session, lines: Sequence[Line], order: Order
) -> tuple[dict[str, Account], list[FieldError]]:
    named: dict[str, Account] = {}
    wrong: list[FieldError] = []
    for no, line in enumerate(lines):
        if line.debit is None and line.credit is None:
            wrong.append(
                FieldError(f"postings.{no}", "missing", "Name an account to debit or credit.")
            )
        for side, address in (("debit", line.debit), ("credit", line.credit)):
            if address is None or address in named:
                continue
            said = _objection(session, address, order)
            if said is None:
                named[address] = _account(address, order)
            else:
                wrong.append(FieldError(f"postings.{no}.{side}", "unknown_account", said))
    return named, wrong


def _objection(session: Session, address: str, order: Order) -> str | None:
    """Say why nobody may post to an address by hand in an entry of this order; None: they may."""
    pattern = chart.find(address) if len(address) <= LONGEST_ADDRESS else None
    if pattern is None:
        return "The chart has no such account."
    if address.endswith(RESERVED):
        return "What is reserved moves only with what reserved it."
    if pattern in NOT_BY_HAND:
        return "What a dispute holds moves only with the dispute."
    for name, value in (pattern.parts_of(address) or {}).items():
        if not _belongs(session, name, value, order):
            return f"There is no such {name} in this entry's order."
        if name == "provider" and not _is_provider(session, value, pattern):
            return "There is no such provider."
    return None


def _belongs(session: Session, name: str, value: str, order: Order) -> bool:
    own = {
        "order": order.id,
        "merchant": order.merchant_id,
        "seller": order.seller_id,
        "buyer": order.buyer_id,
        "user": order.buyer_id,
    }
    if name == "payment":
        payment = session.get(Payment, value)
        return payment is not None and payment.order_id == order.id
    return name not in own or value == own[name]


def _is_provider(session: Session, name: str, pattern: Pattern) -> bool:
    if name in registry.names():
        return True
    open_one = select(LedgerAccount.address).where(
        LedgerAccount.address == pattern.at(provider=name)
    )
    return session.scalar(open_one.limit(1)) is not None


def _account(address: str, order: Order) -> Account:
    pattern = chart.find(address)
    assert pattern is not None  # for the type checker; `_objection` has looked
    parts = pattern.parts_of(address) or {}
    merchant_id = order.merchant_id if parts.keys() & {"order", "merchant"} else None
    return Account(address, pattern.kind.value, merchant_id)


def _assert_balanced(lines: Sequence[Line]) -> None:
    debited, credited = _sums(lines)
    found: list[Detail] = []
    for of in sorted(debited.keys() | credited.keys(), key=str):
        one, other = debited.get(of, 0), credited.get(of, 0)
        if max(one, other) > MOST_MINOR:
            raise invalid("postings", f"Together this is too much {of.code}.", code="too_large")
        if one != other:
            said = {"debits": one, "credits": other, "difference": one - other}
            found.append(
                {"currency": of.code}
                | {name: Money(sum_, of).major() for name, sum_ in said.items()}
            )
    if found:
        error = InvalidInput(
            fields=[FieldError("postings", "unbalanced", "Debits and credits differ.")],
            code="UNBALANCED",
        )
        error.details["currencies"] = found
        raise error


def _sums(lines: Sequence[Line]) -> tuple[dict[Asset, int], dict[Asset, int]]:
    debited: dict[Asset, int] = defaultdict(int)
    credited: dict[Asset, int] = defaultdict(int)
    for line in lines:
        if line.debit is not None:
            debited[line.amount.asset] += line.amount.minor
        if line.credit is not None:
            credited[line.amount.asset] += line.amount.minor
    return debited, credited


def _pair(lines: Sequence[Line], named: Mapping[str, Account]) -> list[Movement]:
    """Keep whole lines as they are, and match one-sided ones in the order in which they were written."""
    found: list[Movement] = []
    waiting: dict[tuple[Asset, bool], list[tuple[Account, int]]] = defaultdict(list)
    for line in lines:
        if line.debit is not None and line.credit is not None:
            found.append(Movement(named[line.debit], named[line.credit], line.amount))
        elif (address := line.debit or line.credit) is not None:
            place = (line.amount.asset, line.debit is not None)
            waiting[place].append((named[address], line.amount.minor))
    for of in sorted({of for of, _ in waiting}, key=str):
        found += _matched(waiting[of, True], waiting[of, False], of)
    return found


def _matched(
    debited: Sequence[tuple[Account, int]], credited: Sequence[tuple[Account, int]], of: Asset
) -> list[Movement]:
    """Cut two columns of the same sum into movements, at each place where a line of either ends."""
    ends: dict[int, None] = {0: None}
    columns = []
    for column in (debited, credited):
        reached, steps = 0, []
        for account, minor in column:
            reached += minor
            steps.append((reached, account))
            ends[reached] = None
        columns.append(steps)
    movements = []
    for begin, end in pairwise(sorted(ends)):
        debit, credit = (next(who for upto, who in steps if upto >= end) for steps in columns)
        movements.append(Movement(debit, credit, Money(end - begin, of)))
    return movements


def _assert_apart(movement: Movement) -> None:
    debit, credit = movement.debit.address, movement.credit.address
    if debit == credit:
        raise invalid("postings", f"{debit} is on both sides.", code="same_account")
    sides = {found.side for each in (debit, credit) if (found := chart.find(each)) is not None}
    if sides == _RELEASE:
        raise invalid(
            "postings",
            "Money of a buyer reaches a seller by a release, never by hand.",
            code="buyer_to_seller",
        )


def shrinking(movements: Sequence[Movement]) -> list[tuple[Account, Money]]:
    """List what an entry takes, all in all, of each account from which only what is there may be taken."""
    changes: dict[tuple[str, Asset], int] = defaultdict(int)
    named: dict[str, Account] = {}
    for movement in movements:
        for account, minor in (
            (movement.debit, movement.amount.minor),
            (movement.credit, -movement.amount.minor),
        ):
            if balances.is_kept(account.address):
                named[account.address] = account
                changes[account.address, movement.amount.asset] += (
                    balances.own_side(account.kind) * minor
                )
    return [
        (named[address], Money(-minor, of))
        for (address, of), minor in sorted(
            changes.items(), key=lambda each: (each[0][0], str(each[0][1]))
        )
        if minor < 0
    ]


def assert_covered(session: Session, movements: Sequence[Movement]) -> None:
    """Check that no limited account gives more than it holds, and keep others from taking it meanwhile.

    What refunds on their way will take of it stays.
    Raises: Conflict AMOUNT_EXCEEDED. Transaction: caller's, writing.
    """
    for account, amount in shrinking(movements):
        promised = promises.of_account(session, account.address, amount.asset)
        balances.assert_holds(session, account, amount, promised=promised)
