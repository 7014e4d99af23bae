"""Checkpoints outside the database: one line per signed statement in a file per month, appended and synced.

Beside them lie the public keys, so that anybody can check a statement with nothing of ours.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core import clock, hashing, signing
from core.signing import Signer

FOLDER, KEYS = "checkpoints", "keys"
TAIL_BYTES = 65536


@dataclass(frozen=True)
class Statement:
    """What is signed: at this place a chain had this hash. previous: the hash of the statement before.

    text: the very bytes that were signed, as canonical JSON.
    """

    chain: str
    seq: int
    hash: str
    previous: str
    at: str
    key_id: str
    signature: str = ""

    @property
    def text(self) -> str:
        """The canonical JSON that the signature is over."""
        said: dict[str, hashing.Plain] = {
            "at": self.at,
            "chain": self.chain,
            "hash": self.hash,
            "keyId": self.key_id,
            "previous": self.previous,
            "seq": self.seq,
        }
        return hashing.canonical(said).decode()

    @property
    def digest(self) -> str:
        """The hash by which the next statement names this one."""
        return hashing.sha256(self.text.encode())


@dataclass(frozen=True)
class Line:
    """One line of a file. statement: None when it cannot be read; is_torn: it was never finished."""

    place: str
    statement: Statement | None
    is_torn: bool = False


@dataclass(frozen=True)
class Keeper:
    """Where this process keeps checkpoints, and with what it signs; the first signer signs."""

    folder: Path
    signers: Sequence[Signer]

    @property
    def name(self) -> str:
        """The folder as every machine can tell it from its own."""
        return f"{socket.gethostname()}:{self.folder.resolve()}"

    @property
    def signer(self) -> Signer:
        """Who signs now."""
        return self.signers[0]

    def lines(self) -> Iterator[Line]:
        """Read every file, oldest month first."""
        for path in sorted(self.folder.glob("*.jsonl")):
            body = path.read_bytes()
            rows = body.split(b"\n")
            # What follows the last newline was not finished when its writer was killed.
            for number, row in enumerate(rows[:-1], 1):
                yield Line(f"{path.name} line {number}", _read(row))
            if rows[-1]:
                yield Line(f"{path.name} line {len(rows)}", None, is_torn=True)

    def statements(self, chain: str) -> list[Statement]:
        """Give what the files say of a chain, by their place in it."""
        found = (line.statement for line in self.lines())
        own = {each.seq: each for each in found if each is not None and each.chain == chain}
        return [own[seq] for seq in sorted(own)]

    def newest(self, chain: str) -> Statement | None:
        """Give the last statement of a chain from the end of the last file, without reading all of them."""
        paths = sorted(self.folder.glob("*.jsonl"))
        if not paths:
            return None
        with paths[-1].open("rb") as body:
            body.seek(max(0, paths[-1].stat().st_size - TAIL_BYTES))
            rows = body.read().split(b"\n")[:-1]
        found = (_read(row) for row in reversed(rows))
        return next((each for each in found if each is not None and each.chain == chain), None)

    def append(self, statement: Statement) -> None:
        """Write a statement and wait until it is on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keep_key(self.signer)
        path = self.folder / f"{statement.at[:7]}.jsonl"
        said = {"statement": statement.text, "signature": statement.signature}
        row = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(descriptor, _finished(descriptor))
            os.lseek(descriptor, 0, os.SEEK_END)
            os.write(descriptor, row)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync(self.folder)

    def keep_key(self, signer: Signer) -> None:
        """Keep a public key beside the statements, once; one that is there is never written over."""
        path = self.folder / KEYS / f"{signer.id}.pem"
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(signing.to_pem(signer.public), encoding="ascii")
        draft.rename(path)
        _sync(path.parent)

    def public_of(self, key_id: str) -> bytes | None:
        """Find a public key: one of our own, or one that was kept, if it is the one its name says."""
        for signer in self.signers:
            if signer.id == key_id:
                return signer.public
        path = self.folder / KEYS / f"{key_id}.pem"
        if not key_id.isalnum() or not path.is_file():
            return None
        try:
            public = signing.from_pem(path.read_text(encoding="ascii"))
        except (ValueError, OSError):
            return None
        return public if signing.key_id(public) == key_id else None


def _finished(descriptor: int) -> int:
    """Say how long a file is up to its last whole line; a line that a kill cut off is dropped."""
    size = os.fstat(descriptor).st_size
    body = os.pread(descriptor, min(size, TAIL_BYTES), max(0, size - TAIL_BYTES))
    return size - (len(body) - body.rfind(b"\n") - 1)


def _read(row: bytes) -> Statement | None:
    try:
        line = json.loads(row)
        said = json.loads(line["statement"])
        read = Statement(
            chain=str(said["chain"]),
            seq=int(said["seq"]),
            hash=str(said["hash"]),
            previous=str(said["previous"]),
            at=str(said["at"]),
            key_id=str(said["keyId"]),
            signature=str(line["signature"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
    return read if read.text == line["statement"] else None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def now() -> str:
    """Give the instant that a statement bears."""
    return str(clock.rfc3339(clock.now()))
