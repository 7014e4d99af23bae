"""The checklist: what must be so before a month is closed, computed from the rows, never ticked by hand.

Each item is a small function that finds problems. A problem may be left open only when people say why:
case by case, or, where an item allows it, for the item as a whole. What a closing must never leave open
(the sums, the chains, a broken rule, an earlier month) cannot be carried forward by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.hashing import Plain
from core.strictjson import Json
from domain.periods import book_checks, work_checks
from domain.periods.months import Span
from domain.periods.problems import Problems


@dataclass(frozen=True)
class Item:
    """One row of the checklist. label: what must be so; problem: what is in the way when it is not.
    link: the page where it is worked off, with `{period}` and `{last}`, the month's last day, in it.

    may_carry: whether it may be left open as a whole, for a reason. is_slow: it reads the whole month;
    what it found stands until the closing itself asks again.
    """

    name: str
    label: str
    problem: str
    look: Callable[[Session, Span], Problems]
    link: str
    may_carry: bool = False
    is_slow: bool = False

    def href(self, span: Span) -> str:
        """Give the address of the page where it is worked off."""
        return self.link.format(first=span.first_day, last=span.last_day, period=span.id)


ITEMS: Sequence[Item] = (
    Item(
        "month_over",
        "The month is over",
        "the month goes on",
        book_checks.is_over,
        "/periods/{period}",
    ),
    Item(
        "months_before",
        "Earlier months are closed",
        "earlier months are open",
        book_checks.before,
        "/periods",
    ),
    Item(
        "cases",
        "No open case puts money of the month at risk",
        "open cases with money at risk",
        work_checks.cases,
        "/exceptions?risk=yes",
    ),
    Item(
        "suspense",
        "Nothing of the month waits in suspense",
        "money in suspense",
        work_checks.suspense,
        "/ledger?q=suspense&on={last}",
        may_carry=True,
    ),
    Item(
        "provider_balances",
        "Providers were compared for the whole month",
        "providers not compared",
        book_checks.providers,
        "/reconciliation/start?from={first}&to={last}",
        may_carry=True,
        is_slow=True,
    ),
    Item(
        "open_attempts",
        "Expired and abandoned attempts are disposed of",
        "expired or abandoned attempts",
        work_checks.attempts,
        "/payments?state=pending&to={last}",
        may_carry=True,
    ),
    Item(
        "unknown_operations",
        "No call of a provider has an unknown outcome",
        "calls with an unknown outcome",
        work_checks.operations,
        "/exceptions?kind=UNKNOWN_OUTCOME",
        may_carry=True,
    ),
    Item(
        "inbound_events",
        "No event of a provider is stuck",
        "stuck events",
        work_checks.inbound,
        "/webhooks?to={last}",
        may_carry=True,
    ),
    Item(
        "effects",
        "All that follows from money was carried out",
        "effects not carried out",
        work_checks.effects,
        "/exceptions?kind=EFFECT_FAILED",
        may_carry=True,
    ),
    Item(
        "reversals_due",
        "Manual entries are reversed when they were to be",
        "entries to be reversed",
        work_checks.reversals,
        "/journal?state=due",
        may_carry=True,
    ),
    Item(
        "invoice_numbers",
        "Invoices and credit notes are numbered without a gap",
        "gaps in numbers",
        book_checks.numbers,
        "/invoices",
        may_carry=True,
    ),
    Item(
        "entries_tied",
        "Each entry carries what its kind must",
        "entries that lack a tie",
        book_checks.ties,
        "/journal?period={period}",
        may_carry=True,
        is_slow=True,
    ),
    Item(
        "trial_balance",
        "The trial balance is zero",
        "books out of balance",
        book_checks.trial_balance,
        "/ledger",
        is_slow=True,
    ),
    Item(
        "chains",
        "The books and the audit log are chained and proved",
        "no fresh proof of the books",
        book_checks.proofs,
        "/watch",
        is_slow=True,
    ),
    Item(
        "invariants",
        "No rule of the books is broken",
        "rules broken or not watched",
        book_checks.invariants,
        "/watch",
    ),
)
BY_NAME: Mapping[str, Item] = {item.name: item for item in ITEMS}


@dataclass(frozen=True)
class Carry:
    """Something that is left open, and why: a case, or all that an item found."""

    reason: str
    case_id: str | None = None
    item: str | None = None

    def wire(self) -> dict[str, Plain]:
        """Write it as the API does."""
        if self.case_id is not None:
            return {"caseId": self.case_id, "reason": self.reason}
        return {"item": self.item, "reason": self.reason}


@dataclass(frozen=True)
class Line:
    """One item as it was found, with what of it is carried forward."""

    item: Item
    problems: Problems
    carried: tuple[Carry, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is in the way that nobody carries forward."""
        if not self.problems.count or any(each.item for each in self.carried):
            return True
        cases = {each.case_id for each in self.carried}
        return not self.problems.free and self.problems.case_ids <= cases

    def signed(self) -> dict[str, Plain]:
        """Write what of it is signed."""
        return {
            "item": self.item.name,
            "ok": self.ok,
            "count": self.problems.count,
            "carriedForward": [each.wire() for each in self.carried],
        }

    def wire(self, span: Span) -> dict[str, Json]:
        """Write it as the API answers it."""
        said: dict[str, Json] = {**self.signed(), "link": self.item.href(span)}  # type: ignore[dict-item]
        return said


def compute(
    session: Session,
    span: Span,
    carried: Sequence[Carry] = (),
    *,
    known: Mapping[str, Problems] | None = None,
) -> list[Line]:
    """Look at every item of a month. known: what slow items found before, so as not to look again.

    Transaction: caller's, reads only.
    """
    stands = known or {}
    return [
        _line(item, stands.get(item.name) or item.look(session, span), carried) for item in ITEMS
    ]


def _line(item: Item, problems: Problems, carried: Sequence[Carry]) -> Line:
    if not problems.count:
        return Line(item, problems)
    own = [
        each
        for each in carried
        if each.case_id in problems.case_ids or (item.may_carry and each.item == item.name)
    ]
    return Line(item, problems, tuple(own))


def is_green(lines: Sequence[Line]) -> bool:
    """Tell whether nothing keeps the month from being closed."""
    return all(line.ok for line in lines)


def red(lines: Sequence[Line]) -> list[Line]:
    """List the items that keep the month from being closed."""
    return [line for line in lines if not line.ok]


def signed(lines: Sequence[Line]) -> list[Plain]:
    """Write what two people sign of a checklist."""
    return [line.signed() for line in lines]


def carried_in(lines: Sequence[Line]) -> list[Carry]:
    """List what is carried forward, each case once."""
    return list(dict.fromkeys(carry for line in lines for carry in line.carried))


def carries_of(said: object) -> list[Carry]:
    """Read what is carried forward in a checklist that was signed."""
    found: dict[Carry, None] = {}
    for line in said if isinstance(said, list) else []:
        for each in line["carriedForward"]:
            case_id, item = each.get("caseId"), each.get("item")
            found[Carry(str(each["reason"]), case_id=case_id, item=item)] = None
    return list(found)


def slow_of(said: object) -> dict[str, Problems]:
    """Read what slow items found in a checklist that was signed."""
    lines = said if isinstance(said, list) else []
    return {
        line["item"]: Problems(int(line["count"]), free=int(line["count"]))
        for line in lines
        if line["item"] in BY_NAME and BY_NAME[line["item"]].is_slow
    }
