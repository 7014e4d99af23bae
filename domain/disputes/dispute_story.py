"""What happened to one dispute, step by step: the provider's words, ours, and what the books say."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.fold import DISPUTE_REINSTATED, DISPUTE_WITHDRAWN
from core.money import Money, asset
from domain.actors import Actor
from domain.disputes import dispute_books, dispute_calls, dispute_queries
from domain.naming import actor_names
from domain.payments.timeline_items import Item
from models.control import Approval
from models.disputes import Dispute
from models.inbound import InboundEvent
from models.ledger import JournalEntry, Posting
from models.payments import StateChange

_BOOKED = {
    DISPUTE_WITHDRAWN: "taken back by the payer's bank",
    DISPUTE_REINSTATED: "given back to us",
    dispute_books.FEE: "fee of the dispute",
    dispute_books.LOST: "booked as lost",
}
_ASKED = {
    dispute_calls.EVIDENCE: "Evidence handed to the payer's bank",
    dispute_calls.CLOSE: "Dispute given up at the provider",
}
_LANES = {"provider": 0, "us": 1, "books": 2}


def items_of(session: Session, dispute: Dispute, *, actor: Actor) -> list[Item]:
    """List what happened to a dispute, oldest first; who is not staff sees a redacted view.

    Transaction: caller's, reads only.
    """
    items = [_opened(dispute), *_moves(session, dispute), *_books(session, dispute)]
    if actor.is_staff:
        items += _webhooks(session, dispute) + _calls(session, dispute)
        items += _approvals(session, dispute)
    who = [item.actor for item in items if item.actor]
    names = actor_names(session, who, for_staff=actor.is_staff)
    shown = [
        replace(
            item,
            actor=names.get(item.actor) if item.actor else None,
            reason=item.reason if actor.is_staff else None,
        )
        for item in items
    ]
    return sorted(shown, key=lambda item: (item.at, _LANES[item.lane], item.kind))


def _item(dispute: Dispute, item: Item) -> Item:
    return replace(item, payment_id=dispute.payment_id)


def _opened(dispute: Dispute) -> Item:
    amount = Money(dispute.amount_minor, asset(dispute.asset))
    text = f"The payer's bank disputes {amount.major()} {amount.asset.code}"
    names = {"reference": dispute.provider_reference}
    return _item(dispute, Item(dispute.opened_at, "provider", "opened", text, references=names))


def _moves(session: Session, dispute: Dispute) -> list[Item]:
    statement = select(StateChange).where(
        StateChange.object_kind == "dispute", StateChange.object_id == dispute.id
    )
    return [
        _item(
            dispute,
            Item(
                *(row.at, "us", "state", f"{row.old} → {row.new}".replace("_", " ")),
                actor=row.actor,
                reason=row.reason,
                references={"source": row.source},
                level="strong",
            ),
        )
        for row in session.scalars(statement)
    ]


def _books(session: Session, dispute: Dispute) -> list[Item]:
    statement = (
        select(JournalEntry, Posting)
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(
            JournalEntry.payment_id == dispute.payment_id,
            JournalEntry.provider_reference == dispute.provider_reference,
            JournalEntry.kind.in_(dispute_books.KINDS),
            Posting.amount_minor > 0,
        )
        .order_by(JournalEntry.posted_at, Posting.line)
    )
    return [
        _item(
            dispute,
            Item(
                entry.posted_at,
                "books",
                entry.kind,
                f"{_amount(line)} {_words(entry, line)}",
                references={"entry": entry.id},
            ),
        )
        for entry, line in session.execute(statement)
    ]


def _amount(line: Posting) -> str:
    amount = Money(line.amount_minor, asset(line.asset))
    return f"{amount.major()} {amount.asset.code}"


def _words(entry: JournalEntry, line: Posting) -> str:
    if entry.kind == dispute_books.LOST and line.address != dispute_books.LOSSES.address:
        return "no longer booked as lost"
    return _BOOKED[entry.kind]


def _webhooks(session: Session, dispute: Dispute) -> list[Item]:
    statement = select(InboundEvent).where(
        InboundEvent.provider == dispute.provider,
        InboundEvent.object_reference == dispute.provider_reference,
    )
    return [
        _item(
            dispute,
            Item(
                *(row.received_at, "provider", "webhook", f"Webhook {row.type}: {row.state}"),
                reason=row.verdict,
                references={"event": row.provider_event_id or "", "inbound": row.id},
            ),
        )
        for row in session.scalars(statement)
    ]


def _calls(session: Session, dispute: Dispute) -> list[Item]:
    return [
        _item(
            dispute,
            Item(
                *(row.created_at, "us", "operation", f"{_ASKED[row.kind]}: {row.state}"),
                actor=row.actor,
                reason=row.error_message or row.last_error,
                references={"operation": row.id},
            ),
        )
        for row in dispute_queries.operations_of(session, dispute)
    ]


def _approvals(session: Session, dispute: Dispute) -> list[Item]:
    found = []
    for row in session.scalars(select(Approval).where(Approval.object_id == dispute.id)):
        names = {"approval": row.id}
        asked = Item(row.requested_at, "us", "approval", "Asked to give it up", row.requested_by)
        found.append(_item(dispute, replace(asked, reason=row.reason, references=names)))
        if row.decided_at is not None:
            said = "agreed" if row.executed_at else row.state
            end = Item(row.decided_at, "us", "approval", f"Giving it up: {said}", row.decided_by)
            found.append(_item(dispute, replace(end, reason=row.decided_reason, references=names)))
    return found
