"""What a checkout session sells: inline prices, quantities, sums; no catalogue."""

from __future__ import annotations

from sandbox.stripe import money, params
from sandbox.stripe.errors import INVALID, ApiError, Obj, invalid, missing
from sandbox.stripe.ids import new_id

_ITEM = {
    "price_data", "price", "quantity", "adjustable_quantity", "dynamic_tax_rates", "tax_rates",
    "metadata", "amount", "currency", "name", "description", "images",
}  # fmt: skip
MAX_QUANTITY = 999_999


def build(sent: list[Obj]) -> tuple[list[Obj], str]:
    """Return the line items and their one currency.

    An item carries `price_data`, or the older `amount`, `currency` and `name`.
    Raises: ApiError 400 for mixed currencies, catalogue prices, or a sum out of bounds.
    """
    if not sent:
        raise missing("line_items")
    items = [_item(line, f"line_items[{n}]") for n, line in enumerate(sent)]
    currencies = {item["currency"] for item in items}
    if len(currencies) > 1:
        raise invalid("All line items must have the same currency.", "line_items")
    currency = currencies.pop()
    money.assert_chargeable(sum(item["amount_total"] for item in items), currency, "line_items")
    return items, currency


def as_list(items: list[Obj], session_id: str) -> Obj:
    """Return the items as Stripe's list object."""
    return {
        "object": "list",
        "data": items,
        "has_more": False,
        "url": f"/v1/checkout/sessions/{session_id}/line_items",
    }


def _item(line: Obj, name: str) -> Obj:
    if not isinstance(line, dict):
        raise invalid("Invalid object", name)
    params.only(line, _ITEM)
    if "price" in line:
        message = f"No such price: '{line['price']}'"
        raise ApiError(400, INVALID, message, code="resource_missing", param=f"{name}[price]")
    quantity = params.whole(line, "quantity")
    if quantity is None:
        quantity = 1
    if not 1 <= quantity <= MAX_QUANTITY:
        raise invalid("Invalid quantity: must be between 1 and 999999.", f"{name}[quantity]")
    price = _price(line, name)
    total = price["unit_amount"] * quantity
    return {
        "id": new_id("li_1"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"],
        "description": price.pop("_name"),
        "metadata": params.metadata(line),
        "price": price,
        "quantity": quantity,
    }


def _price(line: Obj, name: str) -> Obj:
    asked = params.table(line, "price_data") or line
    currency = money.currency(asked)
    amount = params.whole(asked, "unit_amount" if "price_data" in line else "amount")
    if amount is None:
        raise missing(f"{name}[price_data][unit_amount]")
    if amount < 0:
        raise invalid("This value must be greater than or equal to 0.", f"{name}[unit_amount]")
    product = params.table(asked, "product_data") or {"name": params.text(line, "name")}
    title = params.text(product, "name")
    if title is None:
        raise missing(f"{name}[price_data][product_data][name]")
    return {
        "id": new_id("price_1"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "nickname": None,
        "product": new_id("prod", 14),
        "recurring": None,
        "tax_behavior": "unspecified",
        "type": "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
        "_name": title,
    }
