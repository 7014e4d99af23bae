"""The three-lane timeline as the templates draw it: steps of one second, cards per lane, the axis above."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from core import rail_words
from core.fold import AWAITING_BANK
from core.money import Money
from core.states import ON_DESK
from dashboard import axis, books, states, words
from dashboard.axis import Axis, Lag, Mark
from dashboard.shapes import Moment, Person, Ref, State, Sum
from domain.payments.timeline import Lags
from domain.payments.timeline_items import Item
from models.ledger import JournalEntry

# From here on the wait between two lanes is worth a word, and from here on it is a worry.
WORTH_SAYING, WORRYING = 3.0, 60.0
_ICONS = {
    "created": "payments",
    "progress": "clock",
    "state": "check",
    "escrow": "escrow",
    "fact": "provider",
    "mark": "approvals",
    "deadline": "calendar",
    "approval": "approvals",
    "webhook": "webhooks",
    "attempt": "replay",
    "operation": "out",
    "note": "note",
    "case": "exceptions",
    "bank_line": "bank",
}
_KINDS = {
    "fact": "api_read",
    "webhook": "inbound",
    "attempt": "inbound",
    "case": "exception",
    "state": "transition",
}
_LIGHT = frozenset({"webhook", "operation", "note", "progress", "escrow", "attempt"})


@dataclass(frozen=True)
class Amount:
    """One labelled sum on a card."""

    label: str
    sum: Sum


@dataclass(frozen=True)
class Card:
    """One thing that happened, in its lane."""

    id: str
    at: datetime
    lane: str
    kind: str
    icon: str
    text: str
    weight: str = "plain"
    tone: str | None = None
    state: State | None = None
    actor: Person | None = None
    reason: str | None = None
    note: str | None = None
    references: Sequence[Ref] = ()
    money: Sequence[Amount] = ()
    code: bool = False
    attempts: Sequence[object] = ()


@dataclass(frozen=True)
class Wait:
    """A lag worth naming, drawn before a step."""

    tone: str
    shape: str
    text: str


@dataclass(frozen=True)
class Step:
    """Everything of one second."""

    at: Moment
    after: str | None
    day: str | None
    gap: Wait | None
    entries: Sequence[Card]


@dataclass(frozen=True)
class Timeline:
    """The whole panel."""

    note: str
    moments: Sequence[Step]
    axis: Axis | None = None
    order_href: str | None = None
    order_label: str | None = None


@dataclass(frozen=True)
class Told:
    """What a timeline is made of. provider: its label; movements: by entry id; asked: purpose, sum.

    reads_journal: whether the reader may open the pages of entries.
    """

    items: Sequence[Item]
    entries: Sequence[JournalEntry]
    movements: Mapping[str, list[tuple[str, str, Money]]]
    provider: str
    asked: Mapping[str, tuple[str, Sum]] = field(default_factory=dict)
    lags: Lags | None = None
    lag_words: Sequence[Lag] = field(default_factory=tuple)
    reads_journal: bool = False


def _state_words() -> dict[str, State]:
    found = {ON_DESK["order"][name].lower(): state for name, state in states.ORDER.items()}
    return found | {
        ON_DESK["payment"][name].lower(): state for name, state in states.PAYMENT.items()
    }


_STATES = _state_words()


def _references(item: Item) -> list[Ref]:
    found = []
    for name, value in item.references.items():
        if not value:
            continue
        if name == "inbound":
            event = item.references.get("event") or value
            found.append(words.ref("event id", event, href=f"/webhooks/{value}"))
        elif name == "case":
            found.append(words.ref("case id", value, href=f"/exceptions/{value}"))
        elif name == "line":
            found.append(words.ref("bank line", value, href=f"/bank/lines/{value}"))
        elif name == "approval":
            found.append(words.ref("approval id", value, href=f"/approvals/{value}"))
        elif name == "source" and value.startswith("inbound:"):
            inbound_id = value.removeprefix("inbound:")
            found.append(words.ref("inbound id", inbound_id, href=f"/webhooks/{inbound_id}"))
        elif name in ("operation", "reference"):
            found.append(words.ref(_REFERENCE[name], value))
    return found


_REFERENCE = {
    "operation": "operation id",
    "reference": "provider reference",
}


_WEBHOOK = re.compile(r"Webhook (\S+) received(?:, (\d+) more times)?")


def _words(item: Item) -> tuple[str, str | None]:
    """Give an item's own words; a webhook is its type, with how often it came."""
    found = _WEBHOOK.fullmatch(item.text) if item.kind == "webhook" else None
    if found is None:
        return item.text, None
    return found[1], f"webhook, {int(found[2]) + 1} copies" if found[2] else "webhook"


def _actor(item: Item, provider: str) -> Person | None:
    if item.actor:
        return words.named_person(item.actor)
    return Person(provider, "provider") if item.lane == "provider" else None


def _card(item: Item, number: int, told: Told, *, links: bool) -> Card:
    is_bad = item.level == "bad"
    words_after = item.text.rsplit("→", 1)[-1].strip().lower() if item.kind == "state" else ""
    mapping = item.references.get("mapping") if item.kind == "state" else None
    weight = "main" if item.level == "strong" else "light" if item.kind in _LIGHT else "plain"
    text, more = _words(item)
    purpose, asked = told.asked.get(item.payment_id or "", ("", None))
    is_start = item.kind == "created" and asked is not None
    return Card(
        id=f"{item.lane}-{number}",
        at=item.at,
        lane=item.lane,
        kind=_KINDS.get(item.kind, item.kind),
        icon=_ICONS.get(item.kind, "info"),
        text=f"{purpose} payment started" if is_start else text,
        code=item.kind == "webhook",
        weight=weight,
        tone="bad" if is_bad and item.kind != "case" else "warn" if is_bad else None,
        state=_STATES.get(words_after),
        actor=_actor(item, told.provider),
        reason=item.reason,
        note=f"mapping v{mapping}" if mapping else more,
        money=[Amount("Asked", asked)] if is_start and asked else [],
        references=_references(item) if links else [],
    )


def _posted(entry: JournalEntry, told: Told) -> datetime:
    """Place an entry after the change that it was committed with, whichever was stamped first."""
    together = [
        item.at
        for item in told.items
        if item.references.get("source") == entry.source
        and abs(item.at - entry.posted_at) < timedelta(seconds=1)
    ]
    return max([entry.posted_at, *together])


def _entry_card(entry: JournalEntry, told: Told) -> Card:
    href = f"/journal/{entry.id}" if told.reads_journal else None
    money = [
        Amount(f"{books.account(debit)} ← {books.account(credit)}", words.shown(sum_))
        for debit, credit, sum_ in told.movements.get(entry.id, [])
    ]
    money += [Amount(label, sum_) for label, sum_ in books.booking_sums(entry)]
    return Card(
        id=entry.id,
        at=_posted(entry, told),
        lane="books",
        kind="posting",
        icon="book",
        text=books.entry_words(entry),
        weight="main",
        actor=Person("Ledger", "system"),
        reason=entry.note,
        note=books.booking_note(entry),
        references=[words.ref("journal entry", entry.id, href=href)],
        money=money,
    )


def _cards(told: Told, *, links: bool) -> list[Card]:
    heard = _heard(told.items)
    found = [
        _card(replace(item, at=_placed(item, heard)), number, told, links=links)
        for number, item in enumerate(told.items)
        if item.lane != "books"
    ]
    found += [_entry_card(entry, told) for entry in told.entries]
    return sorted(found, key=lambda card: (card.at, _LANES.index(card.lane), _rank(card), card.id))


def _heard(items: Sequence[Item]) -> dict[str, datetime]:
    """Say when each source was heard: a webhook arrived, an answer was asked for."""
    found: dict[str, datetime] = {}
    for item in items:
        if item.kind == "webhook":
            found[f"inbound:{item.references.get('inbound')}"] = item.at
        elif item.kind == "operation":
            asked = f"operation:{item.references.get('operation')}"
            found[asked] = item.at + timedelta(milliseconds=1)
        elif item.lane == "us" and (source := item.references.get("source")):
            # Who may not see webhooks still sees what they caused.
            found.setdefault(source, item.at)
    return found


def _placed(item: Item, heard: Mapping[str, datetime]) -> datetime:
    """Place a provider's fact inside its second: they tell whole seconds, we hear within them.

    A fact heard in the very second it names is drawn just before it was heard, never after.
    """
    at = heard.get(item.references.get("heard", ""))
    if item.kind != "fact" or item.at.microsecond or at is None:
        return item.at
    is_same_second = item.at <= at < item.at + timedelta(seconds=1)
    return at - timedelta(microseconds=1) if is_same_second else item.at


def _rank(card: Card) -> int:
    """Order what a provider told of one moment: first made, then tried, in the end settled."""
    if card.kind != "api_read":
        return len(_ORDER) + 1
    return next((no for no, first in enumerate(_ORDER) if card.text.startswith(first)), len(_ORDER))


_LANES = ("provider", "us", "books")
# How what is told of one moment begins, on any rail.
_ORDER: Sequence[tuple[str, ...]] = (
    ("Created",),
    ("Waiting",),
    rail_words.fact_words("attempt_failed"),
    rail_words.fact_words("requires_action"),
    ("Processing", *rail_words.fact_words(AWAITING_BANK)),
    ("Authorised",),
)


def build(told: Told, *, links: bool, note: str, order: tuple[str, str] | None = None) -> Timeline:
    """Prepare a timeline. links: whether the reader may open webhooks and cases; order: href, label."""
    cards = _cards(told, links=links)
    chart = _chart(cards, told) if cards else None
    href, label = order or (None, None)
    return Timeline(note, _steps(cards, told), chart, href, label)


def _steps(cards: Sequence[Card], told: Told) -> list[Step]:
    if not cards:
        return []
    first, found, days, said = cards[0].at, list[Step](), "", False
    for second, group in groupby(cards, key=lambda card: card.at.replace(microsecond=0)):
        entries = list(group)
        today = words.day(second)
        since = second - first.replace(microsecond=0)
        gap = None
        if not said and any(_is_settled(card) for card in entries):
            gap, said = _wait(told), True
        found.append(
            Step(
                at=words.moment(second),
                after=f"+{words.span(since.total_seconds())}" if since > timedelta(0) else None,
                day=today if today != days else None,
                gap=gap,
                entries=entries,
            )
        )
        days = today
    return found


def _is_settled(card: Card) -> bool:
    return (
        card.lane == "us"
        and card.kind == "transition"
        and card.state == states.PAYMENT["completed"]
    )


def _wait(told: Told) -> Wait | None:
    seconds = told.lags.provider_to_us_seconds if told.lags else None
    if seconds is None or seconds < WORTH_SAYING:
        return None
    tone = "warn" if seconds >= WORRYING else "quiet"
    return Wait(tone, "expired", f"{told.provider} was {words.span(seconds)} ahead of us")


def _chart(cards: Sequence[Card], told: Told) -> Axis:
    marks = {
        card.id: Mark(card.at, card.lane, f"{card.at:%H:%M:%S} {card.text}", card.weight, card.tone)
        for card in cards
    }
    said = next((card for card in cards if card.lane == "provider" and card.weight == "main"), None)
    applied = next((card for card in cards if _is_settled(card)), None)
    booked = next((card for card in cards if card.lane == "books"), None)
    pairs = [(said, applied), (applied, booked)]
    tones = _link_tones(told.lags)
    links = [
        (marks[left.id], marks[right.id], tone)
        for (left, right), tone in zip(pairs, tones, strict=True)
        if left is not None and right is not None
    ]
    return axis.draw(list(marks.values()), lags=told.lag_words, links=links)


def _link_tones(lags: Lags | None) -> tuple[str, str]:
    return (
        lag_tone(lags.provider_to_us_seconds if lags else None)[0],
        lag_tone(lags.us_to_books_seconds if lags else None)[0],
    )


def lag_tone(seconds: float | None) -> tuple[str, str]:
    """Give the tone and shape of a wait between two lanes."""
    if seconds is None:
        return "quiet", "skip"
    if seconds >= WORRYING:
        return "warn", "expired"
    return "good", "done"
