"""What a rehearsal does to webhooks on their way: twice, not at all, in another order, forged."""

from __future__ import annotations

import json

from sandbox.bank.gocardless import events as gocardless
from sandbox.bank.truelayer import events as truelayer
from sandbox.bank.truelayer import keys
from sandbox.bank.world import ENDPOINT, GOCARDLESS, TRUELAYER, WIRES, Call, World, unit
from sandbox.common import posting
from sandbox.common.control import BadControl
from sandbox.common.lanes import Parcel
from sandbox.common.wire import Obj

MOST_FORGED = 1_000


def act(world: World, sent: Obj) -> Obj:
    """Answer `POST /_sandbox/deliveries`."""
    known = _ACTS.get(str(sent.get("act")))
    if known is None:
        raise BadControl(f"act is one of {', '.join(_ACTS)}")
    with unit(world) as call:
        return known(call, sent)


def _duplicate(call: Call, sent: Obj) -> Obj:
    """Send an event, or a whole batch, once more."""
    name = str(sent.get("event") or sent["webhook"])
    event = call.store.find(truelayer.EVENT, name)
    if event is not None:
        posting.post(call, name, event["type"], endpoint=TRUELAYER, lane=name)
        return {"sent": [name]}
    webhook = call.store.find(gocardless.WEBHOOK, name)
    inside = call.store.find(gocardless.EVENT, name)
    if webhook is None and inside is None:
        raise BadControl(f"{name} names no event and no webhook")
    if webhook is None and inside is not None:
        webhook = gocardless.put(call, [gocardless.shown(inside)])
    if webhook is not None:
        gocardless.post(call, webhook)
    return {"sent": [webhook["id"] if webhook else name]}


def _drop(call: Call, sent: Obj) -> Obj:
    """Take what still waits of an event out of the post."""
    name = str(sent.get("event") or sent["webhook"])
    with call.store.locked() as db:
        found = db.execute(
            "UPDATE deliveries SET state = 'withheld' WHERE event = ?"
            " AND state IN ('pending', 'held')",
            (name,),
        )
        dropped = found.rowcount
    event = call.store.find(gocardless.EVENT, name)
    if event is not None and event["_parent"] == "waiting":
        call.store.put(gocardless.EVENT, event | {"_parent": "withheld"})
        dropped += 1
    return {"dropped": dropped}


def _hold(call: Call, sent: Obj) -> Obj:
    _set_held(call, _wire(sent), held=True)
    return {"held": _wire(sent)}


def _release(call: Call, sent: Obj) -> Obj:
    """Send what was kept back, in order or, with `reverse`, the last first."""
    wire = _wire(sent)
    _set_held(call, wire, held=False)
    with call.store.locked() as db:
        rows = db.execute(
            "SELECT id, event, lane FROM deliveries WHERE endpoint = ? AND state = 'held'"
            " ORDER BY seq",
            (wire,),
        ).fetchall()
        db.execute(
            "UPDATE deliveries SET state = 'pending' WHERE endpoint = ? AND state = 'held'",
            (wire,),
        )
    ordered = rows[::-1] if sent.get("reverse") in {True, "true"} else rows
    # One lane keeps the order whatever they are about.
    call.outbox.extend(Parcel(row[0], row[1], wire, "released") for row in ordered)
    return {"sent": [row[1] for row in ordered]}


def _forge(call: Call, sent: Obj) -> Obj:
    """Send what the wire never said, or what it said with a signature that does not hold."""
    if _wire(sent) == GOCARDLESS:
        return _forge_batch(call, sent)
    return _send_styled(call, sent, {"kind": "forged"})


def _forge_batch(call: Call, sent: Obj) -> Obj:
    event = call.store.find(gocardless.EVENT, str(sent.get("event", "")))
    made_up = {"id": "EVFORGED", "resource_type": "payments", "action": "confirmed", "links": {}}
    said = gocardless.shown(event) if event else made_up
    webhook = gocardless.put(call, [said | dict(sent.get("body") or {})], style="forged")
    gocardless.post(call, webhook)
    return {"sent": [webhook["id"]]}


def _send_styled(call: Call, sent: Obj, style: Obj) -> Obj:
    event = call.store.find(truelayer.EVENT, str(sent.get("event", "")))
    said = json.loads(event["body"]) if event else {"payment_id": "forged"}
    said |= dict(sent.get("body") or {})
    kind = str(said.pop("type", "payment_settled"))
    made = truelayer.put(call, kind, said, style)
    posting.post(call, made["id"], kind, endpoint=TRUELAYER, lane=made["id"])
    return {"sent": [made["id"]]}


def _unknown_kid(call: Call, sent: Obj) -> Obj:
    """Flood the receiver with signatures of keys that nobody knows."""
    times = min(int(sent.get("times", 1)), MOST_FORGED)
    made = [_send_styled(call, sent, {"kind": "unknown_kid"})["sent"][0] for _ in range(times)]
    return {"sent": made}


def _wrong_jku(call: Call, sent: Obj) -> Obj:
    """Point the receiver at somebody else's keys; the signature itself is true."""
    return _send_styled(call, sent, {"kind": "wrong_jku", "jku": str(sent["jku"])})


def _stale(call: Call, sent: Obj) -> Obj:
    """Sign truly, but as if it were long ago."""
    return _send_styled(call, sent, {"kind": "stale", "seconds": float(sent["seconds"])})


def _rotate(call: Call, sent: Obj) -> Obj:
    now = keys.rotate(call, forget=sent.get("forget") in {True, "true"})
    return {"kid": now["id"], "known": [key["kid"] for key in keys.jwks(call)["keys"]]}


def _wire(sent: Obj) -> str:
    wire = str(sent.get("wire", TRUELAYER))
    if wire not in WIRES:
        raise BadControl(f"wire is one of {', '.join(WIRES)}")
    return wire


def _set_held(call: Call, wire: str, *, held: bool) -> None:
    endpoint = call.store.find(ENDPOINT, wire)
    if endpoint is None:
        raise BadControl(f"{wire} sends no webhooks: it has no address")
    call.store.put(ENDPOINT, endpoint | {"held": held})


_ACTS = {
    "duplicate": _duplicate,
    "resend_batch": _duplicate,
    "drop": _drop,
    "hold": _hold,
    "release": _release,
    "forge": _forge,
    "unknown_kid": _unknown_kid,
    "wrong_jku": _wrong_jku,
    "stale": _stale,
    "rotate_keys": _rotate,
}
