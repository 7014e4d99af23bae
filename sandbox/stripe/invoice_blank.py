"""Invoices, their items and lines with every field that Stripe writes; no rules."""

from __future__ import annotations

from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id, random_text
from sandbox.stripe.world import Call

_AMOUNTS = (
    "amount_due", "amount_overpaid", "amount_paid", "amount_remaining", "amount_shipping",
    "attempt_count", "post_payment_credit_notes_amount", "pre_payment_credit_notes_amount",
    "starting_balance", "subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax",
)  # fmt: skip
_NOTHING = (
    "account_tax_ids", "application", "automatically_finalizes_at", "custom_fields",
    "customer_account", "customer_shipping", "default_payment_method", "default_source",
    "description", "due_date", "effective_at", "ending_balance", "footer", "from_invoice",
    "hosted_invoice_url", "invoice_pdf", "last_finalization_error", "latest_revision",
    "next_payment_attempt", "number", "on_behalf_of", "parent", "receipt_number", "rendering",
    "shipping_cost", "shipping_details", "statement_descriptor", "test_clock",
)  # fmt: skip
_LISTS = (
    "customer_tax_ids", "default_tax_rates", "discounts", "total_discount_amounts",
    "total_pretax_credit_amounts", "total_taxes",
)  # fmt: skip
_TAX = ("disabled_reason", "liability", "provider", "status")
_TURNS = ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
_TERMS = ("default_mandate", "payment_method_options", "payment_method_types")


def invoice(call: Call, customer: Obj, code: str) -> Obj:
    """Return a new draft for a customer, in a currency."""
    blank: Obj = dict.fromkeys(_NOTHING) | dict.fromkeys(_AMOUNTS, 0)
    return (
        blank
        | {name: [] for name in _LISTS}
        | {f"customer_{name}": customer[name] for name in ("address", "email", "name", "phone")}
        | {
            "id": new_id("in_1"),
            "object": "invoice",
            "account_country": "US",
            "account_name": "Paydesk sandbox",
            "attempted": False,
            "auto_advance": False,
            "automatic_tax": dict.fromkeys(_TAX) | {"enabled": False},
            "billing_reason": "manual",
            "collection_method": "charge_automatically",
            "created": call.now,
            "currency": code,
            "customer": customer["id"],
            "customer_tax_exempt": "none",
            "issuer": {"type": "self"},
            "lines": {"object": "list", "data": [], "has_more": False, "url": ""},
            "livemode": False,
            "metadata": {},
            "payment_settings": dict.fromkeys(_TERMS),
            "period_end": call.now,
            "period_start": call.now,
            "status": "draft",
            "status_transitions": dict.fromkeys(_TURNS),
            "webhooks_delivered_at": call.now,
        }
    )


def number(call: Call, made: Obj) -> str:
    """Return the number of an invoice that is finalized: the customer's prefix, then counted up."""
    customer = call.get("customer", made["customer"])
    found = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    call.store.put("customer", customer)
    return found


def item(call: Call, made: Obj, amount: int) -> Obj:
    """Return a new item of an invoice."""
    return {
        "id": new_id("ii_1"),
        "object": "invoiceitem",
        "amount": amount,
        "created": call.now,
        "currency": made["currency"],
        "customer": made["customer"],
        "customer_account": None,
        "date": call.now,
        "description": None,
        "discountable": True,
        "discounts": [],
        "invoice": made["id"],
        "livemode": False,
        "metadata": {},
        "net_amount": amount,
        "parent": None,
        "period": {"end": call.now, "start": call.now},
        "pricing": {
            "price_details": {"price": f"price_1{random_text(23)}", "product": None},
            "type": "price_details",
            "unit_amount_decimal": str(amount),
        },
        "proration": False,
        "proration_details": None,
        "quantity": 1,
        "quantity_decimal": "1",
        "tax_rates": [],
        "test_clock": None,
    }


def lines(made: Obj, items: list[Obj]) -> Obj:
    """Return an invoice's lines, one for each item."""
    return {
        "object": "list",
        "data": [_line(made, each) for each in items],
        "has_more": False,
        "total_count": len(items),
        "url": f"/v1/invoices/{made['id']}/lines",
    }


def _line(made: Obj, of: Obj) -> Obj:
    return {
        "id": f"il_{of['id'][3:]}",
        "object": "line_item",
        "amount": of["amount"],
        "currency": of["currency"],
        "description": of["description"],
        "discount_amounts": made["total_discount_amounts"],
        "discountable": of["discountable"],
        "discounts": [],
        "invoice": made["id"],
        "livemode": False,
        "metadata": of["metadata"],
        "parent": {
            "invoice_item_details": {
                "invoice_item": of["id"],
                "proration": False,
                "proration_details": None,
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": of["period"],
        "pretax_credit_amounts": [],
        "pricing": of["pricing"],
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": None,
        "subtotal": of["amount"],
        "taxes": [],
    }
