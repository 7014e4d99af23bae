"""Invoices, their items and lines with every field that Stripe writes; no rules."""

from __future__ import annotations

from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id, random_text
from sandbox.stripe.world import Call


def invoice(call: Call, customer: Obj, code: str) -> Obj:
    """Return a new draft for a customer, in a currency."""
    return {
        "id": new_id("in_1"),
        "object": "invoice",
        "account_country": "US",
        "account_name": "Paydesk sandbox",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": call.now,
        "currency": code,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": {"object": "list", "data": [], "has_more": False, "url": ""},
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": call.now,
        "period_start": call.now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": call.now,
    }


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
