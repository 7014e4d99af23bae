"""Invoices that an integration makes by hand: drafted, filled, finalized, then paid, voided or given up."""

from __future__ import annotations

from sandbox.stripe import discounts, events, invoice_blank, lists, methods, money, params
from sandbox.stripe.errors import INVALID, ApiError, Obj, invalid
from sandbox.stripe.world import Call, visible

KIND = "invoice"
ITEM = "invoiceitem"
_CREATE = {
    "auto_advance", "collection_method", "currency", "customer", "days_until_due", "description",
    "discounts", "footer", "metadata", "payment_settings", "pending_invoice_items_behavior",
}  # fmt: skip
METHODS = ("charge_automatically", "send_invoice")


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/invoices`. Emits: invoice.created.

    Writes: the invoice, its discounts. Source: https://docs.stripe.com/api/invoices/create
    """
    params.only(sent, _CREATE)
    customer = call.get("customer", params.required_text(sent, "customer"), param="customer")
    behaviour = params.choice(sent, "pending_invoice_items_behavior", ("exclude", "include"))
    if behaviour == "include":
        raise invalid("The sandbox adds no pending items.", "pending_invoice_items_behavior")
    code = money.currency(sent) if "currency" in sent else (customer["currency"] or "usd")
    made = invoice_blank.invoice(call, customer, code)
    made |= {
        "auto_advance": params.flag(sent, "auto_advance"),
        "collection_method": params.choice(sent, "collection_method", METHODS) or METHODS[0],
        "description": params.text(sent, "description"),
        "footer": params.text(sent, "footer"),
        "metadata": params.metadata(sent),
    }
    made["discounts"] = discounts.of_invoice(call, made, params.items(sent, "discounts"))
    call.store.put(KIND, made)
    events.emit(call, "invoice.created", made)
    return visible(made)


def create_item(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/invoiceitems`, onto a draft. Emits: invoiceitem.created, invoice.updated.

    Source: https://docs.stripe.com/api/invoiceitems/create
    """
    params.only(
        sent,
        {"amount", "currency", "customer", "description", "discountable", "invoice", "metadata"},
    )
    customer = params.required_text(sent, "customer")
    call.get("customer", customer, param="customer", status=400)
    invoice = call.get(KIND, params.required_text(sent, "invoice"), param="invoice", status=400)
    if invoice["customer"] != customer:
        raise invalid("The invoice belongs to another customer.", "invoice")
    if invoice["status"] != "draft":
        raise invalid("You can only add invoice items to draft invoices.", "invoice")
    code = money.currency(sent)
    if code != invoice["currency"]:
        message = (
            f"The currency of the invoice item ({code}) differs from the invoice's"
            f" ({invoice['currency']}). You cannot combine currencies on a single invoice."
        )
        raise invalid(message, "currency")
    item = invoice_blank.item(call, invoice, money.amount(sent, code))
    item |= {
        "description": params.text(sent, "description"),
        "discountable": params.flag(sent, "discountable", True),
        "metadata": params.metadata(sent),
    }
    call.store.put(ITEM, item)
    _add_up(call, invoice)
    events.emit(call, "invoiceitem.created", item)
    events.emit(call, "invoice.updated", invoice)
    return visible(item)


def _add_up(call: Call, invoice: Obj) -> None:
    """Bring a draft's sums to what its items and discounts come to. Writes: the invoice."""
    items = [each for each in call.store.every(ITEM) if each["invoice"] == invoice["id"]]
    subtotal = sum(each["amount"] for each in items)
    discountable = sum(each["amount"] for each in items if each["discountable"])
    off = discounts.amounts(call, invoice, discountable)
    total = subtotal - sum(each["amount"] for each in off)
    invoice |= {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_excluding_tax": total,
        "amount_due": total,
        "amount_remaining": total,
        "total_discount_amounts": off,
        "lines": invoice_blank.lines(invoice, items),
    }
    call.store.put(KIND, invoice)


def finalize(call: Call, sent: Obj, invoice_id: str) -> Obj:
    """Answer `POST /v1/invoices/{id}/finalize`; nothing due is paid at once.

    Emits: invoice.finalized, invoice.updated; invoice.paid and invoice.payment_succeeded.
    Source: https://docs.stripe.com/invoicing/overview#invoice-statuses
    """
    params.only(sent, {"auto_advance"})
    invoice = call.get(KIND, invoice_id, param="invoice")
    if invoice["status"] != "draft":
        message = "This invoice is already finalized, you can't re-finalize a non-draft invoice."
        raise invalid(message)
    if not invoice["lines"]["data"]:
        message = "Nothing to invoice: the invoice has no line items."
        raise ApiError(400, INVALID, message, code="invoice_no_customer_line_items")
    discounts.redeem(call, invoice)
    invoice |= {"status": "open", "number": invoice_blank.number(call, invoice)}
    invoice["effective_at"] = invoice["status_transitions"]["finalized_at"] = call.now
    _add_up(call, invoice)
    events.emit(call, "invoice.finalized", invoice)
    events.emit(call, "invoice.updated", invoice, previous={"status": "draft"})
    if invoice["amount_due"] == 0:
        _paid(call, invoice, collected=0)
    return visible(invoice)


def _paid(call: Call, invoice: Obj, *, collected: int) -> None:
    """Close an invoice as paid. Emits: invoice.paid, invoice.payment_succeeded."""
    invoice |= {
        "amount_paid": collected,
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "status": "paid",
    }
    invoice["status_transitions"]["paid_at"] = call.now
    call.store.put(KIND, invoice)
    events.emit(call, "invoice.updated", invoice, previous={"status": "open"})
    events.emit(call, "invoice.paid", invoice)
    events.emit(call, "invoice.payment_succeeded", invoice)


def pay(call: Call, sent: Obj, invoice_id: str) -> Obj:
    """Answer `POST /v1/invoices/{id}/pay`: out of band, or with a card of its own intent.

    Emits: invoice.paid, invoice.payment_succeeded, or invoice.payment_failed,
    invoice.payment_action_required. Raises: ApiError 402 when the card is refused.
    Source: https://docs.stripe.com/api/invoices/pay
    """
    from sandbox.stripe import intents

    params.only(sent, {"off_session", "paid_out_of_band", "payment_method"})
    invoice = call.get(KIND, invoice_id, param="invoice")
    _assert_open(invoice, "paid")
    if params.flag(sent, "paid_out_of_band"):
        _paid(call, invoice, collected=invoice["amount_due"])
        return visible(invoice)
    asked = {
        "amount": str(invoice["amount_due"]),
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "payment_method": params.text(sent, "payment_method") or _default_card(call, invoice),
        "confirm": "true",
        "payment_method_types": ["card"],
    }
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    try:
        intent = intents.create(call, asked)
    except ApiError:
        call.store.put(KIND, invoice)
        events.emit(call, "invoice.payment_failed", invoice)
        raise
    if intent["status"] != "succeeded":
        call.store.put(KIND, invoice)
        events.emit(call, "invoice.payment_action_required", invoice)
        message = "This payment requires additional user action before it can be completed."
        code = "invoice_payment_intent_requires_action"
        raise ApiError(402, INVALID, message, code=code, keep=True)
    _paid(call, invoice, collected=intent["amount_received"])
    return visible(invoice)


def _default_card(call: Call, invoice: Obj) -> str:
    customer = call.get("customer", invoice["customer"])
    card = customer["invoice_settings"]["default_payment_method"]
    if card is None:
        message = (
            "There is no default_payment_method set on this Customer or Invoice. Please set a"
            " default_payment_method."
        )
        raise invalid(message)
    return str(methods.resolve(call, card)["id"])


def _assert_open(invoice: Obj, act: str) -> None:
    if invoice["status"] == "draft":
        raise invalid(f"A draft invoice cannot be {act}. Finalize it first.")
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(f"Invoice is already {invoice['status']}, so it cannot be {act}.")


def void(call: Call, sent: Obj, invoice_id: str) -> Obj:
    """Answer `POST /v1/invoices/{id}/void`. Emits: invoice.voided, invoice.updated."""
    params.only(sent, ())
    return _end(call, invoice_id, "void", "voided")


def mark_uncollectible(call: Call, sent: Obj, invoice_id: str) -> Obj:
    """Answer `POST /v1/invoices/{id}/mark_uncollectible`. Emits: invoice.marked_uncollectible."""
    params.only(sent, ())
    return _end(call, invoice_id, "uncollectible", "marked_uncollectible")


def _end(call: Call, invoice_id: str, status: str, said: str) -> Obj:
    invoice = call.get(KIND, invoice_id, param="invoice")
    _assert_open(invoice, said.replace("_", " "))
    before = {"status": invoice["status"]}
    invoice |= {"status": status, "auto_advance": False}
    invoice["status_transitions"][f"{said}_at"] = call.now
    call.store.put(KIND, invoice)
    events.emit(call, "invoice.updated", invoice, previous=before)
    events.emit(call, f"invoice.{said}", invoice)
    return visible(invoice)


def delete(call: Call, _sent: Obj, invoice_id: str) -> Obj:
    """Answer `DELETE /v1/invoices/{id}`; only a draft can go. Emits: invoice.deleted."""
    invoice = call.get(KIND, invoice_id, param="invoice")
    if invoice["status"] != "draft":
        raise invalid("You can only delete draft invoices.")
    for item in list(call.store.every(ITEM)):
        if item["invoice"] == invoice_id:
            call.store.remove(item["id"])
    call.store.remove(invoice_id)
    events.emit(call, "invoice.deleted", invoice)
    return {"id": invoice_id, "object": KIND, "deleted": True}


def retrieve(call: Call, _sent: Obj, invoice_id: str) -> Obj:
    """Answer `GET /v1/invoices/{id}`."""
    return visible(call.get(KIND, invoice_id, param="invoice"))


def update(call: Call, sent: Obj, invoice_id: str) -> Obj:
    """Answer `POST /v1/invoices/{id}`: what it says, not what it comes to. Emits: invoice.updated."""
    params.only(sent, {"description", "footer", "metadata"})
    invoice = call.get(KIND, invoice_id, param="invoice")
    before: Obj = {
        name: invoice[name] for name in ("description", "footer", "metadata") if name in sent
    }
    for name in ("description", "footer"):
        invoice[name] = params.text(sent, name) if name in sent else invoice[name]
    invoice["metadata"] = params.metadata(sent, invoice["metadata"])
    call.store.put(KIND, invoice)
    events.emit(call, "invoice.updated", invoice, previous=before)
    return visible(invoice)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/invoices`."""
    params.only(sent, {*lists.PAGING, "collection_method", "created", "customer", "status"})
    status = params.choice(sent, "status", ("draft", "open", "paid", "uncollectible", "void"))
    return lists.page(
        call,
        KIND,
        sent,
        url="/v1/invoices",
        customer=params.text(sent, "customer"),
        labels=(status,) if status else (),
    )


def retrieve_item(call: Call, _sent: Obj, item_id: str) -> Obj:
    """Answer `GET /v1/invoiceitems/{id}`."""
    return visible(call.get(ITEM, item_id))


def list_items(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/invoiceitems`."""
    params.only(sent, {*lists.PAGING, "created", "customer", "invoice"})
    invoice = params.text(sent, "invoice")
    extra = (("$.invoice", invoice),) if invoice else ()
    customer = params.text(sent, "customer")
    return lists.page(call, ITEM, sent, url="/v1/invoiceitems", customer=customer, extra=extra)
