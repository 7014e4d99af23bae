"""Search of payment intents by Stripe's query language, the part that joins clauses with AND."""

from __future__ import annotations

import re

from sandbox.stripe import lists, params
from sandbox.stripe.errors import Obj, invalid
from sandbox.stripe.world import Call

_CLAUSE = re.compile(
    r"""\s*(?P<field>[a-z_]+)(?:\[(?P<q>["'])(?P<key>[^"']+)(?P=q)\])?"""
    r"""\s*(?P<sign>:|=|>=|<=|>|<)\s*(?:(?P<number>-?\d+)|(?P<v>["'])(?P<text>[^"']*)(?P=v))\s*"""
)
_FIELDS = ("amount", "created", "currency", "customer", "metadata", "status")
_NUMERIC = ("amount", "created")
_MAX_FOUND = 100


def payment_intents(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/payment_intents/search`.

    Source: https://docs.stripe.com/search. The real index lags behind by up to a minute; a caller
    that must not miss an intent lists instead.
    """
    params.only(sent, {"query", "limit", "page"})
    clauses = _parse(params.required_text(sent, "query"))
    limit = params.whole(sent, "limit") or 10
    matching = [i for i in call.store.every("payment_intent") if all(_holds(i, c) for c in clauses)]
    found = lists.as_page(matching[::-1][: min(limit, _MAX_FOUND)])
    return found | {
        "object": "search_result",
        "has_more": len(matching) > limit,
        "next_page": None,
        "url": "/v1/payment_intents/search",
    }


def _parse(query: str) -> list[re.Match[str]]:
    clauses = []
    for part in re.split(r"\s+AND\s+", query, flags=re.IGNORECASE):
        clause = _CLAUSE.fullmatch(part)
        if clause is None or clause["field"] not in _FIELDS:
            raise invalid(f"We were unable to parse your search query at: {part[:80]}", "query")
        clauses.append(clause)
    return clauses


def _holds(intent: Obj, clause: re.Match[str]) -> bool:
    value = intent[clause["field"]]
    if clause["field"] == "metadata":
        value = value.get(clause["key"])
    if clause["field"] not in _NUMERIC:
        return bool(value == clause["text"])
    wanted = int(clause["number"] or clause["text"])
    return bool(
        {
            ":": value == wanted,
            "=": value == wanted,
            ">": value > wanted,
            "<": value < wanted,
            ">=": value >= wanted,
            "<=": value <= wanted,
        }[clause["sign"]]
    )
