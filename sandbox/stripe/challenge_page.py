"""The 3DS challenge: the page a bank would show, and what its two buttons do."""

from __future__ import annotations

from sandbox.common.wire import Reply, Request
from sandbox.stripe import challenges, confirm, money, setups
from sandbox.stripe.errors import Obj, invalid
from sandbox.stripe.pages import page, redirect
from sandbox.stripe.world import Call, World, unit


def show(world: World, _request: Request, token: str) -> Reply:
    """Answer `GET /3ds/{token}`."""
    with unit(world) as call:
        found = challenges.open_intent(call, token)
    if found is None:
        return page("challenge_over.html", status=410)
    intent = found[1]
    amount = money.shown(intent["amount"], intent["currency"]) if "amount" in intent else None
    return page("challenge.html", amount=amount, token=token)


def decide(world: World, request: Request, token: str) -> Reply:
    """Answer `POST /3ds/{token}`: complete or fail, then back to where the payer came from."""
    passed = request.form().get("outcome") == "complete"
    with unit(world) as call:
        found = challenges.open_intent(call, token)
        if found is None:
            return page("challenge_over.html", status=410)
        challenge, intent = found
        failed = _authenticate(call, intent, passed=passed) is not None
    if challenge["return_url"] is None:
        return page("challenge_done.html", failed=failed, intent=intent["id"])
    return redirect(challenges.return_address(challenge["return_url"], intent, failed=failed))


def authenticate_intent(call: Call, intent_id: str, *, passed: bool) -> Obj:
    """Answer the open challenge of an intent without a browser; returns its status."""
    kind = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
    intent = call.get(kind, intent_id)
    if intent["status"] != "requires_action":
        raise invalid(f"{intent_id} waits for no authentication: {intent['status']}")
    _authenticate(call, intent, passed=passed)
    return {"intent": intent_id, "status": intent["status"]}


def _authenticate(call: Call, intent: Obj, *, passed: bool) -> Obj | None:
    if intent["object"] == "setup_intent":
        return setups.authenticate(call, intent, passed=passed)
    return confirm.authenticate(call, intent, passed=passed)
