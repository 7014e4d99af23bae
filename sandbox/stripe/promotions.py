"""Promotion codes: what people type to redeem a coupon, each with limits of its own."""

from __future__ import annotations

from sandbox.stripe import coupons, events, lists, params
from sandbox.stripe.errors import INVALID, ApiError, Obj, invalid, missing
from sandbox.stripe.ids import new_id, random_text
from sandbox.stripe.world import Call, visible

KIND = "promotion_code"
_CREATE = {
    "active", "code", "customer", "expires_at", "max_redemptions", "metadata", "promotion",
    "restrictions",
}  # fmt: skip
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def create(call: Call, sent: Obj) -> Obj:
    """Answer `POST /v1/promotion_codes`. Emits: promotion_code.created.

    Source: https://docs.stripe.com/api/promotion_codes/create
    """
    params.only(sent, _CREATE)
    promotion = params.table(sent, "promotion")
    params.choice(promotion, "type", ("coupon",))
    coupon_id = params.text(promotion, "coupon")
    if coupon_id is None:
        raise missing("promotion[coupon]")
    call.get(coupons.KIND, coupon_id, param="promotion[coupon]", status=400)
    code = params.text(sent, "code", limit=500) or random_text(8).upper()
    if not _LETTERS.issuperset(code):
        raise invalid("Valid characters are letters, digits and dashes.", "code")
    made = _blank(call, code, coupon_id)
    made |= {
        "active": params.flag(sent, "active", True),
        "customer": params.text(sent, "customer"),
        "expires_at": params.whole(sent, "expires_at"),
        "max_redemptions": params.whole(sent, "max_redemptions"),
        "metadata": params.metadata(sent),
        "restrictions": _restrictions(params.table(sent, "restrictions")),
    }
    if made["customer"] is not None:
        call.get("customer", made["customer"], param="customer", status=400)
    _assert_unique(call, made)
    call.store.put(KIND, made)
    events.emit(call, "promotion_code.created", shown(call, made))
    return shown(call, made)


def _restrictions(sent: Obj) -> Obj:
    return {
        "first_time_transaction": params.flag(sent, "first_time_transaction"),
        "minimum_amount": params.whole(sent, "minimum_amount"),
        "minimum_amount_currency": params.text(sent, "minimum_amount_currency"),
    }


def _assert_unique(call: Call, made: Obj) -> None:
    """Refuse a code that is active already, in whatever case, for the same customer or everybody."""
    for other in call.store.every(KIND):
        same = other["code"].lower() == made["code"].lower()
        if same and other["customer"] == made["customer"] and is_active(call, other):
            message = f"An active promotion code with `code: {made['code']}` already exists."
            raise ApiError(400, INVALID, message, code="resource_already_exists", param="code")


def retrieve(call: Call, _sent: Obj, code_id: str) -> Obj:
    """Answer `GET /v1/promotion_codes/{id}`."""
    return shown(call, call.get(KIND, code_id, param="promotion_code"))


def update(call: Call, sent: Obj, code_id: str) -> Obj:
    """Answer `POST /v1/promotion_codes/{id}`. Emits: promotion_code.updated."""
    params.only(sent, {"active", "metadata"})
    code = call.get(KIND, code_id, param="promotion_code")
    before: Obj = {name: code[name] for name in ("active", "metadata") if name in sent}
    code["active"] = params.flag(sent, "active", code["active"])
    code["metadata"] = params.metadata(sent, code["metadata"])
    call.store.put(KIND, code)
    events.emit(call, "promotion_code.updated", shown(call, code), previous=before)
    return shown(call, code)


def listing(call: Call, sent: Obj) -> Obj:
    """Answer `GET /v1/promotion_codes`; a code is found in whatever case it is asked for."""
    params.only(sent, {*lists.PAGING, "active", "code", "coupon", "created", "customer"})
    customer, coupon_id = params.text(sent, "customer"), params.text(sent, "coupon")
    extra = (("$.promotion.coupon", coupon_id),) if coupon_id else ()
    wanted = params.text(sent, "code")
    url = "/v1/promotion_codes"
    if wanted is None:
        found = lists.page(call, KIND, sent, url=url, customer=customer, extra=extra)
    else:
        same = [each for each in call.store.every(KIND) if each["code"].lower() == wanted.lower()]
        of = [each for each in same if customer in (None, each["customer"])]
        found = lists.as_page([each for each in of[::-1] if _is_of(each, coupon_id)]) | {"url": url}
    found["data"] = [shown(call, call.get(KIND, each["id"])) for each in found["data"]]
    if "active" in sent:
        active = params.flag(sent, "active")
        found["data"] = [each for each in found["data"] if each["active"] is active]
    return found


def _is_of(code: Obj, coupon_id: str | None) -> bool:
    return coupon_id in (None, code["promotion"]["coupon"])


def shown(call: Call, code: Obj) -> Obj:
    """Return a code as it is now: it is active only while it and its coupon can be redeemed."""
    return visible(code | {"active": is_active(call, code)})


def is_active(call: Call, code: Obj) -> bool:
    """Return whether a code can be redeemed."""
    coupon = call.store.find(coupons.KIND, code["promotion"]["coupon"])
    most, until = code["max_redemptions"], code["expires_at"]
    is_left = most is None or code["times_redeemed"] < most
    is_open = code["active"] and is_left and (until is None or until > call.now)
    return bool(is_open and coupon is not None and coupons.is_valid(call, coupon))


def assert_redeemable(call: Call, code: Obj, customer: str) -> None:
    """Refuse a code that this customer cannot redeem now."""
    if not is_active(call, code):
        message = "This promotion code cannot be redeemed because it is inactive or has expired."
        raise ApiError(400, INVALID, message, code="coupon_expired", param="promotion_code")
    if code["customer"] not in (None, customer):
        message = "This promotion code cannot be redeemed by this customer."
        raise invalid(message, "promotion_code")


def redeem(call: Call, code: Obj, customer: str) -> None:
    """Count one more use. Writes: the code. Raises: ApiError."""
    assert_redeemable(call, code, customer)
    code["times_redeemed"] += 1
    call.store.put(KIND, code)


def _blank(call: Call, code: str, coupon_id: str) -> Obj:
    return {
        "id": new_id("promo_1"),
        "object": KIND,
        "active": True,
        "code": code,
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "expires_at": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "promotion": {"coupon": coupon_id, "type": "coupon"},
        "restrictions": {},
        "times_redeemed": 0,
    }
