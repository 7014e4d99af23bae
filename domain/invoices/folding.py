"""How the money of an order pays its invoices: a pure fold over its payments, whatever their order and number.

Nothing is paid twice: what one payment brings beyond what its own invoice asks for pays what the order's
other invoices still lack, and only then stays visible as too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.book_states import Invoice as Status
from core.states import Payment as PaymentStatus

_FINAL = (PaymentStatus.COMPLETED, PaymentStatus.RELEASED, PaymentStatus.REFUNDED)


@dataclass(frozen=True)
class Asked:
    """One invoice that stands. minor: its total, less what was credited without a refund."""

    invoice_id: str
    minor: int


@dataclass(frozen=True)
class Share:
    """What one payment brings, in minor units. kept: what is final and was not given back;
    returned: final once, and given back; seen: detected, not final.
    """

    payment_id: str
    invoice_id: str | None
    kept: int = 0
    returned: int = 0
    seen: int = 0
    is_open: bool = False


@dataclass
class Pair:
    """What one payment pays of one invoice, in minor units."""

    paid: int = 0
    confirmed: int = 0
    refunded: int = 0


@dataclass(frozen=True)
class Standing:
    """Where an invoice stands. returned: what went back of what it asks for, and wants a credit note."""

    status: Status
    paid: int
    confirmed: int
    refunded: int
    written_off: int
    returned: int


@dataclass
class _Room:
    """An invoice while it is filled."""

    asked: int
    left: int
    paid: int = 0
    confirmed: int = 0
    refunded: int = 0
    returned: int = 0
    written_off: int = 0
    has_attempt: bool = False


@dataclass(frozen=True)
class Folded:
    """Every invoice's standing, and what each payment pays of it, by (invoice id, payment id)."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], Pair] = field(default_factory=dict)


def share(
    payment_id: str,
    invoice_id: str | None,
    status: str,
    *,
    amount: int,
    received: int,
    refunded: int = 0,
    gone: int = 0,
) -> Share:
    """Say what a payment brings to its order's invoices, all in minor units.

    gone: what of the received was credited elsewhere or taken back. What came for an attempt that had
    ended pays nothing: it lies unapplied, and its case decides (resolution C13).
    """
    if status == PaymentStatus.PENDING:
        return Share(payment_id, invoice_id, is_open=True)
    if status == PaymentStatus.PROCESSING:
        return Share(payment_id, invoice_id, seen=max(amount, received), is_open=True)
    if status not in _FINAL:
        return Share(payment_id, invoice_id)
    counts = max(0, received - gone)
    returned = min(refunded, counts)
    return Share(payment_id, invoice_id, kept=counts - returned, returned=returned)


def fold(asked: Sequence[Asked], shares: Sequence[Share], *, written_off: int = 0) -> Folded:
    """Pay an order's standing invoices from its payments.

    asked: in the order in which they were opened; shares: all payments of the order, oldest first;
    written_off: what people gave up of the order. First what is kept, then what is only detected:
    each pays its own invoice, then the others; then what was given back takes the room that is left of
    its own invoice, so that a refunded invoice reads refunded, not open.
    """
    if not asked:
        return Folded()
    table = _Table({each.invoice_id: _Room(each.minor, max(0, each.minor)) for each in asked})
    table.pay(shares, is_final=True)
    table.pay(shares, is_final=False)
    table.give_back(shares)
    for room in table.rooms.values():
        room.written_off = min(room.left, written_off)
        written_off -= room.written_off
    standings = {
        invoice_id: Standing(
            _status(room), room.paid, room.confirmed, room.refunded, room.written_off, room.returned
        )
        for invoice_id, room in table.rooms.items()
    }
    return Folded(standings, table.pairs)


class _Table:
    """The invoices of an order while they are filled, and what each payment has put where."""

    def __init__(self, rooms: dict[str, _Room]) -> None:
        self.rooms = rooms
        self.pairs: dict[tuple[str, str], Pair] = {}
        self._newest = list(rooms)[-1]

    def home(self, one: Share) -> str:
        """Give the invoice that a payment is for; of one that stands no more, the newest that does."""
        named = one.invoice_id
        return named if named is not None and named in self.rooms else self._newest

    def pay(self, shares: Sequence[Share], *, is_final: bool) -> None:
        """Let each payment pay its own invoice, then what others lack; the rest is too much for its own."""
        rest = [(each, each.kept if is_final else each.seen) for each in shares]
        rest = [
            (one, minor - self._put(one, self.home(one), minor, is_final)) for one, minor in rest
        ]
        for one, minor in rest:
            left = minor
            for other in self.rooms:
                left -= self._put(one, other, left, is_final)
            self._add(one, self.home(one), left, is_final)

    def _put(self, one: Share, invoice_id: str, minor: int, is_final: bool) -> int:
        """Pay as much of an invoice as it lacks. Gives how much that was."""
        part = min(minor, self.rooms[invoice_id].left)
        self._add(one, invoice_id, part, is_final)
        return part

    def _add(self, one: Share, invoice_id: str, minor: int, is_final: bool) -> None:
        if minor <= 0:
            return
        room = self.rooms[invoice_id]
        room.left = max(0, room.left - minor)
        for place in (room, self.pairs.setdefault((invoice_id, one.payment_id), Pair())):
            place.paid += minor
            place.confirmed += minor if is_final else 0

    def give_back(self, shares: Sequence[Share]) -> None:
        """Let what was given back take the room that is left of its own invoice."""
        for one in shares:
            home = self.home(one)
            room, back = self.rooms[home], one.returned
            room.has_attempt |= one.is_open
            if back <= 0:
                continue
            room.returned += min(room.left, back)
            room.left = max(0, room.left - back)
            for place in (room, self.pairs.setdefault((home, one.payment_id), Pair())):
                place.paid += back
                place.confirmed += back
                place.refunded += back


def _status(room: _Room) -> Status:
    need = room.asked - room.written_off
    if room.confirmed >= need and (room.confirmed or room.written_off):
        all_back = room.confirmed > 0 and room.refunded >= room.confirmed
        return Status.REFUNDED if all_back else Status.CONFIRMED
    if room.paid >= need and room.paid:
        return Status.PAID
    return Status.PENDING_PAYMENT if room.has_attempt else Status.OPEN
