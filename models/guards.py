"""What the database itself refuses: edits of append-only tables, unbalanced entries, changed approvals.

One function creates the triggers after every migration (SQLite's batch migrations drop them without
a word) and one names those that are missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import Connection, inspect, text

from core import entry_kinds, hashing
from core.entry_kinds import Tie
from models import period_guards, statement_guards
from models.control import Approval
from models.events import EventLog

APPEND_ONLY = (
    "journal_entries",
    "postings",
    "journal_seals",
    "audit_log",
    "chain_links",
    "state_changes",
    "inbound_attempts",
    "period_balances",
    "bank_statements",
)
# Every key by which REPLACE finds a row to put another in its place.
_KEYS = {
    "journal_entries": (
        "id = new.id or source_key = new.source_key or reverses_id = new.reverses_id"
        " or resolves_id = new.resolves_id"
    ),
    "postings": "entry_id = new.entry_id and line = new.line",
    "journal_seals": "entry_id = new.entry_id",
    "audit_log": "id = new.id",
    "chain_links": "chain = new.chain and (seq = new.seq or row_id = new.row_id)",
    "state_changes": "id = new.id",
    "inbound_attempts": (
        "id = new.id or (inbound_id = new.inbound_id and no = new.no)"
        " or replay_key = new.replay_key"
    ),
    "period_balances": (
        "closing_id = new.closing_id and address = new.address and asset = new.asset"
    ),
    "bank_statements": "id = new.id or file_sha256 = new.file_sha256",
}
_UNBALANCED = """select 1 from (select asset, sum(amount_minor) as total from postings
  where entry_id = new.entry_id group by asset) as sums where total <> 0"""
_SHORT = "(select count(*) from postings where entry_id = new.entry_id)"


# What an approval may still gain; all that was asked for stays as it was.
_DECISION = (
    "state open_key decided_by decided_person decided_reason decided_at executed_at result"
).split()
_OVER = "old.state in ('executed', 'refused', 'expired', 'cancelled')"
# A request begins as one, and who has decided is never exchanged.
_DECIDED_AT_ONCE = "new.state <> 'pending' or new.decided_by is not null or new.open_key is null"
_DECIDED_BY = ("decided_by", "decided_person", "decided_at")


def _lacks_a_tie() -> str:
    """Write when an entry is refused: its kind is unknown, or it lacks what its kind needs."""
    known = ", ".join(f"'{kind}'" for kind in entry_kinds.KINDS)
    found = [f"new.kind not in ({known})"]
    for tie in Tie:
        kinds = ", ".join(f"'{kind}'" for kind in entry_kinds.kinds_that_need(tie))
        if kinds:
            found.append(f"(new.{tie.value} is null and new.kind in ({kinds}))")
    return " or ".join(found)


# The name says what the table of kinds said, so that a database which knows another table is noticed.
_TIED = f"guard_journal_entries_ties_{hashing.sha256(_lacks_a_tie().encode())[:8]}"


def _changed_beside_seq() -> str:
    columns = (column.name for column in EventLog.__table__.columns)
    return " or ".join(f"new.{name} is not old.{name}" for name in columns if name != "seq")


def _decider_changed(differs: str) -> str:
    changed = " or ".join(f"new.{name} {differs} old.{name}" for name in _DECIDED_BY)
    return f"(old.decided_by is not null and ({changed}))"


def _asked_changed() -> str:
    columns = (column.name for column in Approval.__table__.columns)
    return " or ".join(f"new.{name} is not old.{name}" for name in columns if name not in _DECISION)


def _sqlite() -> Iterator[tuple[str, str]]:
    for table in APPEND_ONLY:
        for act in ("update", "delete"):
            name = f"guard_{table}_{act}"
            yield (
                name,
                f"create trigger {name} before {act} on {table} begin"
                f" select raise(abort, '{table} is append-only'); end",
            )
        # Without recursive_triggers, BEFORE DELETE does not see the delete inside INSERT OR REPLACE.
        name = f"guard_{table}_replace"
        yield (
            name,
            f"create trigger {name} before insert on {table}"
            f" when exists (select 1 from {table} where {_KEYS[table]}) begin"
            f" select raise(abort, '{table} is append-only'); end",
        )
    yield (
        "guard_journal_seals_balance",
        "create trigger guard_journal_seals_balance before insert on journal_seals begin"
        f" select raise(abort, 'the entry does not balance') where exists ({_UNBALANCED});"
        f" select raise(abort, 'an entry needs two postings') where {_SHORT} < 2;"
        f" select raise(abort, 'the seal miscounts') where {_SHORT} <> new.postings; end",
    )
    yield (
        _TIED,
        f"create trigger {_TIED} before insert on journal_entries when {_lacks_a_tie()} begin"
        " select raise(abort, 'the entry lacks what its kind must carry'); end",
    )
    yield (
        "guard_postings_sealed",
        "create trigger guard_postings_sealed before insert on postings"
        " when exists (select 1 from journal_seals where entry_id = new.entry_id)"
        " or typeof(new.amount_minor) <> 'integer' begin"
        " select raise(abort, 'the entry is sealed'); end",
    )
    yield (
        "guard_event_log_update",
        "create trigger guard_event_log_update before update on event_log"
        f" when old.seq is not null or new.seq is null or {_changed_beside_seq()}"
        " begin select raise(abort, 'event_log is append-only'); end",
    )
    yield (
        "guard_event_log_replace",
        "create trigger guard_event_log_replace before insert on event_log"
        " when exists (select 1 from event_log where id = new.id or seq = new.seq) begin"
        " select raise(abort, 'event_log is append-only'); end",
    )
    yield from _sqlite_approvals()
    yield from period_guards.sqlite()
    yield from statement_guards.sqlite()


def _sqlite_approvals() -> Iterator[tuple[str, str]]:
    yield (
        "guard_approvals_update",
        "create trigger guard_approvals_update before update on approvals"
        f" when {_OVER} or {_decider_changed('is not')} or {_asked_changed()}"
        " or exists (select 1 from approvals where open_key = new.open_key and id <> old.id)"
        " begin select raise(abort, 'what an approval is bound to never changes'); end",
    )
    yield (
        "guard_approvals_insert",
        f"create trigger guard_approvals_insert before insert on approvals when {_DECIDED_AT_ONCE}"
        " begin select raise(abort, 'an approval begins as a request'); end",
    )
    yield (
        "guard_approvals_delete",
        "create trigger guard_approvals_delete before delete on approvals"
        " begin select raise(abort, 'approvals are kept'); end",
    )
    yield (
        "guard_approvals_replace",
        "create trigger guard_approvals_replace before insert on approvals"
        " when exists (select 1 from approvals where id = new.id or open_key = new.open_key)"
        " begin select raise(abort, 'approvals are kept'); end",
    )


_REFUSE = """create or replace function paydesk_refuse() returns trigger language plpgsql as
$$ begin raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation'; end $$"""
_SEAL = f"""create or replace function paydesk_seal() returns trigger language plpgsql as $$ begin
  if exists ({_UNBALANCED}) then
    raise exception 'the entry does not balance' using errcode = 'check_violation'; end if;
  if {_SHORT} < 2 then
    raise exception 'an entry needs two postings' using errcode = 'check_violation'; end if;
  if {_SHORT} <> new.postings then
    raise exception 'the seal miscounts' using errcode = 'check_violation'; end if;
  return new; end $$"""
_SEALED = """create or replace function paydesk_sealed() returns trigger language plpgsql as $$ begin
  if exists (select 1 from journal_seals where entry_id = new.entry_id) then
    raise exception 'the entry is sealed' using errcode = 'restrict_violation'; end if;
  return new; end $$"""
_TIES = f"""create or replace function paydesk_tied() returns trigger language plpgsql as $$ begin
  if {_lacks_a_tie()} then
    raise exception 'the entry lacks what its kind must carry' using errcode = 'check_violation'; end if;
  return new; end $$"""
_NUMBERED = """create or replace function paydesk_numbered() returns trigger language plpgsql as $$ begin
  if old.seq is not null or new.seq is null or to_jsonb(new) - 'seq' <> to_jsonb(old) - 'seq' then
    raise exception 'event_log is append-only' using errcode = 'restrict_violation'; end if;
  return new; end $$"""


_BOUND = f"""create or replace function paydesk_bound() returns trigger language plpgsql as $$ begin
  if {_OVER} or {_decider_changed("is distinct from")} or to_jsonb(new) - array[{", ".join(f"'{name}'" for name in _DECISION)}]
      <> to_jsonb(old) - array[{", ".join(f"'{name}'" for name in _DECISION)}] then
    raise exception 'what an approval is bound to never changes'
      using errcode = 'restrict_violation'; end if;
  return new; end $$"""

_REQUEST = f"""create or replace function paydesk_request() returns trigger language plpgsql as $$ begin
  if {_DECIDED_AT_ONCE} then
    raise exception 'an approval begins as a request' using errcode = 'restrict_violation'; end if;
  return new; end $$"""


def _postgresql() -> Iterator[tuple[str, str]]:
    for table in APPEND_ONLY:
        name = f"guard_{table}"
        yield (
            name,
            f"create trigger {name} before update or delete on {table}"
            " for each row execute function paydesk_refuse()",
        )
        yield (
            f"{name}_truncate",
            f"create trigger {name}_truncate before truncate on {table}"
            " for each statement execute function paydesk_refuse()",
        )
    yield (
        "guard_event_log_truncate",
        "create trigger guard_event_log_truncate before truncate on event_log"
        " for each statement execute function paydesk_refuse()",
    )
    yield (
        "guard_event_log_numbered",
        "create trigger guard_event_log_numbered before update on event_log"
        " for each row execute function paydesk_numbered()",
    )
    yield (
        "guard_journal_seals_balance",
        "create trigger guard_journal_seals_balance before insert on journal_seals"
        " for each row execute function paydesk_seal()",
    )
    yield (
        _TIED,
        f"create trigger {_TIED} before insert on journal_entries"
        " for each row execute function paydesk_tied()",
    )
    yield (
        "guard_postings_sealed",
        "create trigger guard_postings_sealed before insert on postings"
        " for each row execute function paydesk_sealed()",
    )
    yield (
        "guard_approvals_update",
        "create trigger guard_approvals_update before update on approvals"
        " for each row execute function paydesk_bound()",
    )
    yield (
        "guard_approvals_insert",
        "create trigger guard_approvals_insert before insert on approvals"
        " for each row execute function paydesk_request()",
    )
    yield (
        "guard_approvals_delete",
        "create trigger guard_approvals_delete before delete on approvals"
        " for each row execute function paydesk_refuse()",
    )
    yield (
        "guard_approvals_truncate",
        "create trigger guard_approvals_truncate before truncate on approvals"
        " for each statement execute function paydesk_refuse()",
    )
    yield from period_guards.postgresql()
    yield from statement_guards.postgresql()


_GUARDED = re.compile(r"^create trigger \w+ before [a-z ]+ on (\w+)")
_TABLE_OF = "select tgrelid::regclass::text from pg_trigger where tgname = :name"


def expected(dialect: str) -> dict[str, str]:
    """Give the triggers of a dialect: name → the statement that creates it."""
    return dict(_sqlite() if dialect == "sqlite" else _postgresql())


def install(connection: Connection) -> None:
    """Create every guard anew. Transaction: caller's."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        functions = (_REFUSE, _SEAL, _SEALED, _TIES, _NUMBERED, _BOUND, _REQUEST)
        for function in (*functions, period_guards.FUNCTION, statement_guards.FUNCTION):
            connection.execute(text(function))
    tables = set(inspect(connection).get_table_names())
    for name in _present(connection) - set(expected(dialect)):
        if name.startswith("guard_"):
            _drop(connection, name)  # what an earlier version guarded otherwise
    for name, statement in expected(dialect).items():
        if _GUARDED.search(statement)[1] not in tables:  # type: ignore[index]  # every one names its table
            continue  # a migration that has not come to it yet
        if name == _TIED and not _has_ties(connection):
            continue
        _drop(connection, name)
        connection.exec_driver_sql(statement)


def _has_ties(connection: Connection) -> bool:
    columns = {column["name"] for column in inspect(connection).get_columns("journal_entries")}
    return columns >= {tie.value for tie in Tie}


def _drop(connection: Connection, name: str) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text(f"drop trigger if exists {name}"))
        return
    table = connection.scalar(text(_TABLE_OF), {"name": name})
    if table is not None:
        connection.execute(text(f"drop trigger {name} on {table}"))


def _present(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        query = "select name from sqlite_master where type = 'trigger'"
    else:
        query = "select tgname from pg_trigger where not tgisinternal and tgenabled in ('O', 'A')"
    return set(connection.scalars(text(query)))


def missing(connection: Connection) -> list[str]:
    """Name the guards that the database lacks or has switched off; read from its catalogue."""
    return sorted(set(expected(connection.dialect.name)) - _present(connection))
