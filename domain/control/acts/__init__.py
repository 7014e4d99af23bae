"""What each kind of approval does: how it reads now, how it is carried out, what a refusal takes back.

One module per kind; a module is loaded when its kind is first asked for, since the rules it calls
ask for approvals themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from core.money_out import Act
from core.strictjson import Json

if TYPE_CHECKING:
    from domain.actors import Actor
    from domain.control.warrants import Content, Warrant
    from domain.transitions import Why


def _nothing(session: Session, content: Content, why: Why) -> None:
    del session, content, why


def _no_objection(session: Session, content: Content, actor: Actor) -> str | None:
    del session, content, actor
    return None


@dataclass(frozen=True)
class Kind:
    """read: what the act would be now, None when its object is gone or past it; its hash must be the
    one agreed to. carry_out: does it, in the caller's transaction, and gives what to remember.
    take_back: undoes what the request had set aside. objects: why this person may not agree although
    they may refuse; carry_out refuses the same.
    """

    read: Callable[[Session, Content], Content | None]
    carry_out: Callable[[Session, Warrant], dict[str, Json]]
    take_back: Callable[[Session, Content, Why], None] = _nothing
    objects: Callable[[Session, Content, Actor], str | None] = _no_objection


_MODULES = {
    Act.REFUND: "refund",
    Act.MARK_PAYMENT: "mark_payment",
    Act.WRITE_OFF: "write_off",
    Act.FREEZE_LIFT: "freeze_lift",
    Act.RULE_ENABLE: "rule_enable",
    Act.ROLE_CHANGE: "role_change",
    Act.DISPUTE_ACCEPT: "dispute_accept",
    Act.PERIOD_CLOSE: "period_close",
    Act.PERIOD_REOPEN: "period_reopen",
    Act.MANUAL_ENTRY: "manual_entry",
    Act.ENTRY_REVERSAL: "entry_reversal",
}


def kind(act: Act) -> Kind:
    """Give what an act does."""
    found: Kind = import_module(f"domain.control.acts.{_MODULES[act]}").KIND
    return found
