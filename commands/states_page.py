"""The page `docs/states.md`, drawn from core/states.py and core/money_out.py; says nothing beyond them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.money_out import APPROVAL_SECONDS, LIMITS, RULES, STEP_UP_SECONDS, Rule, Second
from core.permissions import HOLDERS, SCOPES, Permission
from core.states import (
    ESCROW_ON_API,
    MAPPING_VERSION,
    MOVES,
    ON_DESK,
    ORDER_ON_API,
    Role,
    lifecycle,
)
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
    "card": "Kept card",
    "case_rule": "Rule of the exception desk",
    "secret_version": "Secret version",
    "mail": "Mail",
    "user": "Person",
    "invoice": "Invoice",
    "document": "Document (an invoice or credit note as it is printed)",
    "period": "Period",
    "reconciliation": "Reconciliation run",
}
_HEAD = """\
# States

<!-- Written by `flask --app wsgi states-write` from core/states.py and core/money_out.py. Change the tables
     there. -->

Stored values are lower_snake. `domain/transitions.py` is the only code that moves a state: along one
of these moves, or not at all. Staying put is always legal and writes nothing.
"""


def page() -> str:
    """Draw the whole page."""
    parts = [_HEAD]
    for kind, moves in MOVES.items():
        parts.append("\n".join(_moves(_TITLES.get(kind, kind), moves)))
    parts += ["\n".join(_lifecycle()), "\n".join(_spelling()), "\n".join(_money_out())]
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


_SECOND = {
    Second.ALWAYS: "always",
    Second.ABOVE_THRESHOLD: "above the threshold",
    Second.WHEN_GRANTING: "for granting rights of staff",
}


def _money_out() -> Iterator[str]:
    minutes, hours = STEP_UP_SECONDS // 60, APPROVAL_SECONDS // 3600
    yield "## Money out: who may do what\n"
    yield (
        "`domain/control/money_out.py` is the only door. Over the API an act is only ever requested, whatever the\n"
        "amount. Whoever agrees is another person, on the desk, who has shown a second factor within\n"
        f"{minutes} minutes. A request waits for {hours} hours and is void when what it is bound to changes.\n"
        f"Thresholds unless the operator sets others: {LIMITS.replace(',', ', ').replace(':', ' ')};\n"
        "in any other currency every amount is above. What one person sends back of a payment in several\n"
        "refunds is counted together.\n"
    )
    head = ("act", "asks on the desk", "requests over the API", "second person", "who agrees")
    yield _row(*head, "asker proves themselves", "held by a freeze")
    yield "|---|---|---|---|---|---|---|"
    for act, rule in RULES.items():
        yield _row(f"{rule.label} (`{act}`)", *_rule(rule))
    yield ""


def _rule(rule: Rule) -> Iterator[str]:
    yield _roles(rule.asks) + _above(rule)
    yield _roles(rule.requests) + _keys(rule.requests)
    yield _SECOND[rule.second]
    yield _roles(rule.agrees)
    yield "yes" if rule.asker_steps_up else "no"
    yield "yes" if rule.is_held_by_freeze else "no"


def _above(rule: Rule) -> str:
    if rule.asks_above is None:
        return ""
    still = [role.value for role in Role if role in HOLDERS[rule.asks] & HOLDERS[rule.asks_above]]
    return f"; above the threshold {', '.join(still)}"


def _roles(permission: Permission) -> str:
    return ", ".join(role.value for role in Role if role in HOLDERS[permission])


def _keys(permission: Permission) -> str:
    scope = SCOPES.get(permission)
    return f", keys with `{scope}`" if scope else ""
