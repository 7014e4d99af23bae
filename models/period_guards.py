"""What the database refuses of closings: what was known and signed when a month was closed never changes."""

from __future__ import annotations

from collections.abc import Iterator

from models.periods import PeriodClosing

# What a closing may still gain: its certificate, printed anew when the month is reopened, and that mark.
_CERTIFICATE = ("certificate_sha256", "certificate_due_at", "certificate_attempts")
_PRINTED = ("certificate", *_CERTIFICATE, "certificate_error")
_MARK = ("reopened_at", "reopened_by", "reopen_agreed_by", "reopen_reason")


def _changed() -> str:
    columns = (column.name for column in PeriodClosing.__table__.columns)
    kept = (name for name in columns if name not in (*_PRINTED, *_MARK))
    return " or ".join(f"new.{name} is not old.{name}" for name in kept)


def _marked_again(differs: str) -> str:
    changed = " or ".join(f"new.{name} {differs} old.{name}" for name in _MARK)
    return f"(old.reopened_at is not null and ({changed}))"


def _sqlite(act: str, does: str) -> tuple[str, str]:
    name = f"guard_period_closings_{act}"
    before = {"replace": "insert"}.get(act, act)
    return name, f"create trigger {name} before {before} on period_closings {does}; end"


def sqlite() -> Iterator[tuple[str, str]]:
    """Give the triggers of SQLite: name, and the statement that creates it."""
    changes = f"{_marked_again('is not')} or {_changed()}"
    refuse = "begin select raise(abort, 'what a closing says never changes')"
    found = (
        "when exists (select 1 from period_closings"
        " where id = new.id or (period_id = new.period_id and no = new.no))"
    )
    yield _sqlite("update", f"when {changes} {refuse}")
    yield _sqlite("delete", refuse)
    yield _sqlite("replace", f"{found} {refuse}")


_KEPT = ", ".join(f"'{name}'" for name in (*_PRINTED, *_MARK))
FUNCTION = f"""create or replace function paydesk_closing() returns trigger language plpgsql as $$ begin
  if {_marked_again("is distinct from")}
      or to_jsonb(new) - array[{_KEPT}] <> to_jsonb(old) - array[{_KEPT}] then
    raise exception 'what a closing says never changes'
      using errcode = 'restrict_violation'; end if;
  return new; end $$"""


def _postgresql(act: str, each: str, function: str) -> tuple[str, str]:
    name = f"guard_period_closings_{act}"
    run = f"for each {each} execute function {function}()"
    return name, f"create trigger {name} before {act} on period_closings {run}"


def postgresql() -> Iterator[tuple[str, str]]:
    """Give the triggers of PostgreSQL: name, and the statement that creates it."""
    yield _postgresql("update", "row", "paydesk_closing")
    yield _postgresql("delete", "row", "paydesk_refuse")
    yield _postgresql("truncate", "statement", "paydesk_refuse")
