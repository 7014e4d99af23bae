"""What each verb does to a case: whether it fits now, what it would do, and doing it.

One module per verb or pair of verbs; each is loaded when first asked for, since what they call opens
cases itself. Settling a case, who may and once only, is `domain/cases/case_resolving.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TypeAlias

from sqlalchemy.orm import Session

from core.case_kinds import KINDS, WITHOUT_MONEY, Verb
from core.money import Money
from core.permissions import Permission
from core.states import Case as State
from core.strictjson import Json
from domain.actors import Actor
from domain.books.ledger import Movement
from domain.cases.case_subjects import Subject
from domain.transitions import Why
from models.control import Approval
from models.operations import Operation
from models.payments import Payment


@dataclass(frozen=True)
class Plan:
    """What a verb would do now. effects: sentences; amount: the sum it moves; by_two: a second person
    must agree first; steps_up: the asker must have just proved themselves on the desk.
    """

    effects: Sequence[str]
    movements: Sequence[Movement] = ()
    amount: Money | None = None
    by_two: bool = False
    steps_up: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why a verb is not allowed now, in a sentence."""

    why: str


Answer: TypeAlias = Plan | Refusal


@dataclass(frozen=True)
class Wanted:
    """What a person decided. payment_id: what to link to; reference: under which a provider knows it.

    once_key: what makes a second press of the same button the same act.
    """

    verb: Verb
    note: str
    amount: Money | None = None
    payment_id: str | None = None
    order_id: str | None = None
    reference: str | None = None
    once_key: str | None = None


@dataclass(frozen=True)
class Call:
    """A call that a provider still has to be asked, after the commit."""

    operation: Operation
    payment: Payment
    fence: int


@dataclass(frozen=True)
class Deed:
    """What a verb did. approval: it waits for a second person; columns: of the case, set with it."""

    result: dict[str, Json] = field(default_factory=dict)
    approval: Approval | None = None
    call: Call | None = None
    columns: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Doing:
    """What a verb is done with: the plan that was just made, what was decided, by whom."""

    subject: Subject
    plan: Plan
    wanted: Wanted
    actor: Actor
    why: Why


@dataclass(frozen=True)
class Kind:
    """plan: pure but for what `Subject` holds; do: in the caller's transaction, with rows locked."""

    label: str
    says: str
    plan: Callable[[Subject], Answer]
    do: Callable[[Session, Doing], Deed]


_MODULES: dict[Verb, str] = {
    Verb.ACCEPT: "accept",
    Verb.CREDIT: "credit",
    Verb.WRITE_OFF: "write_off",
    Verb.TOP_UP: "attempts",
    Verb.REISSUE: "attempts",
    Verb.LINK: "link",
    Verb.MARK: "mark",
    Verb.REFUND_DIFFERENCE: "refund",
    Verb.REFUND_ALL: "refund",
}


def kind(verb: Verb) -> Kind:
    """Give what a verb is."""
    found: dict[Verb, Kind] = import_module(f"domain.cases.case_verbs.{_MODULES[verb]}").KINDS
    return found[verb]


def may(actor: Actor, verb: Verb) -> bool:
    """Tell whether a role may settle cases by a verb: support only where no money is decided."""
    if verb in WITHOUT_MONEY:
        return actor.may(Permission.EXCEPTIONS_RESOLVE)
    return actor.may(Permission.EXCEPTIONS_BULK)


def answer(subject: Subject, verb: Verb) -> Answer:
    """Say what a verb would do to a case now, or why it is not allowed; roles aside."""
    case = subject.case
    if case.state == State.RESOLVED.value:
        return Refusal("This case is settled already.")
    if is_waiting(subject):
        return Refusal("Something was asked for and waits for a second person.")
    if verb not in KINDS[case.kind].verbs:
        return Refusal(f"A case of this kind is not settled by “{kind(verb).label.lower()}”.")
    return kind(verb).plan(subject)


def is_waiting(subject: Subject) -> bool:
    """Tell whether a case waits for a second person."""
    return subject.case.approval_id is not None and subject.case.state == State.ASSIGNED.value


def allowed(subject: Subject, actor: Actor) -> list[Verb]:
    """List the verbs by which this person may settle a case now."""
    return [
        verb
        for verb in KINDS[subject.case.kind].verbs
        if may(actor, verb) and isinstance(answer(subject, verb), Plan)
    ]
