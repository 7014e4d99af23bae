"""What the database refuses of bank lines: what a bank said never changes and is never dropped."""

from __future__ import annotations

from collections.abc import Iterator

from models.statements import BankLine

# What people and we add to a line, and under whose key its other side is sealed.
_OURS = (
    *("counterparty_sealed", "state", "payment_id", "payout_id", "refund_id", "match_no"),
    *("matched_by", "matched_at", "note", "entry_id", "looked_at"),
)
_SAID = tuple(
    column.name for column in BankLine.__table__.columns if column.name not in (*_OURS, "id")
)
_MESSAGE = "what a bank said never changes"
# A line that a person typed becomes the bank's when a statement brings it.
_IS_THE_BANKS = "old.statement_id is not null"
_AMOUNT = ("account", "line_key", "asset", "amount_minor")


def _changed(names: tuple[str, ...], differs: str) -> str:
    return " or ".join(f"new.{name} {differs} old.{name}" for name in names)


def _refused(differs: str) -> str:
    return (
        f"new.id <> old.id or ({_IS_THE_BANKS} and ({_changed(_SAID, differs)}))"
        f" or {_changed(_AMOUNT, differs)}"
    )


def sqlite() -> Iterator[tuple[str, str]]:
    """Give the triggers of SQLite: name, and the statement that creates it."""
    refuse = f"begin select raise(abort, '{_MESSAGE}'); end"
    found = (
        "when exists (select 1 from bank_lines where id = new.id"
        " or (account = new.account and line_key = new.line_key) or payout_id = new.payout_id)"
    )
    for act, begin, condition in (
        ("update", "update", f"when {_refused('is not')}"),
        ("delete", "delete", f"when {_IS_THE_BANKS}"),
        ("replace", "insert", found),
    ):
        name = f"guard_bank_lines_{act}"
        yield name, f"create trigger {name} before {begin} on bank_lines {condition} {refuse}"


_RAISE = f"raise exception '{_MESSAGE}' using errcode = 'restrict_violation'; end if;"
FUNCTION = f"""create or replace function paydesk_bank_line() returns trigger language plpgsql as $$ begin
  if tg_op = 'DELETE' then
    if {_IS_THE_BANKS} then {_RAISE}
    return old; end if;
  if {_refused("is distinct from")} then {_RAISE}
  return new; end $$"""


def postgresql() -> Iterator[tuple[str, str]]:
    """Give the triggers of PostgreSQL."""
    run = "execute function paydesk_bank_line()"
    for act in ("update", "delete"):
        name = f"guard_bank_lines_{act}"
        yield name, f"create trigger {name} before {act} on bank_lines for each row {run}"
    name = "guard_bank_lines_truncate"
    refuse = "execute function paydesk_refuse()"
    yield name, f"create trigger {name} before truncate on bank_lines for each statement {refuse}"
