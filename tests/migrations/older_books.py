"""Books as the version before this one left them: its own rows, of every story of money it could play.

`older_books.json.xz` was written by the code of revision 0003, which had just played `tests/domain/stories.py`
and proved what it left; times, JSON and bytes are marked, all else is plain. Sealed addresses are sealed
anew with this installation's key, since the key of then is gone.
"""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, text

from domain import database
from domain.secrets import keyring
from tests.domain.tampering import unguarded

ROWS = Path(__file__).with_name("older_books.json.xz")
REVISION = "0003"
HOUSE = "mer_house"
# Whose letters go out in the tests.
READERS = ("usr_bo", "usr_eve")


def load() -> None:
    """Write the rows into a database of that revision, past its guards, which know no row that is not new."""
    written = json.loads(lzma.decompress(ROWS.read_bytes()))
    with unguarded(database.engine()) as connection:
        house = connection.scalar(text("select id from merchants where is_house"))
        known = MetaData()
        known.reflect(connection, only=list(written))
        for table in known.sorted_tables:
            if table.name in written:
                _write(connection, table, written[table.name], str(house))


def _write(connection: Connection, table: Table, rows: list[dict[str, object]], house: str) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    ready = []
    for row in rows:
        said = {name: _value(value, house, is_sqlite=is_sqlite) for name, value in row.items()}
        if table.name == "users" and row["id"] in READERS:
            place = f"users|email|{row['id']}"
            said["email_sealed"] = keyring.seal_text(
                f"{row['id']}@example.com", purpose="email", place=place
            )
        ready.append(said)
    for said in ready:
        connection.execute(table.insert(), said)


def _value(value: object, house: str, *, is_sqlite: bool) -> object:
    if value == HOUSE:
        return house
    if not isinstance(value, Mapping):
        return value
    [(kind, said)] = value.items()
    if kind == "at":
        at = datetime.fromisoformat(said)
        return at.replace(tzinfo=None) if is_sqlite else at
    return base64.b64decode(said) if kind == "bytes" else said
