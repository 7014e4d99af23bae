"""Signed checkpoints: how long a chain was and how it ended, kept in the database and outside of it.

The owner of the database can rewrite a chain and hash it anew, but not what was signed: the key comes
from `MASTER_KEYS`, which no database holds. `docs/decisions/` says why it is derived.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config import Settings
from core import clock, hashing, ids, signing
from domain import audit, crash, database
from domain.actors import system
from domain.books import chains
from domain.watch import checkpoint_files
from domain.watch.checkpoint_files import FOLDER, Keeper, Statement
from models.audit import ChainLink
from models.watch import Checkpoint

PURPOSE = "checkpoints"
EVERY_ROWS = 1000
EVERY_SECONDS = 300.0
LOCK = 0x7369676E
SIGNER = system("checkpoints")
_held: list[Keeper] = []


def configure(settings: Settings) -> None:
    """Keep this process's checkpoints in its instance folder, signed with its first master key."""
    signers = [signing.derive(key, purpose=PURPOSE) for key in settings.master_keys]
    _held[:] = [Keeper(settings.instance / FOLDER, signers)]


def keeper() -> Keeper:
    """Give the keeper of this process.

    Raises: RuntimeError before `configure`
    """
    if not _held:
        raise RuntimeError("checkpoints have no place yet")
    return _held[0]


def find_keeper() -> Keeper | None:
    """Give the keeper of this process, or None where nobody keeps checkpoints."""
    return _held[0] if _held else None


def newest(session: Session, chain: str) -> Checkpoint | None:
    """Find the last checkpoint of a chain that the database knows."""
    own = select(Checkpoint).where(Checkpoint.chain == chain)
    return session.scalars(own.order_by(Checkpoint.seq.desc()).limit(1)).first()


def is_due(session: Session, chain: str) -> bool:
    """Tell whether a chain grew enough, or long enough ago, to be signed again.

    Transaction: caller's, reads only.
    """
    length, _ = chains.head_of(session, chain)
    last = newest(session, chain)
    if last is None:
        return length > 0
    grown = length - last.seq
    # Whichever way the clock was moved, five minutes from the last one are five minutes.
    age = abs((clock.now() - last.at).total_seconds())
    return grown >= EVERY_ROWS or (grown > 0 and age >= EVERY_SECONDS)


def sign(session: Session, chain: str) -> Statement | None:
    """Sign how a chain stands, outside the database first; None where it contradicts what was signed.

    1. bring file and table to the same, as a kill may have left one behind; 2. write and sync the file;
    3. write the row. Writes: checkpoints, audit_log, a file. Transaction: caller's, alone in it.
    """
    if not database.is_sqlite():
        session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if not is_due(session, chain):
        return None
    known = _brought_together(session, chain)
    if known and not stands(session, known[-1]):
        return None
    seq, newest_hash = chains.head_of(session, chain)
    if known and known[-1].seq >= seq:
        return None
    statement = _made(chain, seq, newest_hash, known[-1].digest if known else hashing.GENESIS)
    keeper().append(statement)
    crash.point("checkpoint.after_file")
    _keep(session, statement)
    return statement


def _made(chain: str, seq: int, newest_hash: str, previous: str) -> Statement:
    signer = keeper().signer
    plain = Statement(chain, seq, newest_hash, previous, checkpoint_files.now(), signer.id)
    return replace(plain, signature=signer.sign(plain.text.encode()))


def is_genuine(statement: Statement) -> bool:
    """Tell whether a key of ours signed a statement."""
    public = keeper().public_of(statement.key_id)
    if public is None:
        return False
    return signing.is_signed(statement.text.encode(), statement.signature, public=public)


def stands(session: Session, statement: Statement) -> bool:
    """Tell whether a chain still has the hash that a statement says.

    Transaction: caller's, reads only.
    """
    own = (ChainLink.chain == statement.chain, ChainLink.seq == statement.seq)
    return session.scalar(select(ChainLink.hash).where(*own)) == statement.hash


def of_row(row: Checkpoint) -> Statement:
    """Read a row as the statement that was signed."""
    return Statement(
        row.chain,
        row.seq,
        row.hash,
        row.previous_hash,
        str(clock.rfc3339(row.at)),
        row.key_id,
        row.signature,
    )


def _keep(session: Session, statement: Statement) -> None:
    session.add(
        Checkpoint(
            id=ids.new("chk"),
            chain=statement.chain,
            seq=statement.seq,
            hash=statement.hash,
            previous_hash=statement.previous,
            key_id=statement.key_id,
            signature=statement.signature,
            at=datetime.fromisoformat(statement.at),
            written_to=keeper().name,
        )
    )
    session.flush()


def _brought_together(session: Session, chain: str) -> list[Statement]:
    """Give the table what only the file has, and the file what only the table has, at their ends.

    What is missing in the middle of either is not brought back: `flask verify` names it.
    """
    rows = session.scalars(select(Checkpoint).where(Checkpoint.chain == chain))
    in_table = sorted(map(of_row, rows), key=lambda each: each.seq)
    in_file = keeper().statements(chain)
    last_row = in_table[-1].seq if in_table else 0
    last_line = in_file[-1].seq if in_file else 0
    unwritten = [each for each in in_file if each.seq > last_row and is_genuine(each)]
    for each in unwritten:
        _keep(session, each)
    unsynced = [each for each in in_table if each.seq > last_line and is_genuine(each)]
    for each in unsynced:
        keeper().append(each)
    if unwritten or unsynced:
        _note_repair(session, chain, rows=len(unwritten), lines=len(unsynced))
    return sorted([*in_table, *unwritten], key=lambda each: each.seq)


def _note_repair(session: Session, chain: str, *, rows: int, lines: int) -> None:
    audit.write(
        session,
        "checkpoint.restore",
        actor=SIGNER,
        object_kind="chain",
        object_id=chain,
        source="checkpoints",
        reason="one of table and file was behind the other",
        after={"rows": rows, "lines": lines},
    )


def public_keys(names: set[str]) -> dict[str, str]:
    """Give the public keys of these names, as PEM, with the one that signs now."""
    wanted = {name: keeper().public_of(name) for name in names | {keeper().signer.id}}
    return {name: signing.to_pem(public) for name, public in wanted.items() if public is not None}


def list_newest(session: Session, *, limit: int = 200) -> list[Checkpoint]:
    """List checkpoints of both chains, newest first.

    Transaction: caller's, reads only.
    """
    newest_first = (Checkpoint.at.desc(), Checkpoint.seq.desc(), Checkpoint.chain)
    return list(session.scalars(select(Checkpoint).order_by(*newest_first).limit(limit)))
