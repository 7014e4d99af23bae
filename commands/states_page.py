"""The page `docs/states.md`, drawn from core/states.py; says nothing that is not in those tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.states import ESCROW_ON_API, MAPPING_VERSION, MOVES, ON_DESK, ORDER_ON_API, lifecycle
from core.states import Payment as Status

_TITLES = {
    "payment": "Payment, `status`",
    "payment_sub": "Payment, sub-state",
    "escrow": "Payment, `escrow_state`",
    "order": "Order",
    "operation": "Operation (one act asked of a provider)",
    "inbound": "Inbound event",
    "case": "Exception case",
    "approval": "Approval (an act that waits for a second person)",
    "freeze": "Freeze",
    "refund": "Refund",
    "case_rule": "Rule of the exception desk",
    "secret_version": "Secret version",
    "mail": "Mail",
    "user": "Person",
}
_HEAD = """\
# States

<!-- Written by `flask --app wsgi states-write` from core/states.py. Change the tables there. -->

Stored values are lower_snake. `domain/transitions.py` is the only code that moves a state: along one
of these moves, or not at all. Staying put is always legal and writes nothing.
"""


def page() -> str:
    """Draw the whole page."""
    parts = [_HEAD]
    for kind, moves in MOVES.items():
        parts.append("\n".join(_moves(_TITLES.get(kind, kind), moves)))
    parts += ["\n".join(_lifecycle()), "\n".join(_spelling())]
    return "\n".join(parts)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _words(words: Iterator[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _moves(title: str, moves: Mapping[str, frozenset[str]]) -> Iterator[str]:
    yield f"## {title}\n"
    if len({frozenset(new | {old}) for old, new in moves.items()}) == 1:
        yield f"{_words(iter(moves))}. Each may follow any other.\n"
        return
    yield _row("from", "to")
    yield "|---|---|"
    for old, new in moves.items():
        # In the table's own order, so that the page does not change by itself.
        following = _words(word for word in moves if word in new)
        yield _row(f"`{old}`", following or "– (end)")
    yield ""


def _lifecycle() -> Iterator[str]:
    yield "## Payment, `lifecycle`\n"
    yield f"Derived, never written; mapping version {MAPPING_VERSION}.\n"
    yield _row("status", "lifecycle")
    yield "|---|---|"
    for status in Status:
        yield _row(f"`{status}`", lifecycle(status, None).value)
    yield _row("`failed` with reason `expired`", lifecycle(Status.FAILED, "expired").value)
    yield ""


def _spelling() -> Iterator[str]:
    yield "## Spelling\n"
    yield _row("thing", "stored", "API", "desk")
    yield "|---|---|---|---|"
    for order, api in ORDER_ON_API.items():
        yield _row("order", f"`{order}`", api, ON_DESK["order"][order])
    for status in Status:
        yield _row("payment", f"`{status}`", status, ON_DESK["payment"][status])
    for escrow, api in ESCROW_ON_API.items():
        yield _row("escrow", f"`{escrow}`", api, "–")
    yield ""
