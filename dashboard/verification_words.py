"""What the last verification of the books found, in a word and a sentence. No routes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core.strictjson import Json
from dashboard import words
from dashboard.shapes import State, View
from domain.books import verification
from domain.desk import Session
from domain.watch import watch_queries

HREF = "/watch#proof-title"
NEVER = State("Not proved yet", "dotted", "quiet")
BROKEN = State("Something is broken", "failed", "bad")
PROVED = State("Proved", "done", "good")


def checks_of(report: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Give the checks of a report."""
    listed = report.get("checks")
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def badge(session: Session) -> View:
    """Say what the last verification found, with the way to all that it proved."""
    report = verification.last_report(session)
    if broken_now := watch_queries.list_red(session):
        labels = "; ".join(each.label for each in broken_now)
        text = f"Broken now, whatever was proved before: {labels}."
        return {"state": BROKEN, "text": text, "at": None, "href": "/watch", "label": "The watch"}
    if report is None:
        text = "Every row is read and proved at night, or when somebody asks for it."
        return {"state": NEVER, "text": text, "at": None, "href": HREF}
    checks = checks_of(report)
    broken = [each for each in checks if not each.get("ok")]
    if broken:
        state, text = BROKEN, f"{broken[0].get('name')}: {broken[0].get('firstBad')}"
    else:
        read = sum(int(str(each.get("rows", 0))) for each in checks)
        state, text = (
            PROVED,
            f"{words.counted(len(checks), 'check')} over {read:,} rows, none failed.",
        )
    at = words.moment(datetime.fromisoformat(str(report["at"])))
    return {"state": state, "text": text, "at": at, "href": HREF}
