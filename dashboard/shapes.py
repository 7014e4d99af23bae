"""The small shapes that templates print: states, sums, moments, references, acts, inputs; no logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

# What a view hands to a template: prepared objects by name.
View: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class State:
    """A state by word and shape, colour third."""

    word: str
    shape: str
    tone: str
    note: str | None = None


@dataclass(frozen=True)
class Sum:
    """An amount as people read it; value: the same for machines."""

    amount: str
    currency: str
    value: str


@dataclass(frozen=True)
class Moment:
    """An instant: for machines, in full, from now, and as a clock."""

    iso: str
    absolute: str
    relative: str
    clock: str


@dataclass(frozen=True)
class Ref:
    """Something to copy. short: what is shown instead."""

    label: str
    value: str
    short: str | None = None
    href: str | None = None


@dataclass(frozen=True)
class Link:
    """A link."""

    label: str
    href: str


@dataclass(frozen=True)
class RailMark:
    """A rail or provider with its icon."""

    label: str
    icon: str


@dataclass(frozen=True)
class Person:
    """Who acted. kind: person, worker, provider, api or system."""

    name: str
    kind: str
    initials: str = ""


@dataclass(frozen=True)
class Act:
    """A button. reason: why it may not be pressed; text: what it does; verb: its short word."""

    id: str
    label: str
    href: str
    enabled: bool = True
    reason: str | None = None
    method: str = "get"
    icon: str | None = None
    tone: str = "plain"
    text: str = ""
    verb: str | None = None
    fields: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Option:
    """One choice of a select."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True)
class Input:
    """One field of a form. suggests: the id of a list of what may be chosen."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    hint: str | None = None
    error: str | None = None
    required: bool = False
    optional: bool = False
    maxlength: int | None = None
    placeholder: str | None = None
    autocomplete: str | None = None
    inputmode: str | None = None
    autofocus: bool = False
    rows: int = 3
    submits: bool = False
    is_set: bool = False
    options: Sequence[Option] = ()
    suggests: str | None = None


@dataclass(frozen=True)
class Alert:
    """Something said above the page."""

    tone: str
    title: str
    text: str | None = None
    href: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Empty:
    """What stands where a list has no rows."""

    title: str
    text: str | None = None
    icon: str | None = None
    code: str | None = None
    href: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Tab:
    """One tab over a list. count: a true count, or None where counting would not help."""

    label: str
    href: str
    current: bool
    count: str | None = None


@dataclass(frozen=True)
class FilterBar:
    """The filters of a list. kept: what the form carries on, such as the tab."""

    action: str
    label: str
    search_label: str
    placeholder: str
    q: str
    fields: Sequence[Input]
    kept: Mapping[str, str] = field(default_factory=dict)
    clear_href: str | None = None


@dataclass(frozen=True)
class Pages:
    """The foot of a list."""

    text: str | None = None
    first_href: str | None = None
    newer_href: str | None = None
    older_href: str | None = None


@dataclass(frozen=True)
class Fact:
    """One line of a list of facts: a label and one of the others."""

    label: str
    text: str = ""
    money: Sum | None = None
    state: State | None = None
    ref: Ref | None = None
    at: Moment | None = None
    href: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class FactGroup:
    """A panel of facts."""

    id: str
    title: str
    rows: Sequence[Fact]
    note: str | None = None


@dataclass(frozen=True)
class EntryLine:
    """One side of a movement."""

    account: str
    debit: Sum | None = None
    credit: Sum | None = None


@dataclass(frozen=True)
class Entry:
    """A journal entry as a small table."""

    text: str
    lines: Sequence[EntryLine]
    ref: Ref | None = None
    at: Moment | None = None


@dataclass(frozen=True)
class Change:
    """One row of a difference."""

    object: str
    field: str
    before: str | None
    after: str | None
