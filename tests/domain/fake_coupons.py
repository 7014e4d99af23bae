"""The coupons and invoices of the fake rail: Stripe's own steps, answered from memory, with keys and faults."""

from __future__ import annotations

import copy
import itertools
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import stripe

from core import clock
from providers.coupon_seam import NewCoupon, SaidCoupon
from providers.list_seam import Listed
from providers.new_payment import Created
from providers.said import Reading
from providers.stripe import coupons, invoices

_numbers = itertools.count(1)
# The SDK's errors are made by functions without types.
_SDK: Any = stripe
# Of what a scripted call does: nothing and cut off, all of it and cut off, a plain no, all of it and then
# the process that called is dead, or a failure that Stripe keeps answering under that key.
BEFORE, AFTER, REFUSED, DEAD, STUCK = "before", "after", "refused", "dead", "stuck"


class Died(BaseException):
    """The process that called is no more: nothing of it runs on."""


def coupon(coupon_id: str, amount_off: int | None = 1_000, **more: object) -> dict[str, Any]:
    """Make a coupon as Stripe writes it; 10.00 EUR unless told otherwise."""
    return {
        "id": coupon_id,
        "object": "coupon",
        "amount_off": amount_off,
        "currency": "eur" if amount_off else None,
        "percent_off": None if amount_off else 20.0,
        "name": f"{coupon_id} for you",
        "valid": True,
        "max_redemptions": None,
        "times_redeemed": 0,
        "applies_to": None,
    } | more


@dataclass
class FakeStripe:
    """What `api.v1` offers of coupons. script: what befalls the next calls, by name; made: calls in order."""

    coupons_: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    script: list[tuple[str, str]] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    # What the discount takes off at most; a test may have it cover less than the item.
    covers: int | None = None
    lock: Any = field(default_factory=threading.RLock)

    @property
    def v1(self) -> FakeStripe:
        return self

    @property
    def promotion_codes(self) -> _Codes:
        return _Codes(self)

    @property
    def coupons(self) -> _Coupons:
        return _Coupons(self)

    @property
    def invoices(self) -> _Invoices:
        return _Invoices(self)

    @property
    def invoice_items(self) -> _Items:
        return _Items(self)

    def code(self, text: str, of: str, **more: object) -> None:
        """Make a promotion code of a coupon."""
        self.codes.append(
            {
                "id": f"promo_{next(_numbers)}",
                "object": "promotion_code",
                "code": text,
                "active": True,
                "customer": None,
                "expires_at": None,
                "max_redemptions": None,
                "times_redeemed": 0,
                "restrictions": {"minimum_amount": None, "first_time_transaction": False},
                "promotion": {"type": "coupon", "coupon": self.coupons_[of]},
            }
            | more
        )

    def call(self, name: str, key: str | None, act: Any) -> Any:
        """Do what a call asks once per key, with what the script has in store for it."""
        with self.lock:
            self.made.append(name)
            fault = None
            if self.script and self.script[0][0] == name:
                fault = self.script.pop(0)[1]
            if fault == BEFORE:
                raise _SDK.APIConnectionError("cut off")
            if fault == REFUSED:
                raise _SDK.InvalidRequestError("No.", None, code="coupon_expired", http_status=400)
            if key in self.stuck:
                raise _SDK.APIError("again", http_status=500)
            if key is None or key not in self.answers:
                answer = copy.deepcopy(act())
                if key is not None:
                    self.answers[key] = answer
            else:
                answer = self.answers[key]
            if fault == STUCK:
                self.stuck.add(str(key))
                raise _SDK.APIError("stored", http_status=500)
            if fault == AFTER:
                raise _SDK.APIConnectionError("cut off")
            if fault == DEAD:
                raise Died
            return stripe.StripeObject.construct_from(copy.deepcopy(answer), None)


def _listed(found: list[dict[str, Any]]) -> Any:
    body = {"object": "list", "data": copy.deepcopy(found), "has_more": False, "url": "/v1/x"}
    return stripe.ListObject.construct_from(body, None)


def _missing(what: str) -> Exception:
    error: Exception = _SDK.InvalidRequestError(
        f"No such {what}", "id", code="resource_missing", http_status=404
    )
    return error


def _key(options: Any) -> str | None:
    return None if options is None else str(options["idempotency_key"])


@dataclass
class _Codes:
    at: FakeStripe

    def list(self, params: Any) -> Any:
        same = [e for e in self.at.codes if e["code"].lower() == params["code"].lower()]
        return _listed(same)


@dataclass
class _Coupons:
    at: FakeStripe

    def retrieve(self, name: str, params: Any = None) -> Any:
        del params
        if name not in self.at.coupons_:
            raise _missing("coupon")
        return stripe.StripeObject.construct_from(copy.deepcopy(self.at.coupons_[name]), None)


@dataclass
class _Items:
    at: FakeStripe

    def create(self, params: Any, options: Any) -> Any:
        def act() -> dict[str, Any]:
            invoice = self.at.kept[params["invoice"]]
            assert invoice["status"] == "draft"
            invoice["subtotal"] += params["amount"]
            off = min(invoice["subtotal"], self.at.covers or invoice["_off"])
            invoice["total"] = invoice["subtotal"] - off
            invoice["total_discount_amounts"] = [{"amount": off, "discount": "di_1"}]
            return {"id": f"ii_{next(_numbers)}", "object": "invoiceitem"}

        return self.at.call("item", _key(options), act)


@dataclass
class _Invoices:
    at: FakeStripe

    def create(self, params: Any, options: Any) -> Any:
        [discount] = params["discounts"]
        code = next((e for e in self.at.codes if e["id"] == discount.get("promotion_code")), None)
        of = code["promotion"]["coupon"] if code else self.at.coupons_[discount["coupon"]]
        assert params["auto_advance"] is False
        assert params["customer"].startswith("cus_")

        def act() -> dict[str, Any]:
            name = f"in_{next(_numbers)}"
            self.at.kept[name] = {
                "id": name,
                "object": "invoice",
                "status": "draft",
                "currency": params["currency"],
                "customer": params["customer"],
                "created": clock.unix(),
                "metadata": dict(params["metadata"]),
                "subtotal": 0,
                "total": 0,
                "amount_paid": 0,
                "total_discount_amounts": [],
                "_off": of["amount_off"],
            }
            return self.at.kept[name]

        return self.at.call("invoice", _key(options), act)

    def retrieve(self, name: str) -> Any:
        if name not in self.at.kept:
            raise _missing("invoice")
        return self.at.call("read", None, lambda: self.at.kept[name])

    def list(self, params: Any) -> Any:
        with self.at.lock:
            self.at.made.append("list")
            recent = [e for e in self.at.kept.values() if e["created"] >= params["created"]["gte"]]
            return _listed(recent[::-1])

    def finalize_invoice(self, name: str, params: Any, options: Any) -> Any:
        assert params == {"auto_advance": False}

        def act() -> dict[str, Any]:
            invoice = self.at.kept[name]
            if invoice["status"] != "draft":
                raise _SDK.InvalidRequestError("Finalized already.", None, http_status=400)
            assert invoice["subtotal"] > 0, "an empty invoice would spend the coupon for nothing"
            invoice["status"] = "paid" if invoice["total"] == 0 else "open"
            return invoice

        return self.at.call("finalize", _key(options), act)

    def delete(self, name: str) -> Any:
        def act() -> dict[str, Any]:
            if name not in self.at.kept:
                raise _missing("invoice")
            assert self.at.kept[name]["status"] == "draft"
            return self.at.kept.pop(name)

        return self.at.call("delete", None, act)

    def void_invoice(self, name: str, params: Any, options: Any) -> Any:
        del params

        def act() -> dict[str, Any]:
            assert self.at.kept[name]["status"] == "open"
            self.at.kept[name]["status"] = "void"
            return self.at.kept[name]

        return self.at.call("void", _key(options), act)


@dataclass
class FakeCoupons:
    """The rail's side of coupons: the real steps on the fake `api`."""

    stripe: FakeStripe = field(default_factory=FakeStripe)

    def _scripted(self, call: str) -> Exception | None:
        raise AssertionError(f"{call} has no script")

    def find_coupon(self, text: str, *, customer: str | None) -> SaidCoupon | None:
        if error := self._scripted("find_coupon"):
            raise error
        return coupons.find(self.stripe, text, customer=customer)  # type: ignore[arg-type]

    def apply_coupon(self, new: NewCoupon, *, key: str) -> Created:
        if error := self._scripted("apply_coupon"):
            raise error
        return coupons.apply(self.stripe, new, key=key)  # type: ignore[arg-type]

    def fetch_invoice(self, reference: str) -> Reading:
        return coupons.fetch(self.stripe, reference)  # type: ignore[arg-type]

    def void_invoice(self, reference: str, *, key: str) -> Reading:
        return coupons.void(self.stripe, reference, key=key)  # type: ignore[arg-type]

    def listed_invoices(self) -> list[Listed]:
        return [
            Listed(name, invoices.read_invoice(found, said_at=clock.now()))
            for name, found in list(self.stripe.kept.items())
        ]

    def find_invoice(self, payment_id: str, *, since: datetime) -> Created | None:
        return coupons.find_made(self.stripe, payment_id, since=since)  # type: ignore[arg-type]
