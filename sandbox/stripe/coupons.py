"""Coupons: what takes a fixed amount or a share off an invoice; whether one can still be redeemed."""

from __future__ import annotations

from sandbox.stripe import events, lists, money, params
from sandbox.stripe.errors import INVALID, ApiError, Obj, invalid
from sandbox.stripe.ids import random_text
from sandbox.stripe.world import Call, visible

KIND = "coupon"
_CREATE = {
    "id", "amount_off", "applies_to", "currency", "duration", "duration_in_months", "max_redemptions",
    "metadata", "name", "percent_off", "redeem_by",
}  # fmt: skip
DURATIONS = ("once", "repeating", "forever")


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/coupons`. Emits: coupon.created.

    Source: https://docs.stripe.com/api/coupons/create
    """
    params.only(sent, _CREATE)
    coupon_id = params.text(sent, "id", limit=200) or random_text(8)
    if call.store.find(KIND, coupon_id) is not None:
        raise ApiError(400, INVALID, "Coupon already exists.", code="resource_already_exists")
    made = _blank(call, coupon_id) | _worth(sent)
    made |= {
        "duration": params.choice(sent, "duration", DURATIONS) or "once",
        "duration_in_months": params.whole(sent, "duration_in_months"),
        "max_redemptions": params.whole(sent, "max_redemptions"),
        "metadata": params.metadata(sent),
        "name": params.text(sent, "name", limit=40),
        "redeem_by": params.whole(sent, "redeem_by"),
    }
    if products := params.texts(params.table(sent, "applies_to"), "products"):
        made["_applies_to"] = {"products": products}
    call.store.put(KIND, made)
    events.emit(call, "coupon.created", shown(call, made))
    return shown(call, made)


def _worth(sent: Obj) -> Obj:
    off, share = params.whole(sent, "amount_off"), params.text(sent, "percent_off")
    if (off is None) == (share is None):
        raise invalid("Must provide percent_off or amount_off, but not both.", "percent_off")
    if off is not None:
        code = money.currency(sent)
        if off < 1:
            raise invalid("This value must be greater than or equal to 1.", "amount_off")
        return {"amount_off": off, "currency": code}
    share_of = float(str(share)) if str(share).replace(".", "", 1).isdecimal() else 0
    if not 0 < share_of <= 100:
        raise invalid("Invalid percent_off: must be between 0 and 100", "percent_off")
    return {"percent_off": share_of}


def retrieve(call: Call, _sent: Obj, coupon_id: str) -> Obj:
    """Answer `GET /v1/coupons/{id}`."""
    return shown(call, call.get(KIND, coupon_id, param="coupon"))


def update(call: Call, sent: Obj, coupon_id: str) -> Obj:
    """Answer `POST /v1/coupons/{id}`; what it takes off cannot change. Emits: coupon.updated."""
    params.only(sent, {"metadata", "name"})
    coupon = call.get(KIND, coupon_id, param="coupon")
    before: Obj = {name: coupon[name] for name in ("metadata", "name") if name in sent}
    coupon["name"] = params.text(sent, "name", limit=40) if "name" in sent else coupon["name"]
    coupon["metadata"] = params.metadata(sent, coupon["metadata"])
    call.store.put(KIND, coupon)
    events.emit(call, "coupon.updated", shown(call, coupon), previous=before)
    return shown(call, coupon)


def delete(call: Call, _sent: Obj, coupon_id: str) -> Obj:
    """Answer `DELETE /v1/coupons/{id}`: it cannot be redeemed any more. Emits: coupon.deleted."""
    coupon = call.get(KIND, coupon_id, param="coupon")
    events.emit(call, "coupon.deleted", shown(call, coupon))
    call.store.remove(coupon_id)
    return {"id": coupon_id, "object": KIND, "deleted": True}


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/coupons`."""
    params.only(sent, {*lists.PAGING, "created"})
    found = lists.page(call, KIND, sent, url="/v1/coupons")
    found["data"] = [shown(call, call.get(KIND, each["id"])) for each in found["data"]]
    return found


def shown(call: Call, coupon: Obj) -> Obj:
    """Return a coupon as it is now: whether it is valid is a matter of time and of use."""
    return visible(coupon | {"valid": is_valid(call, coupon)})


def is_valid(call: Call, coupon: Obj) -> bool:
    """Return whether a coupon can be redeemed."""
    most, until = coupon["max_redemptions"], coupon["redeem_by"]
    is_left = most is None or coupon["times_redeemed"] < most
    return bool(is_left and (until is None or until > call.now))


def assert_valid(call: Call, coupon: Obj) -> None:
    """Refuse a coupon that cannot be redeemed any more.

    Source: https://docs.stripe.com/error-codes#coupon-expired
    """
    if not is_valid(call, coupon):
        message = f"Coupon expired: {coupon['id']}"
        raise ApiError(400, INVALID, message, code="coupon_expired", param="coupon")


def redeem(call: Call, coupon: Obj) -> None:
    """Count one more use. Writes: the coupon. Raises: ApiError coupon_expired."""
    assert_valid(call, coupon)
    coupon["times_redeemed"] += 1
    call.store.put(KIND, coupon)


def _blank(call: Call, coupon_id: str) -> Obj:
    return {
        "id": coupon_id,
        "object": KIND,
        "amount_off": None,
        "created": call.now,
        "currency": None,
        "duration": "once",
        "duration_in_months": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "name": None,
        "percent_off": None,
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }
