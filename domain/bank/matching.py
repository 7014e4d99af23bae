"""Saying what a bank line shows, and taking that back: the one way, from the bank desk and from a payout's page.

A line that shows a payout moves money in the books. One that shows a payment or a refund is evidence
only: its provider has booked it already, and a second entry would count the money twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, InvalidInput, NotFound, invalid
from core.money import Money, asset
from core.redaction import holds_card_number
from core.strictjson import Json
from domain import audit, events
from domain.actors import Actor
from domain.bank import candidates, counterparties, payout_lines, suggesting
from domain.bank.candidates import PAYMENT, PAYOUT, REFUND
from domain.secrets import person_keys
from models.payments import Payment
from models.refunds import Refund
from models.statements import BankLine

SHORTEST_NOTE, LONGEST_NOTE = 3, 500
KINDS = (PAYMENT, PAYOUT, REFUND)
_OVER = ("failed", "cancelled")
Row = TypeVar("Row", Payment, Refund)


@dataclass(frozen=True)
class Target:
    """What a line is said to show. kind: one of `KINDS`."""

    kind: str
    id: str


@dataclass(frozen=True)
class Act:
    """Who says it, from where, and why."""

    actor: Actor
    source: str
    note: str


def get_line(session: Session, line_id: str, *, lock: bool = False) -> BankLine:
    """Fetch a line.

    Raises: NotFound. Transaction: caller's.
    """
    own = select(BankLine).where(BankLine.id == line_id)
    if lock:
        own = own.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(own).first()
    if found is None:
        raise NotFound
    return found


def match(session: Session, line_id: str, target: Target, act: Act) -> BankLine:
    """Say that a line shows a payout, a payment or a refund.

    Writes: bank_lines, audit_log; of a payout provider_payouts and the journal. Emits: line.matched.
    Raises: NotFound; InvalidInput; Conflict ALREADY_MATCHED, AMOUNT_EXCEEDED, and those of payouts.
    Transaction: caller's.
    """
    assert_note(act.note)
    line = get_line(session, line_id, lock=True)
    if line.state == "matched":
        raise Conflict("That line is matched already.", code="ALREADY_MATCHED")
    entry_id = _show(session, line, target, act)
    line.state, line.match_no = "matched", line.match_no + 1
    line.payout_id = target.id if target.kind == PAYOUT else None
    line.payment_id = target.id if target.kind == PAYMENT else None
    line.refund_id = target.id if target.kind == REFUND else None
    line.matched_by, line.matched_at, line.note = act.actor.id, clock.now(), act.note
    line.entry_id = entry_id
    session.flush()
    _tell(session, "line.matched", line, target, act)
    return line


def unmatch(session: Session, line_id: str, act: Act) -> BankLine | None:
    """Take a match back; a line that a person typed goes with it. Gives the line that is left.

    What was posted is reversed in the open month, whatever month the line is of.
    Writes, emits: as `match`, line.unmatched. Raises: NotFound, InvalidInput, Conflict.
    Transaction: caller's.
    """
    assert_note(act.note)
    line = get_line(session, line_id, lock=True)
    target = target_of(line)
    if target is None:
        raise Conflict("That line is matched to nothing.")
    if target.kind == PAYOUT:
        payout_lines.hide(session, target.id, source=act.source, note=act.note)
    line.payout_id = line.payment_id = line.refund_id = None
    line.matched_by = line.matched_at = line.note = line.entry_id = None
    line.state = "unmatched"
    session.flush()
    _tell(session, "line.unmatched", line, target, act)
    if line.statement_id is None:
        session.delete(line)
        session.flush()
        return None
    line.state = "suggested" if suggesting.of_line(session, line) else "unmatched"
    session.flush()
    return line


def target_of(line: BankLine) -> Target | None:
    """Say what a line shows."""
    for kind, found in (
        (PAYOUT, line.payout_id),
        (PAYMENT, line.payment_id),
        (REFUND, line.refund_id),
    ):
        if found is not None:
            return Target(kind, found)
    return None


def assert_note(note: str) -> None:
    """Check why somebody matches a line.

    Raises: InvalidInput
    """
    if not SHORTEST_NOTE <= len(note.strip()) <= LONGEST_NOTE:
        raise invalid("note", f"Say why in {SHORTEST_NOTE} to {LONGEST_NOTE} characters.")
    if holds_card_number(note):
        raise invalid("note", "This looks like a card number. Card numbers are never kept here.")


def _show(session: Session, line: BankLine, target: Target, act: Act) -> str | None:
    """Do what follows from a match. Gives the entry that it posted, if any."""
    if target.kind == PAYOUT:
        return payout_lines.show(
            session, target.id, line, actor=act.actor, source=act.source, note=act.note
        )
    if target.kind == PAYMENT:
        payment = _locked(session, Payment, target.id)
        _assert_fits(session, line, target, payment.amount_minor, payment.asset)
    else:
        refund = _locked(session, Refund, target.id)
        if refund.state in _OVER:
            raise Conflict("That refund did not happen; no line can show it.")
        _assert_fits(session, line, target, refund.amount_minor, refund.asset)
        payment = session.get_one(Payment, refund.payment_id)
    if payment.livemode != line.livemode:
        raise NotFound
    whose = person_keys.books_of(payment.buyer_id, line.booked_on)
    counterparties.belongs_to(session, line, whose)
    return None


def _locked(session: Session, table: type[Row], row_id: str) -> Row:
    own = select(table).where(table.id == row_id)
    found = session.scalars(own.with_for_update(key_share=True)).first()
    if found is None:
        raise NotFound
    return found


def _assert_fits(session: Session, line: BankLine, target: Target, whole: int, unit: str) -> None:
    """Check that a line goes the right way and shows no more than what no other line shows.

    Raises: InvalidInput, Conflict AMOUNT_EXCEEDED
    """
    if line.asset != unit:
        raise invalid("currency", f"The {target.kind} is in {asset(unit).code}.")
    is_in = target.kind == PAYMENT
    if (line.amount_minor > 0) != is_in:
        raise _wrong_way(target)
    column = BankLine.payment_id if is_in else BankLine.refund_id
    left = whole - candidates.shown(session, column, [target.id]).get(target.id, 0)
    if abs(line.amount_minor) > left:
        shown, rest = (Money(each, asset(unit)) for each in (abs(line.amount_minor), left))
        raise Conflict(
            f"The line shows {shown.major()} {shown.asset.code}; of that {target.kind} no line"
            f" shows {rest.major()} yet.",
            code="AMOUNT_EXCEEDED",
        )


def _wrong_way(target: Target) -> InvalidInput:
    said = "brings money in" if target.kind == PAYMENT else "takes money out"
    return invalid("amount", f"A line that shows a {target.kind} {said}.")


def _tell(session: Session, kind: str, line: BankLine, target: Target, act: Act) -> None:
    is_matched = kind == "line.matched"
    said: dict[str, Json] = {
        "statementId": line.statement_id,
        "lineId": line.id,
        "matched": int(is_matched),
        "unmatched": int(not is_matched),
    }
    payment_id = target.id if target.kind == PAYMENT else None
    about = events.about_staff(line.id, payment_id=payment_id, demo=line.demo)
    status = "matched" if is_matched else "unmatched"
    row = events.row(
        kind, about, source=act.source, sequence=line.match_no, status=status, body=said
    )
    events.append(session, [row])
    # Of a payout people have always asked by the payout.
    is_payout = target.kind == PAYOUT
    verb = "match" if is_matched else "unmatch"
    audit.write(
        session,
        f"payout.{verb}" if is_payout else f"bank_line.{verb}",
        actor=act.actor,
        object_kind="provider_payout" if is_payout else "bank_line",
        object_id=target.id if is_payout else line.id,
        source=act.source,
        reason=act.note,
        after={
            "lineId": line.id,
            "line": line.bank_reference,
            "account": line.account,
            "kind": target.kind,
            "targetId": target.id,
            "amountMinor": line.amount_minor,
            "asset": line.asset,
            "entryId": line.entry_id,
        },
    )
