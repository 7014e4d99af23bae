"""Each object is its tenant's: whoever else asks for it gets what an absent one gets, word for word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from api.contract import ENDPOINTS, Endpoint
from core.permissions import HOLDERS, Permission
from core.states import Role
from domain import sequencer
from domain.database import reading
from models.events import EventLog
from models.operations import Operation
from tests.api import personas
from tests.api.personas import Personas
from tests.api.till import Caller, Till, fresh_key
from tests.dashboard.desk import Browser, Desk
from tests.domain import transacting
from tests.domain.wallets import keep_card
from web import access
from web.access import Door

# Only who is not staff can ask for what is somebody else's.
TENANTS = frozenset({Role.BUYER, Role.SELLER, Role.MERCHANT})
# What a call must say so that it gets as far as looking for its object.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/disputes/{disputeId}/evidence": {"submit": False},
    "POST /api/payments/{paymentId}/capture": {},
    "POST /api/payments/{paymentId}/reattempt": {},
    "POST /api/merchants/{merchantId}/api-keys": {
        "name": "theirs",
        "environment": "test",
        "scopes": ["orders:read"],
    },
}
NO_BODY = frozenset({"POST /api/payments/{paymentId}/sync"})
# Documents are printed by the worker; that one waits is told only to whoever may read it.
PRINTED_LATER = frozenset({"INVOICE_NOT_READY", "INVOICE_HAS_NO_XML"})
# Rows that a merchant's own principals never reach by an address of their own.
STAFF_ONLY = frozenset({"caseId", "freezeId"})


@dataclass(frozen=True)
class Owned:
    """What Mel's tenancy holds: the id of each kind of object, by its placeholder."""

    ids: dict[str, str]

    def path(self, pattern: str, *, real: bool) -> str:
        def put(match: re.Match[str]) -> str:
            name = match[1]
            return self.ids[name] if real else f"{self.ids[name].split('_')[0]}_none"

        return re.sub(r"\{(\w+)\}", put, pattern)


def mels(till: Till, who: Personas) -> Owned:
    """Make one object of each kind in Mel's tenancy."""
    order = till.order(who.mels_key, buyerId=who.bo.id, sellerId=who.sal.id)
    payment = till.intent(who.mels_key, order["orderId"])
    till.settle(payment)
    path = f"/api/payments/{payment['paymentId']}/refunds"
    refund = till.post(path, who.mels_key, {"amount": "5.00", "reason": "returned"}).get_json()
    path = f"/api/invoices/{order['invoiceId']}/credit-notes"
    credited = till.post(path, who.fin, {"amount": "1.00", "reason": "goodwill"}).get_json()
    disputed = till.dispute(payment)
    sequencer.number_events(ring=False)
    with reading() as session:
        own = EventLog.payment_id == payment["paymentId"], EventLog.type == "payment.created"
        event = session.scalars(select(EventLog.id).where(*own)).one()
        operation = session.scalars(select(Operation.id)).first()
    return Owned(
        {
            "orderId": order["orderId"],
            "paymentId": payment["paymentId"],
            "userId": who.mel.id,
            "merchantId": who.merchant("Mel's"),
            "keyId": who.mels_key.id,
            "address": f"order:{order['orderId']}:escrow_hold",
            "eventId": str(event),
            "operationId": str(operation),
            "refundId": refund["refundId"],
            "invoiceId": order["invoiceId"],
            "creditNoteId": credited["creditNoteId"],
            "disputeId": disputed,
            "approvalId": refund["approvalId"],
            "paymentMethodId": keep_card(who.bo.id),
            "transactionId": transacting.begin(
                who.bo.id, merchant_id=who.merchant("Mel's")
            ).payment.id,
        }
    )


def reachable() -> list[tuple[Endpoint, Permission]]:
    """List the endpoints of single objects that somebody who is not staff may call."""
    return [
        (each, each.who)
        for each in ENDPOINTS.values()
        if "{" in each.path and isinstance(each.who, Permission) and HOLDERS[each.who] & TENANTS
    ]


def _said(answer: Any) -> tuple[int, Any]:
    said = answer.get_json(silent=True) or {}
    error = dict(said.get("error") or {})
    error.pop("requestId", None)
    return answer.status_code, error


def _ask(client: FlaskClient, found: Endpoint, path: str, caller: Caller) -> tuple[int, Any]:
    headers = caller.headers | {"Idempotency-Key": fresh_key()}
    body: dict[str, Any] = {}
    if found.method not in ("GET", "DELETE") and found.name not in NO_BODY:
        body = {"json": BODIES.get(found.name, {"reason": "x"})}
    answer = client.open(path, method=found.method, headers=headers, **body)
    answer.close()
    return _said(answer)


def test_every_object_of_the_api_is_hidden_from_other_tenants(
    app: Flask, client: FlaskClient, till: Till, who: Personas
) -> None:
    del app
    owned = mels(till, who)
    strangers: list[tuple[Role, Caller]] = [
        (Role.MERCHANT, personas.fresh(who.eve)),
        (Role.MERCHANT, personas.key(who.merchant("Eve's"))),
        (Role.BUYER, personas.user("bob@people.test")),
        (Role.SELLER, personas.user("sam@people.test", role=Role.SELLER)),
    ]
    tried = 0
    for found, permission in reachable():
        names = set(re.findall(r"\{(\w+)\}", found.path))
        if names <= STAFF_ONLY:
            continue
        assert names <= set(owned.ids), f"{found.name}: make one of these for Mel first"
        for role, stranger in strangers:
            real = _ask(client, found, owned.path(found.path, real=True), stranger)
            none = _ask(client, found, owned.path(found.path, real=False), stranger)
            assert real == none, (found.name, role)
            assert real[0] in (403, 404), (found.name, role, real)
            if role in HOLDERS[permission] and isinstance(stranger, personas.Persona):
                assert real[0] == 404, (found.name, role, real)
            tried += 1
    assert tried > 60
    # Nothing was done by any of these, and the owner still finds each of them.
    for found, permission in reachable():
        if found.method == "GET" and Role.MERCHANT in HOLDERS[permission]:
            if set(re.findall(r"\{(\w+)\}", found.path)) <= STAFF_ONLY:
                continue
            answer = client.get(owned.path(found.path, real=True), headers=who.mel.headers)
            is_found = answer.status_code == 200 or _said(answer)[1].get("code") in PRINTED_LATER
            assert is_found, (found.name, answer.text)


PAGES = {
    "payment_id": "paymentId",
    "order_id": "orderId",
    "refund_id": "refundId",
    "approval_id": "approvalId",
    "invoice_id": "invoiceId",
}


def _pages(app: Flask) -> list[tuple[str, Permission]]:
    found = []
    for rule, declared in access.table(app):
        names = set(rule.arguments)
        if declared is None or declared.door != Door.PAGE or declared.permission is None:
            continue
        if names and names <= set(PAGES) and HOLDERS[declared.permission] & TENANTS:
            found += [
                (f"{method} {rule}", declared.permission)
                for method in sorted((rule.methods or set()) & {"GET", "POST"})
            ]
    return found


def _knock(browser: Browser, name: str, ids: dict[str, str], csrf: str) -> tuple[int, str]:
    method, _, pattern = name.partition(" ")
    path = re.sub(r"<(\w+)>", lambda match: ids[PAGES[match[1]]], pattern)
    sent = None if method == "GET" else {"csrf_token": csrf, "reason": "because"}
    answer = browser.client.open(path, method=method, data=sent)
    text = re.sub(r"req_\w+|[\w-]{20,}", "", answer.text)
    for each in ids.values():
        text = text.replace(each, "")
    return answer.status_code, text if answer.status_code == 404 else ""


def test_every_object_of_the_desk_is_hidden_from_other_tenants(
    app: Flask, till: Till, who: Personas
) -> None:
    owned = mels(till, who).ids
    absent = {name: f"{value.split('_')[0]}_none" for name, value in owned.items()}
    desk = Desk(app)
    pages = _pages(app)
    assert len(pages) > 12
    for person in (
        who.eve,
        personas.user("bob@people.test"),
        personas.user("sam@people.test", role=Role.SELLER),
    ):
        browser = desk.browser(person, fresh=True)
        csrf = browser.csrf()
        for name, _ in pages:
            real = _knock(browser, name, owned, csrf)
            none = _knock(browser, name, absent, csrf)
            assert real[0] == none[0], (name, person.email, real[0], none[0])
            assert real[0] in (303, 403, 404), (name, person.email, real[0])
            # A redirect leads only back to the object's own page, which is hidden too.
            assert real[1] == none[1], (name, person.email)
