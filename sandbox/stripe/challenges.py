"""Open 3DS challenges: who waits for one and where the payer goes afterwards; decides no outcome."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandbox.stripe.errors import Obj
from sandbox.stripe.ids import new_id, random_text
from sandbox.stripe.world import Call


def open_for(call: Call, intent: Obj, *, return_url: str | None, use_stripe_sdk: bool) -> Obj:
    """Open a challenge and return the intent's `next_action`. Writes: the challenge."""
    token = random_text(32)
    by_script = use_stripe_sdk or return_url is None
    call.store.put(
        "challenge",
        {
            "id": token,
            "created": call.now,
            "intent": intent["id"],
            "kind": intent["object"],
            "return_url": None if by_script else return_url,
        },
    )
    intent["_challenge"] = token
    url = f"{call.world.settings.public_url}/3ds/{token}"
    if not by_script:
        return {
            "redirect_to_url": {"return_url": return_url, "url": url},
            "type": "redirect_to_url",
        }
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {
            "source": new_id("src_1"),
            "stripe_js": url,
            "type": "three_d_secure_redirect",
        },
    }


def open_intent(call: Call, token: str) -> tuple[Obj, Obj] | None:
    """Return a challenge and its intent while the intent still waits for it."""
    challenge = call.store.find("challenge", token)
    if challenge is None:
        return None
    intent = call.store.find(challenge["kind"], challenge["intent"])
    if intent is None or intent["status"] != "requires_action" or intent["_challenge"] != token:
        return None
    return challenge, intent


def redirect_target(intent: Obj) -> str | None:
    """Return where the payer must go for the challenge, when it is a page of its own."""
    action = intent["next_action"] or {}
    target = action.get("redirect_to_url", {}).get("url")
    return None if target is None else str(target)


def return_address(return_url: str, intent: Obj, *, failed: bool) -> str:
    """Return the merchant's return URL with what Stripe appends to it."""
    name = intent["object"]
    added = {
        name: intent["id"],
        f"{name}_client_secret": intent["client_secret"],
        "redirect_status": "failed" if failed else "succeeded",
    }
    parts = urlsplit(return_url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query))
