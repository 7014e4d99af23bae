"""Types of the bank desk: statements that came, lines that were matched and unmatched."""

from __future__ import annotations

from domain.event_types.fields import EventType, Field, about_staff, text

_STATEMENT = text("bst_01jd7m6aaa0v5d3k8r6t9w1x2y3z", "The statement.")
_FIELDS = {
    "lineId": text("bln_01jd7m6aab0v5d3k8r6t9w1x2y3z", "The line.", nullable=True),
    "matched": Field("integer", 1, "How many lines it is about that show something of ours."),
    "unmatched": Field("integer", 0, "How many lines it is about that show nothing yet."),
}
_LINE = {
    "statementId": text(
        "bst_01jd7m6aaa0v5d3k8r6t9w1x2y3z", "Its statement; null: typed by hand.", nullable=True
    )
} | _FIELDS
TYPES: tuple[EventType, ...] = (
    about_staff(
        "statement.imported",
        "A bank statement was imported.",
        "imported",
        {"statementId": _STATEMENT} | _FIELDS,
    ),
    about_staff("line.matched", "A bank line was matched with what it shows.", "matched", _LINE),
    about_staff("line.unmatched", "The match of a bank line was taken back.", "unmatched", _LINE),
)
