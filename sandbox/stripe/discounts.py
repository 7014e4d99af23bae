"""Discounts: a coupon or promotion code on one invoice, what it takes off, and that it counts as used."""

from __future__ import annotations

from sandbox.stripe import coupons, params, promotions
from sandbox.stripe.errors import Obj, invalid
from sandbox.stripe.ids import new_id
from sandbox.stripe.world import Call

KIND = "discount"


def of_invoice(call: Call, invoice: Obj, wanted: list[Obj]) -> list[str]:
    """Make the discounts of a draft. Gives their ids.

    Writes: the discounts. Raises: ApiError for a coupon or code that cannot be redeemed.
    """
    return [_make(call, invoice, each) for each in wanted]


def _make(call: Call, invoice: Obj, wanted: Obj) -> str:
    params.only(wanted, {"coupon", "promotion_code"})
    code_id, coupon_id = params.text(wanted, "promotion_code"), params.text(wanted, "coupon")
    if (code_id is None) == (coupon_id is None):
        raise invalid("You may only specify one of: coupon, promotion_code.", "discounts")
    if code_id is not None:
        code = call.get(promotions.KIND, code_id, param="discounts", status=400)
        promotions.assert_redeemable(call, code, invoice["customer"])
        coupon_id = code["promotion"]["coupon"]
    coupon = call.get(coupons.KIND, str(coupon_id), param="discounts", status=400)
    coupons.assert_valid(call, coupon)
    if coupon["currency"] not in (None, invoice["currency"]):
        message = (
            f"The currency of the coupon ({coupon['currency']}) differs from the invoice's"
            f" ({invoice['currency']})."
        )
        raise invalid(message, "discounts")
    made = {
        "id": new_id("di_1"),
        "object": KIND,
        "checkout_session": None,
        "created": call.now,
        "customer": invoice["customer"],
        "customer_account": None,
        "end": None,
        "invoice": invoice["id"],
        "invoice_item": None,
        "promotion_code": code_id,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": call.now,
        "subscription": None,
        "subscription_item": None,
    }
    return str(call.store.put(KIND, made)["id"])


def _coupon(call: Call, discount_id: str) -> Obj:
    return call.get(coupons.KIND, call.get(KIND, discount_id)["source"]["coupon"], status=400)


def amounts(call: Call, invoice: Obj, discountable: int) -> list[Obj]:
    """Return what each discount takes off; never more than there is."""
    found, left = [], discountable
    for discount_id in invoice["discounts"]:
        coupon = _coupon(call, discount_id)
        if coupon.get("_applies_to"):
            # The items made by hand are of no product.
            off = 0
        elif coupon["amount_off"] is not None:
            off = min(left, coupon["amount_off"])
        else:
            off = round(left * coupon["percent_off"] / 100)
        left -= off
        found.append({"amount": off, "discount": discount_id})
    return found


def redeem(call: Call, invoice: Obj) -> None:
    """Count each discount of an invoice as used, for good.

    Writes: coupons, promotion codes. Raises: ApiError when one cannot be redeemed any more.
    """
    for discount_id in invoice["discounts"]:
        discount = call.get(KIND, discount_id)
        if discount["promotion_code"] is not None:
            code = call.get(promotions.KIND, discount["promotion_code"], status=400)
            least = code["restrictions"]["minimum_amount"]
            if least is not None and invoice["subtotal"] < least:
                raise invalid("This promotion code needs a larger invoice.", "promotion_code")
            promotions.redeem(call, code, invoice["customer"])
        coupons.redeem(call, _coupon(call, discount_id))
