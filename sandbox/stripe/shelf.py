"""The coupons that a sandbox begins with: one that works, one that is over, one that is a share."""

from __future__ import annotations

from sandbox.stripe import coupons, promotions
from sandbox.stripe.errors import Obj
from sandbox.stripe.world import World, unit

LONG_AGO = "1700000000"
# Coupon, and the promotion code that leads to it.
STOCK: tuple[tuple[Obj, Obj], ...] = (
    (
        {
            "id": "welcome-10",
            "name": "10.00 off for newcomers",
            "amount_off": "1000",
            "currency": "eur",
        },
        {"code": "WELCOME10"},
    ),
    (
        {
            "id": "summer-15",
            "name": "15.00 off in summer",
            "amount_off": "1500",
            "currency": "eur",
            "redeem_by": LONG_AGO,
        },
        {"code": "SUMMER15"},
    ),
    ({"id": "share-20", "name": "20 percent off", "percent_off": "20"}, {"code": "SHARE20"}),
)


def stock(world: World) -> None:
    """Put them there unless they are.

    Writes: coupons, promotion codes. Emits: as their making. Transaction: opens its own.
    """
    with unit(world) as call:
        for coupon, code in STOCK:
            if call.store.find(coupons.KIND, coupon["id"]) is None:
                coupons.create(call, dict(coupon))
                of = {"type": "coupon", "coupon": coupon["id"]}
                promotions.create(call, {"promotion": of, **code})
