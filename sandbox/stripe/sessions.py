"""How a checkout session follows its payment intent; creates no session and moves no money."""

from __future__ import annotations

from sandbox.stripe import events
from sandbox.stripe.errors import Obj
from sandbox.stripe.world import Call

KIND = "checkout.session"


def follow(call: Call, intent: Obj) -> None:
    """Bring the session of a moved intent up to date.

    Writes: the session. Emits: checkout.session.completed, async_payment_succeeded|failed.
    """
    session_id = intent.get("_session")
    session = call.store.find(KIND, session_id) if session_id else None
    if session is None:
        return
    status = intent["status"]
    if session["status"] == "open" and status in ("succeeded", "requires_capture", "processing"):
        complete(call, session, paid=status == "succeeded")
    elif session["status"] == "complete" and session["payment_status"] == "unpaid":
        _finish(call, session, intent)


def complete(call: Call, session: Obj, *, paid: bool) -> None:
    """End an open session as complete. Emits: checkout.session.completed."""
    if session["mode"] == "payment":
        session["payment_status"] = "paid" if paid else "unpaid"
    session |= {"status": "complete", "url": None}
    call.store.put(KIND, session)
    events.emit(call, "checkout.session.completed", session)


def expire(call: Call, session: Obj) -> None:
    """End an open session unpaid. Emits: checkout.session.expired."""
    session |= {"status": "expired", "url": None}
    call.store.put(KIND, session)
    events.emit(call, "checkout.session.expired", session)


def _finish(call: Call, session: Obj, intent: Obj) -> None:
    """Tell how a delayed payment, or a capture, ended."""
    delayed = session.get("_delayed")
    if intent["status"] == "succeeded":
        session["payment_status"] = "paid"
        call.store.put(KIND, session)
        if delayed:
            events.emit(call, "checkout.session.async_payment_succeeded", session)
    elif intent["status"] == "requires_payment_method" and delayed:
        events.emit(call, "checkout.session.async_payment_failed", session)
