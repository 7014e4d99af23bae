"""A content as the HTML of its document: one template a kind, everything escaped, no markup of anybody's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from printing import lettering, words
from printing.contents import (
    CREDIT_NOTE,
    DEPOSIT_INVOICE,
    INVOICE,
    Bill,
    Certificate,
    Content,
    Party,
    Statement,
)

TEMPLATES = Path(__file__).parent.parent / "templates" / "documents"
HEADINGS = {INVOICE: "Invoice", DEPOSIT_INVOICE: "Deposit invoice", CREDIT_NOTE: "Credit note"}
_TEST = "Test document: no money is owed"
# Digits and commas that fit into a usual column of sums.
_BROADEST = 14
Any_ = TypeVar("Any_")


@dataclass(frozen=True)
class Page:
    """What stands around a document: on every page, and in its properties."""

    title: str
    heading: str
    author: str
    subject: str
    foot: str
    mode: str
    made_at: str


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    names: tuple[Callable[..., str], ...] = (
        words.money,
        words.amount,
        words.code,
        words.number,
        words.percent,
        words.day,
        words.short_day,
        words.month,
        words.moment,
        words.country,
    )
    environment.filters.update({name.__name__: name for name in names})
    return environment


_JINJA = _environment()


def warm_up() -> None:
    """Read every template, so that no file is opened later."""
    for name in _JINJA.list_templates(extensions=["html"]):
        _JINJA.get_template(name)


def style() -> str:
    """Give the style of all documents."""
    return (TEMPLATES / "paper.css").read_text(encoding="utf-8")


def spelled(content: Any_, how: Callable[[str], str]) -> Any_:
    """Give a content with every text in it spelled another way."""
    if isinstance(content, str):
        return how(content)  # type: ignore[return-value]  # a str for a str
    if isinstance(content, tuple):
        return tuple(spelled(item, how) for item in content)  # type: ignore[return-value]
    if dataclasses.is_dataclass(content) and not isinstance(content, type):
        values = {each.name: getattr(content, each.name) for each in dataclasses.fields(content)}
        changed = {name: spelled(value, how) for name, value in values.items()}
        return dataclasses.replace(content, **changed)
    return content


def html(content: Content) -> str:
    """Write the HTML of a content whose texts were cleaned."""
    content = spelled(content, lettering.drawable)
    if isinstance(content, Bill):
        return _bill(content)
    if isinstance(content, Certificate):
        return _fill("certificate.html", _certificate_page(content), {"paper": content})
    values = {"paper": content, "is_wide": _is_wide(content.asset, _sums(content))}
    return _fill("statement.html", _statement_page(content), values)


def _sums(paper: Statement) -> list[int]:
    balances = [line.balance_minor for line in paper.lines]
    return [*balances, paper.opening_minor, paper.debits_minor, paper.credits_minor]


def made_at(content: Content) -> datetime:
    """Give the instant that a document bears, so that printing it again gives the same bytes."""
    if isinstance(content, Bill):
        return datetime.combine(content.issued_on, time(), tzinfo=UTC)
    at = content.closed_at if isinstance(content, Certificate) else content.prepared_at
    return at.astimezone(UTC).replace(microsecond=0)


def _fill(name: str, page: Page, values: Mapping[str, object]) -> str:
    return _JINJA.get_template(name).render(page=page, **values)


def _foot(*parts: str | None) -> str:
    return "  ·  ".join(part for part in parts if part)


def _mode(*, is_test: bool) -> str:
    return _TEST if is_test else ""


def _stamp(content: Content) -> str:
    return f"{made_at(content):%Y-%m-%dT%H:%M:%SZ}"


def _seller_foot(seller: Party) -> str:
    place = " ".join(part for part in (seller.postcode, seller.city) if part)
    register = f"Register no. {seller.registration}" if seller.registration else None
    vat_id = f"VAT ID {seller.vat_id}" if seller.vat_id else None
    return _foot(seller.name, place, register, vat_id)


def _bill(bill: Bill) -> str:
    heading = "Final invoice" if bill.deducted else HEADINGS[bill.document]
    page = Page(
        title=f"{heading} {bill.number}",
        heading=heading,
        author=bill.seller.name,
        subject=f"{heading} {bill.number} of {words.day(bill.issued_on)}",
        foot=_seller_foot(bill.seller),
        mode=_mode(is_test=bill.is_test),
        made_at=_stamp(bill),
    )
    is_credit = bill.document == CREDIT_NOTE
    values = {
        "bill": bill,
        "is_credit": is_credit,
        "is_wide": _is_wide(bill.asset, [line.net_minor for line in bill.lines]),
        "has_tax": any(Decimal(line.tax_rate) for line in bill.lines),
        "when": _when(bill),
        "code": _code(bill),
        "remarks": _remarks(bill),
        "asks": _asks(bill),
        "headline": bill.total_minor if bill.is_void or bill.due_minor <= 0 else bill.due_minor,
        "last": _last(bill),
    }
    return _fill("bill.html", page, values)


def _is_wide(asset: str, minors: Iterable[int]) -> bool:
    """Tell whether sums need the broader columns."""
    return max((len(words.amount(minor, asset)) for minor in minors), default=0) > _BROADEST


def _when(bill: Bill) -> str:
    if bill.document == CREDIT_NOTE:
        return "credited"
    if bill.is_void:
        return "void: nothing is to be paid"
    if bill.due_minor <= 0:
        is_waived = bill.credited_minor or bill.written_off_minor
        return "nothing is left to pay" if is_waived else "paid in full, nothing is left to pay"
    return f"due {words.day(bill.due_on)}" if bill.due_on else "due on receipt"


def _asks(bill: Bill) -> bool:
    """Tell whether it says how to pay: never a credit note, nor what is paid or void."""
    is_owed = bill.due_minor > 0 and not bill.is_void
    return bool(bill.pay_url) and is_owed and bill.document != CREDIT_NOTE


def _last(bill: Bill) -> str:
    """Name the sum that everything comes to."""
    if bill.document == CREDIT_NOTE:
        return "Credited"
    return "Total, void" if bill.is_void else "To pay"


def _code(bill: Bill) -> Markup:
    """Draw the address of the pay page as a QR code: lines of our own library, nothing that was written."""
    if not bill.pay_url:
        return Markup()
    drawn = segno.make(bill.pay_url, error="m", micro=False)
    # The markup is segno's: numbers of a path.
    return Markup(drawn.svg_inline(border=0, dark="#101728", omitsize=True))  # noqa: S704


def _remarks(bill: Bill) -> Sequence[str]:
    found = []
    if bill.document == DEPOSIT_INVOICE:
        found.append("This is a deposit. The final invoice takes it off and names this one.")
    if bill.deducted:
        found.append("The lines show the whole order; what deposits have billed is taken off.")
    return found


def _certificate_page(paper: Certificate) -> Page:
    title = f"Close certificate {words.month(paper.period)}"
    return Page(
        title=title,
        heading="Close certificate",
        author=paper.entity,
        subject=f"{title}, closing no. {paper.close_no}",
        foot=_foot(paper.entity, title, f"Snapshot {paper.snapshot_sha256[:16]}"),
        mode="Test document" if paper.is_test else "",
        made_at=_stamp(paper),
    )


def _statement_page(paper: Statement) -> Page:
    title = f"{paper.title}: {paper.label}"
    return Page(
        title=title,
        heading=paper.title,
        author=paper.prepared_by or paper.holder.name,
        subject=f"{title}, {words.day(paper.since)} to {words.day(paper.through)}",
        foot=_foot(paper.prepared_by or None, f"{paper.account}, {words.code(paper.asset)}"),
        mode="Test document" if paper.is_test else "",
        made_at=_stamp(paper),
    )
