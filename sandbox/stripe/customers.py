"""Customers: whom a payment method belongs to; no money."""

from __future__ import annotations

from sandbox.stripe import events, lists, methods, params
from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id, random_text
from sandbox.stripe.world import Call, visible

_TEXTS = ("description", "email", "name", "phone", "business_name", "individual_name")
_TABLES = ("address", "shipping", "invoice_settings", "tax", "cash_balance")
_KNOWN = {
    *_TEXTS, *_TABLES, "metadata", "balance", "preferred_locales", "tax_exempt", "payment_method",
    "invoice_prefix", "next_invoice_sequence", "tax_id_data", "test_clock", "source", "validate",
}  # fmt: skip


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/customers`. Emits: customer.created."""
    params.only(sent, _KNOWN)
    return visible(build(call, sent))


def build(call: Call, sent: Obj) -> Obj:
    """Make a customer. Writes: the customer. Emits: customer.created, payment_method.attached."""
    customer = _blank(call)
    _apply(customer, sent)
    call.store.put("customer", customer)
    events.emit(call, "customer.created", customer)
    method = params.text(sent, "payment_method")
    if method:
        methods.save_to(call, methods.resolve(call, method), customer["id"])
    return customer


def retrieve(call: Call, _sent: Obj, customer_id: str) -> Obj:
    """Answer `GET /v1/customers/{id}`; a deleted one answers as deleted."""
    if call.store.find("deleted_customer", customer_id):
        return _deleted(customer_id)
    return visible(call.get("customer", customer_id))


def update(call: Call, sent: Obj, customer_id: str) -> Obj:
    """Answer `POST /v1/customers/{id}`. Emits: customer.updated."""
    params.only(sent, _KNOWN | {"default_source"})
    customer = call.get("customer", customer_id)
    before = dict(customer)
    _apply(customer, sent)
    changed = {name: before[name] for name in before if before[name] != customer[name]}
    call.store.put("customer", customer)
    if changed:
        events.emit(call, "customer.updated", customer, previous=changed)
    return visible(customer)


def delete(call: Call, _sent: Obj, customer_id: str) -> Obj:
    """Answer `DELETE /v1/customers/{id}`. Emits: customer.deleted."""
    customer = call.get("customer", customer_id)
    events.emit(call, "customer.deleted", customer)
    call.store.remove(customer_id)
    call.store.put("deleted_customer", _deleted(customer_id))
    return _deleted(customer_id)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/customers`."""
    params.only(sent, {*lists.PAGING, "created", "email", "test_clock"})
    email = params.text(sent, "email")
    labels = (email,) if email else ()
    return lists.page(call, "customer", sent, url="/v1/customers", labels=labels)


def _deleted(customer_id: str) -> Obj:
    return {"id": customer_id, "object": "customer", "deleted": True}


def _apply(customer: Obj, sent: Obj) -> None:
    for name in _TEXTS:
        if name in sent:
            customer[name] = params.text(sent, name)
    for name in ("address", "shipping"):
        if name in sent:
            customer[name] = params.table(sent, name) or None
    default = params.table(sent, "invoice_settings").get("default_payment_method")
    if default:
        customer["invoice_settings"]["default_payment_method"] = default
    if "preferred_locales" in sent:
        customer["preferred_locales"] = params.texts(sent, "preferred_locales")
    exempt = params.choice(sent, "tax_exempt", ("none", "exempt", "reverse"))
    customer["tax_exempt"] = exempt or customer["tax_exempt"]
    balance = params.whole(sent, "balance")
    customer["balance"] = customer["balance"] if balance is None else balance
    customer["metadata"] = params.metadata(sent, customer["metadata"])


def _blank(call: Call) -> Obj:
    return {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "business_name": None,
        "created": call.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": random_text(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
