"""Chains proved against what was signed: in the table, in the files outside the database, and between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import hashing
from domain.books import chains
from domain.watch import checkpoints
from domain.watch.checkpoint_files import Line, Statement
from models.audit import ChainLink
from models.watch import Checkpoint


@dataclass(frozen=True)
class Both:
    """One place of a chain: what the table says was signed there, and what the files say."""

    row: Statement | None
    line: Statement | None
    is_ours: bool = False

    @property
    def said(self) -> Statement:
        """The statement, by whichever has it; the file's own before the table's."""
        found = self.line or self.row
        assert found is not None  # made of at least one
        return found


_EARLIER = "checkpoint_lines"


def look_ahead(session: Session) -> None:
    """Read the files before the session's first statement: what is signed after it is not missing in it."""
    session.info[_EARLIER] = _lines()


def _lines() -> list[Line]:
    keeper = checkpoints.find_keeper()
    return list(keeper.lines()) if keeper else []


def signed(session: Session) -> Iterator[str | None]:
    """Check that each chain is what was signed of it, and that no checkpoint was changed or taken away."""
    lines = _lines()
    for chain in chains.CHAINS:
        placed = _placed(session, chain, lines)
        yield from _against_chain(session, chain, placed)
        yield from _against_each_other(chain, placed)
    for line in lines:
        if line.statement is None and not line.is_torn:
            yield f"{line.place} of the checkpoints cannot be read"


def _placed(session: Session, chain: str, lines: list[Line]) -> dict[int, Both]:
    keeper = checkpoints.find_keeper()
    name = keeper.name if keeper else None
    rows = session.scalars(
        select(Checkpoint).where(Checkpoint.chain == chain).order_by(Checkpoint.seq)
    ).all()
    of_table = {row.seq: checkpoints.of_row(row) for row in rows}
    ours = {row.seq for row in rows if row.written_to == name}
    of_files = _of_chain(lines, chain)
    earlier = _of_chain(session.info.get(_EARLIER, lines), chain)
    # What was signed since is in neither table nor chain as this session sees them.
    of_files = {seq: each for seq, each in of_files.items() if seq in earlier or seq in of_table}
    return {
        seq: Both(of_table.get(seq), of_files.get(seq), seq in ours)
        for seq in sorted(of_table.keys() | of_files.keys())
    }


def _of_chain(lines: list[Line], chain: str) -> dict[int, Statement]:
    read = (line.statement for line in lines)
    return {each.seq: each for each in read if each is not None and each.chain == chain}


def _against_chain(session: Session, chain: str, placed: dict[int, Both]) -> Iterator[str | None]:
    """Compare the chain with what was signed; the first difference lies after the last that agrees."""
    own = (ChainLink.chain == chain, ChainLink.seq.in_(select(Checkpoint.seq)))
    statement = select(ChainLink.seq, ChainLink.hash).where(*own)
    now = {seq: found for seq, found in session.execute(statement)}  # noqa: C416  # rows are no pairs
    good = 0
    for seq, both in placed.items():
        found = now.get(seq) or _hash_at(session, chain, seq)
        if found == both.said.hash:
            good = seq
            yield None
        elif found is None:
            yield f"the {chain} chain ends before row {seq}, which was signed at {both.said.at}"
        else:
            first = _row_at(session, chain, good + 1)
            yield (
                f"the {chain} chain was rewritten after it was signed at {both.said.at}: the first"
                f" changed row is one of {good + 1} ({first}) to {seq} ({_row_at(session, chain, seq)})"
            )


def _hash_at(session: Session, chain: str, seq: int) -> str | None:
    own = (ChainLink.chain == chain, ChainLink.seq == seq)
    return session.scalar(select(ChainLink.hash).where(*own))


def _row_at(session: Session, chain: str, seq: int) -> str:
    own = (ChainLink.chain == chain, ChainLink.seq == seq)
    return session.scalar(select(ChainLink.row_id).where(*own)) or "gone"


def _against_each_other(chain: str, placed: dict[int, Both]) -> Iterator[str | None]:
    last_row = max((seq for seq, both in placed.items() if both.row), default=0)
    last_line = max((seq for seq, both in placed.items() if both.line), default=0)
    previous, has_keys = hashing.GENESIS, checkpoints.find_keeper() is not None
    for seq, both in placed.items():
        # A process that was killed between the two leaves the file one ahead of the table.
        is_ahead = both.row is None and seq == last_line and seq > last_row
        is_elsewhere = both.line is None and seq > last_line and not both.is_ours
        if both.row is None and not is_ahead:
            yield f"the table of checkpoints lacks {chain} {seq}, which a file has"
        elif both.line is None and not is_elsewhere:
            yield f"the files of checkpoints lack {chain} {seq}, which the table has"
        elif both.row is not None and both.line is not None and both.row != both.line:
            yield f"checkpoint {chain} {seq} is not the same in table and file"
        elif has_keys and not checkpoints.is_genuine(both.said):
            yield f"checkpoint {chain} {seq} is not signed by a key of ours ({both.said.key_id})"
        elif both.said.previous != previous:
            yield f"checkpoint {chain} {seq} does not follow the one before"
        else:
            yield None
        previous = both.said.digest
