"""How the books are watched over, read: rules, checkpoints, the last proof and the night; nothing is asked anew."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.book_states import Rule as State
from core.states import Freeze as FreezeState
from core.strictjson import Json
from domain.books import verification
from domain.watch import checkpoints
from domain.watch.offences import Rule
from domain.watch.rules import RULES
from models.audit import ChainLink
from models.control import Freeze
from models.watch import Checkpoint, Invariant

# What is read anew every few seconds and is older than this is watched by nobody.
STALE_SECONDS = 30 * 60.0
# What has grown is signed within five minutes.
UNSIGNED_SECONDS = 15 * 60.0
_ROW = re.compile(r"(aud|jrn)_[0-9a-z]+")
_LINK = re.compile(r"^(?:link|row) (\d+)")


@dataclass(frozen=True)
class Standing:
    """How a rule stands. freezes: what it holds now, by place; row: None before it was first asked."""

    rule: Rule
    row: Invariant | None
    freezes: Sequence[Freeze] = ()

    @property
    def is_red(self) -> bool:
        """Whether it is known to be broken."""
        return self.row is not None and self.row.state == State.RED.value


@dataclass(frozen=True)
class Watch:
    """All of it at a glance. since: of the oldest broken rule, or since when all hold; checked_at: when
    the rule that was asked longest ago was asked; verified_ok, verified_at: None before the first proof.
    """

    red: int
    unasked: int
    since: datetime | None
    checked_at: datetime | None
    verified_ok: bool | None
    verified_at: datetime | None
    signed_at: datetime | None
    unsigned: int

    @property
    def is_unsigned(self) -> bool:
        """Whether the chains have grown and nobody has signed them for longer than is good."""
        oldest = clock.after(-UNSIGNED_SECONDS)
        return self.unsigned > 0 and (self.signed_at is None or self.signed_at < oldest)

    @property
    def is_stale(self) -> bool:
        """Whether nobody has asked the rules for longer than is good."""
        oldest = clock.after(-STALE_SECONDS)
        return self.checked_at is None or self.checked_at < oldest or self.unasked > 0


def list_standing(session: Session) -> list[Standing]:
    """List every rule with how it stands and what it holds.

    Transaction: caller's, reads only.
    """
    known = {row.name: row for row in session.scalars(select(Invariant))}
    wanted = {str(each) for row in known.values() for each in row.freeze_ids}
    on = Freeze.state == FreezeState.ACTIVE.value
    held = (
        {row.id: row for row in session.scalars(select(Freeze).where(Freeze.id.in_(wanted), on))}
        if wanted
        else {}
    )
    return [
        Standing(rule, known.get(name), _of(known.get(name), held)) for name, rule in RULES.items()
    ]


def list_red(session: Session) -> list[Rule]:
    """List the rules that are known to be broken. Transaction: caller's, reads only."""
    red = select(Invariant.name).where(Invariant.state == State.RED.value).order_by(Invariant.name)
    return [RULES[name] for name in session.scalars(red) if name in RULES]


def _of(row: Invariant | None, held: Mapping[str, Freeze]) -> list[Freeze]:
    if row is None:
        return []
    return [held[str(each)] for each in row.freeze_ids if str(each) in held]


def at_a_glance(session: Session) -> Watch:
    """Say in a few figures how the books are watched over.

    Transaction: caller's, reads only.
    """
    rows = [row for row in session.scalars(select(Invariant)) if row.name in RULES]
    red = [row for row in rows if row.state == State.RED.value]
    report = verification.last_report(session)
    at = report.get("at") if report else None
    ok = report.get("ok") if report else None
    return Watch(
        red=len(red),
        unasked=len(RULES) - len(rows),
        since=min((row.since for row in red), default=max((r.since for r in rows), default=None)),
        checked_at=min((row.checked_at for row in rows), default=None),
        verified_ok=ok if isinstance(ok, bool) else None,
        verified_at=datetime.fromisoformat(at) if isinstance(at, str) else None,
        signed_at=session.scalar(select(func.max(Checkpoint.at))),
        unsigned=_unsigned(session),
    )


def _unsigned(session: Session) -> int:
    """Count the rows that were linked since each chain was last signed."""
    lengths = select(ChainLink.chain, func.max(ChainLink.seq)).group_by(ChainLink.chain)
    signed = select(Checkpoint.chain, func.max(Checkpoint.seq)).group_by(Checkpoint.chain)
    known = {chain: length for chain, length in session.execute(signed)}  # noqa: C416  # rows are no pairs
    return sum(length - known.get(chain, 0) for chain, length in session.execute(lengths))


def first_bad_seq(session: Session) -> int | None:
    """Find the first place of the audit chain that contradicts what was signed, or what was last proved.

    Transaction: caller's, reads only.
    """
    same = (ChainLink.chain == Checkpoint.chain) & (ChainLink.seq == Checkpoint.seq)
    statement = select(func.min(Checkpoint.seq)).outerjoin(ChainLink, same)
    wrong = ChainLink.hash.is_(None) | (ChainLink.hash != Checkpoint.hash)
    signed = session.scalar(statement.where(Checkpoint.chain == "audit", wrong))
    proved = [_seq_in(session, said) for said in _bad(session, "audit_rows", "audit_chain")]
    return min((seq for seq in (signed, *proved) if seq is not None), default=None)


def _bad(session: Session, *names: str) -> list[str]:
    report = verification.last_report(session) or {}
    found = report.get("checks")
    checks = found if isinstance(found, list) else []
    return [
        str(each["firstBad"])
        for each in checks
        if isinstance(each, dict) and each.get("name") in names and each.get("firstBad")
    ]


def _seq_in(session: Session, said: str) -> int | None:
    """Read from a proof's sentence which place of the chain it is about."""
    if (place := _LINK.search(said)) is not None:
        return int(place[1])
    if (row := _ROW.search(said)) is None:
        return None
    own = (ChainLink.chain == "audit", ChainLink.row_id == row[0])
    return session.scalar(select(ChainLink.seq).where(*own))


def is_whole(session: Session) -> bool | None:
    """Tell whether the audit chain is what it should be: proved, and as it was signed; None: not proved yet.

    Transaction: caller's, reads only.
    """
    if verification.last_report(session) is None:
        return None
    names = ("audit_rows", "audit_chain", "checkpoints")
    return first_bad_seq(session) is None and not _bad(session, *names)


def wire(found: Standing) -> dict[str, Json]:
    """Write a rule as the API answers it. ok: None before it was first asked."""
    row = found.row
    held: list[Json] = [
        {"scope": each.scope, "scopeId": each.scope_id or None, "freezeId": each.id}
        for each in found.freezes
    ]
    widest = found.freezes[0] if found.freezes else None
    return {
        "name": found.rule.name,
        "label": found.rule.label,
        "ok": None if row is None else not found.is_red,
        "at": clock.rfc3339(row.checked_at) if row else None,
        "since": clock.rfc3339(row.since) if row else None,
        "scope": widest.scope if widest else None,
        "scopeId": (widest.scope_id or None) if widest else None,
        "offending": row.offending if row else [],
        "freezeId": widest.id if widest else None,
        "freezes": held,
        "caseId": row.case_id if row else None,
    }


def checkpoint_wire(row: Checkpoint) -> dict[str, Json]:
    """Write a checkpoint as the API answers it; `statement` is the very text that was signed."""
    return {
        "chain": row.chain,
        "seq": row.seq,
        "hash": row.hash,
        "signature": row.signature,
        "at": clock.rfc3339(row.at),
        "keyId": row.key_id,
        "statement": checkpoints.of_row(row).text,
    }
