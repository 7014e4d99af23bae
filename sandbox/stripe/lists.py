"""List answers with cursors, and expansion of ids into objects; the same for every resource."""

from __future__ import annotations

from typing import Any

from sandbox.common.store import Query
from sandbox.stripe import params
from sandbox.stripe.errors import Obj, invalid, no_such
from sandbox.stripe.world import Call, visible

PAGING = ("limit", "starting_after", "ending_before")
MAX_PAGE = 100
MAX_EXPAND_DEPTH = 4
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_KINDS = {
    "pi": "payment_intent",
    "ch": "charge",
    "py": "charge",
    "cus": "customer",
    "pm": "payment_method",
    "seti": "setup_intent",
    "txn": "balance_transaction",
    "re": "refund",
    "pyr": "refund",
    "cs": "checkout.session",
    "dp": "dispute",
    "po": "payout",
    "file": "file",
    "promo": "promotion_code",
    "in": "invoice",
    "ii": "invoiceitem",
    "di": "discount",
}
# Coupons are called what their maker likes, so that the field tells what they are.
_BY_FIELD = {"coupon": "coupon"}
# Fields that are left out unless they are asked for.
_ON_DEMAND = {("coupon", "applies_to"): "_applies_to"}


def page(
    call: Call,
    kind: str,
    sent: Obj,
    *,
    url: str,
    customer: str | None = None,
    parent: str | None = None,
    labels: tuple[str, ...] = (),
    label_prefix: str | None = None,
    delivered: bool | None = None,
    extra: tuple[tuple[str, str], ...] = (),
) -> Obj:
    """Return one page as Stripe's list object.

    Source: https://docs.stripe.com/api/pagination.
    """
    limit = params.whole(sent, "limit")
    after, before = params.text(sent, "starting_after"), params.text(sent, "ending_before")
    if limit is not None and not 1 <= limit <= MAX_PAGE:
        raise invalid(f"This value must be between 1 and {MAX_PAGE}", "limit")
    if after and before:
        raise invalid("You can only provide one of starting_after, ending_before.")
    query = Query(
        kind=kind,
        limit=10 if limit is None else limit,
        customer=customer,
        parent=parent,
        labels=labels,
        label_prefix=label_prefix,
        created=created_range(sent),
        after=after,
        before=before,
        delivered=delivered,
        extra=extra,
    )
    found = call.store.page(query)
    if found is None:
        param = "starting_after" if after else "ending_before"
        raise no_such(kind, after or before or "", param=param, status=400)
    objects, has_more = found
    return as_page(objects) | {"has_more": has_more, "url": url}


def as_page(objects: list[Obj]) -> Obj:
    """Return a list object of these, as callers may see them."""
    return {
        "object": "list",
        "data": [visible(obj) for obj in objects],
        "has_more": False,
        "url": "",
    }


def created_range(sent: Obj) -> tuple[tuple[str, int], ...]:
    """Return the bounds of `created`: a moment, or `[gt] [gte] [lt] [lte]`."""
    value = sent.get("created")
    if not isinstance(value, dict):
        moment = params.whole(sent, "created")
        return () if moment is None else (("=", moment),)
    params.only(value, _SIGNS)
    bounds = ((sign, params.whole(value, name)) for name, sign in _SIGNS.items())
    return tuple((sign, moment) for sign, moment in bounds if moment is not None)


def expand(call: Call, body: Obj, paths: list[str]) -> Obj:
    """Replace ids by objects along `expand[]` paths.

    Source: https://docs.stripe.com/api/expanding_objects: at most four levels, list items by `data.`.
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > MAX_EXPAND_DEPTH:
            raise invalid("You cannot expand more than 4 levels of a property", "expand")
        if not _expand_one(call, body, parts):
            message = f"This property cannot be expanded ({path})."
            raise invalid(message, "expand", code="property_not_expandable")
    return body


def _expand_one(call: Call, body: Any, parts: list[str]) -> bool:
    if isinstance(body, list):
        expanded = [_expand_one(call, item, parts) for item in body]
        return all(expanded)
    if isinstance(body, dict) and (hidden := _ON_DEMAND.get((body.get("object", ""), parts[0]))):
        kept = call.store.find(body["object"], body["id"]) or {}
        body[parts[0]] = kept.get(hidden)
    if not isinstance(body, dict) or parts[0] not in body:
        return False
    value = body[parts[0]]
    if isinstance(value, str):
        kind = _KINDS.get(value.split("_", 1)[0]) or _BY_FIELD.get(parts[0])
        found = call.store.find(kind, value) if kind else None
        if found is None:
            return False
        value = body[parts[0]] = _as_now(call, found)
    if len(parts) == 1 or value is None:
        return value is None or isinstance(value, dict)
    return _expand_one(call, value, parts[1:])


def _as_now(call: Call, found: Obj) -> Obj:
    """Return an object as it is shown; whether a coupon is valid is a matter of the moment."""
    from sandbox.stripe import coupons, promotions

    if found["object"] == coupons.KIND:
        return coupons.shown(call, found)
    if found["object"] == promotions.KIND:
        return promotions.shown(call, found)
    return visible(found)
