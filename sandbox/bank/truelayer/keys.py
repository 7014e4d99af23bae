"""Keys of both sides: the clients' public ones, and those that sign TrueLayer's webhooks."""

from __future__ import annotations

from uuid import uuid4

from sandbox.bank import jws
from sandbox.bank.world import Call
from sandbox.common.wire import Obj

SIGNING, CLIENT = "signing_key", "client_key"


def register(call: Call, kid: str, pem: str) -> Obj:
    """Keep a client's public key. Raises: ValueError for another kind of key."""
    jws.assert_public(pem)
    return call.store.put(CLIENT, {"id": kid, "pem": pem})


def client_key(call: Call, kid: object) -> str | None:
    """Return the public key that a client registered under a kid."""
    found = call.store.find(CLIENT, str(kid))
    return None if found is None else str(found["pem"])


def current(call: Call) -> Obj:
    """Return the key that signs now, made the first time. Writes: maybe the key."""
    for key in call.store.every(SIGNING):
        if key["_label"] == "current":
            return key
    fresh = {"id": str(uuid4()), "pem": jws.new_private_pem(), "_label": "current"}
    return call.store.put(SIGNING, fresh)


def rotate(call: Call, *, forget: bool) -> Obj:
    """Let a new key sign; the one before stays known, or is forgotten at once."""
    before = current(call)
    if forget:
        call.store.remove(before["id"])
    else:
        call.store.put(SIGNING, before | {"_label": "retired"})
    return current(call)


def jwks(call: Call) -> Obj:
    """Return the public keys, the current one first."""
    now = current(call)
    retired = [key for key in call.store.every(SIGNING) if key["id"] != now["id"]]
    return {"keys": [jws.jwk(key["id"], key["pem"]) for key in (now, *reversed(retired))]}
