"""Which wire tells the client what happened to a payment, a refund or a payout."""

from __future__ import annotations

from sandbox.bank.gocardless import events as gocardless
from sandbox.bank.truelayer import events as truelayer
from sandbox.bank.world import GOCARDLESS, TRUELAYER, Call
from sandbox.common.wire import Obj

_TELLERS = {TRUELAYER: truelayer.tell, GOCARDLESS: gocardless.tell}


def tell(call: Call, subject: Obj, moment: str) -> None:
    """Tell the client of a moment in the life of a subject, if its wire has a word for it.

    Emits: the wire's own events.
    """
    _TELLERS[subject["wire"]](call, subject, moment)
