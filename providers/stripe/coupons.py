"""Coupons at Stripe: found by code or id, and turned into credit through an invoice that nothing is due on."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import datetime

import stripe
from stripe import RequestOptions

from core import clock
from core.errors import (
    ProviderReference,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
    UnmappedProviderValue,
)
from core.strictjson import Json
from providers.coupon_seam import NewCoupon, SaidCoupon
from providers.deliveries import UnreadableDelivery
from providers.new_payment import Created
from providers.said import Reading
from providers.stripe import invoices
from providers.stripe.amounts import to_stripe
from providers.stripe.sdk import asked, done, every, plain
from providers.stripe.things import Thing, money, reference_of, thing, whole, word
from providers.tags import tags_of

# What can be a code or an id at all; anything else is no coupon, and never becomes part of an address.
_TEXT = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_LONGEST_NAME = 200
PREFIX = "in_"
MARGIN_SECONDS = 60
_PERCENT = "It takes off a share of a price. Only coupons over a fixed amount can become credit."
_PRODUCTS = "It is for certain products only, so it cannot become credit."
_MINIMUM = "It asks for a larger purchase than it takes off, so it cannot become credit."
_CURRENCY = "It is in a currency that is not known here."


def find(api: stripe.StripeClient, text: str, *, customer: str | None) -> SaidCoupon | None:
    """Find what somebody typed: a usable promotion code first, then a coupon by its id.

    Letters of a promotion code count whatever their case, as at Stripe; those of an id must be exact.
    A code that cannot be used any more is given as over, if nothing else has that name.
    Source: https://docs.stripe.com/api/promotion_codes/list, https://docs.stripe.com/api/coupons/retrieve
    """
    if not _TEXT.fullmatch(text):
        return None
    codes = [each for each in _codes(api, text) if _is_for(each, customer)]
    usable = [each for each in codes if _is_usable(each)]
    # Stripe lets a code be unique per customer; the customer's own goes before everybody's.
    usable.sort(key=lambda each: each.get("customer") is None)
    if usable:
        return _said_code(usable[0])
    coupon = _coupon(api, text)
    if coupon is not None:
        return _said(coupon)
    return _said_code(codes[0]) if codes else None


def _codes(api: stripe.StripeClient, text: str) -> list[Thing]:
    wanted: Mapping[str, Json] = {
        "code": text,
        "limit": 100,
        "expand": ["data.promotion.coupon.applies_to"],
    }
    found = every(lambda: api.v1.promotion_codes.list(wanted))  # type: ignore[arg-type]
    return [each for each in found if str(each.get("code")).lower() == text.lower()]


def _coupon(api: stripe.StripeClient, coupon_id: str) -> Thing | None:
    try:
        found = plain(asked(lambda: api.v1.coupons.retrieve(coupon_id, {"expand": ["applies_to"]})))
    except ProviderRefused as error:
        if error.provider is None or error.provider.code != "resource_missing":
            raise
        return None
    return None if found.get("deleted") is True else found


def _is_for(code: Thing, customer: str | None) -> bool:
    return reference_of(code.get("customer")) in (None, customer)


def _is_usable(code: Thing) -> bool:
    expires, most = code.get("expires_at"), code.get("max_redemptions")
    if code.get("active") is not True:
        return False
    if isinstance(expires, int) and expires <= clock.unix():
        return False
    return not isinstance(most, int) or whole(code.get("times_redeemed"), "times_redeemed") < most


def _said_code(code: Thing) -> SaidCoupon:
    coupon = thing(thing(code.get("promotion")).get("coupon"))
    said = _said(coupon)
    least = thing(code.get("restrictions")).get("minimum_amount")
    obstacle = said.obstacle
    if isinstance(least, int) and least > _amount_off(coupon):
        obstacle = obstacle or _MINIMUM
    return SaidCoupon(
        said.coupon_id,
        said.name,
        said.amount,
        code=word(code.get("code")),
        promotion=word(code.get("id")),
        is_over=said.is_over or not _is_usable(code),
        obstacle=obstacle,
    )


def _amount_off(coupon: Thing) -> int:
    found = coupon.get("amount_off")
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _said(coupon: Thing) -> SaidCoupon:
    """Read a coupon.

    Raises: UnreadableDelivery
    Source: https://docs.stripe.com/api/coupons/object
    """
    own = word(coupon.get("id"))
    if own is None:
        raise UnreadableDelivery("the coupon has no id")
    amount, obstacle = None, None
    if _amount_off(coupon) <= 0:
        obstacle = _PERCENT
    else:
        try:
            amount = money(coupon, "amount_off")
        except UnmappedProviderValue:
            obstacle = _CURRENCY
    if thing(coupon.get("applies_to")).get("products"):
        obstacle = obstacle or _PRODUCTS
    return SaidCoupon(
        own,
        _name(coupon.get("name")),
        amount,
        is_over=coupon.get("valid") is not True,
        obstacle=obstacle,
    )


def _name(value: Json) -> str | None:
    """Give what a coupon is called for people; what cannot be stored or shown is left out."""
    if not isinstance(value, str):
        return None
    plain_text = "".join(each for each in value if each.isprintable()).strip()
    return plain_text[:_LONGEST_NAME] or None


def apply(api: stripe.StripeClient, new: NewCoupon, *, key: str) -> Created:
    """Make the invoice of a coupon, or go on with the one that an earlier try has left.

    1. a draft invoice with the discount; 2. one item of the same amount on it; 3. what is due is read;
    4. it is finalized. Nothing is due, so that Stripe pays it at once. Each step has its own key.
    Raises: ProviderRefused, with the draft taken back, when something would be due.
    Source: https://docs.stripe.com/invoicing/integration, https://docs.stripe.com/api/invoices/finalize
    """
    payment_id = new.payment.payment_id
    invoice = find_invoice(api, payment_id, since=new.look_since) if new.look_since else None
    if invoice is None and not new.may_make:
        raise ProviderUnknown("What became of this is being looked up; it is not asked for again.")
    if invoice is None:
        invoice = _draft(api, new, key=f"{key}-invoice")
    try:
        return created(_go_on(api, new, invoice, key=key))
    except ProviderUnavailable:
        # That much is there already, so that nobody can say that nothing was done.
        raise ProviderUnknown from None


def _go_on(api: stripe.StripeClient, new: NewCoupon, invoice: Thing, *, key: str) -> Thing:
    try:
        if invoice.get("status") == "draft":
            invoice = _fill(api, new, invoice, key=f"{key}-item")
        # Whoever held the lease before us may have come further meanwhile.
        if invoice.get("status") == "draft":
            _assert_nothing_due(new, invoice)
            invoice = _finalize(api, str(invoice["id"]), key=f"{key}-finalize")
    except ProviderRefused:
        _take_back(api, str(invoice["id"]))
        raise
    return invoice


def created(invoice: Thing) -> Created:
    """Read an invoice as the answer to its making."""
    said = invoices.read_invoice(invoice, said_at=clock.now())
    return Created(said.references[0], None, None, None, said)


def _draft(api: stripe.StripeClient, new: NewCoupon, *, key: str) -> Thing:
    discount = {"promotion_code": new.promotion} if new.promotion else {"coupon": new.coupon_id}
    params: dict[str, object] = {
        "customer": new.payment.customer,
        "currency": new.payment.amount.asset.code.lower(),
        "collection_method": "charge_automatically",
        # Stripe never moves it on by itself: an unfinished draft stays one.
        "auto_advance": False,
        # What else waits for this customer's next invoice is none of our business.
        "pending_invoice_items_behavior": "exclude",
        "discounts": [discount],
        "description": new.payment.description[:500],
        "metadata": tags_of(new.payment),
    }
    answer = done(lambda: api.v1.invoices.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]
    return plain(answer)


def _fill(api: stripe.StripeClient, new: NewCoupon, invoice: Thing, *, key: str) -> Thing:
    """Put the one item on a draft, unless it is there, and read what the draft comes to."""
    reference = str(invoice["id"])
    if not invoice.get("subtotal"):
        params: dict[str, object] = {
            "customer": new.payment.customer,
            "invoice": reference,
            "amount": to_stripe(new.payment.amount),
            "currency": new.payment.amount.asset.code.lower(),
            "description": new.payment.description[:500],
            "metadata": tags_of(new.payment),
        }
        done(lambda: api.v1.invoice_items.create(params, {"idempotency_key": key}))  # type: ignore[arg-type]
    return plain(asked(lambda: api.v1.invoices.retrieve(reference)))


def _assert_nothing_due(new: NewCoupon, invoice: Thing) -> None:
    """Check, before it is too late, that the coupon covers the whole invoice: else a card would be charged."""
    amount = to_stripe(new.payment.amount)
    is_covered = invoice.get("subtotal") == amount and invoice.get("total") == 0
    if is_covered and to_stripe(invoices.discounted(invoice)) == amount:
        return
    raise ProviderRefused(
        "This coupon does not cover its whole amount, so it cannot become credit.",
        provider=ProviderReference(str(invoice["id"]), "coupon_not_covering"),
    )


def _finalize(api: stripe.StripeClient, reference: str, *, key: str) -> Thing:
    """Finalize a draft; one that somebody has finalized already has what was wanted."""
    options: RequestOptions = {"idempotency_key": key}
    call = api.v1.invoices.finalize_invoice
    try:
        return plain(done(lambda: call(reference, {"auto_advance": False}, options)))
    except ProviderRefused:
        found = plain(asked(lambda: api.v1.invoices.retrieve(reference)))
        if found.get("status") == "draft":
            raise
        return found


def _take_back(api: stripe.StripeClient, reference: str) -> None:
    """Delete a draft that came to nothing; left behind it would do no harm, as it never moves on."""
    with contextlib.suppress(ProviderRefused, ProviderUnavailable, ProviderUnknown):
        done(lambda: api.v1.invoices.delete(reference))


def find_invoice(api: stripe.StripeClient, payment_id: str, *, since: datetime) -> Thing | None:
    """Look through the newest invoices for ours, by metadata; listing is consistent, so absence counts."""
    window: Mapping[str, Json] = {
        "limit": 100,
        "created": {"gte": int(since.timestamp()) - MARGIN_SECONDS},
    }
    found = every(lambda: api.v1.invoices.list(window))  # type: ignore[arg-type]
    ours = [each for each in found if thing(each.get("metadata")).get("payment_id") == payment_id]
    # Newest first; were there ever two, the older one is what an earlier answer spoke of.
    return ours[-1] if ours else None


def find_made(api: stripe.StripeClient, payment_id: str, *, since: datetime) -> Created | None:
    """Look for the invoice that a call with a lost answer may have made, as far as that came."""
    found = find_invoice(api, payment_id, since=since)
    return None if found is None else created(found)


def fetch(api: stripe.StripeClient, reference: str) -> Reading:
    """Ask for the present truth of an invoice."""
    answer = asked(lambda: api.v1.invoices.retrieve(reference))
    return invoices.read_invoice(plain(answer), said_at=clock.now())


def void(api: stripe.StripeClient, reference: str, *, key: str) -> Reading:
    """End an invoice that nobody paid; a draft is taken away.

    Source: https://docs.stripe.com/api/invoices/void, https://docs.stripe.com/api/invoices/delete
    """
    invoice = plain(asked(lambda: api.v1.invoices.retrieve(reference)))
    if invoice.get("status") == "draft":
        done(lambda: api.v1.invoices.delete(reference))
        gone = {**invoice, "status": "void"}
        return invoices.read_invoice(gone, said_at=clock.now())
    answer = done(lambda: api.v1.invoices.void_invoice(reference, None, {"idempotency_key": key}))
    return invoices.read_invoice(plain(answer), said_at=clock.now())
