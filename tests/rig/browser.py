"""A real Chromium for tests; whatever a page complains of in its console fails the test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.rig import locate
from tests.rig.run import MakingFailed

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Two cores are shared with databases, workers and other browsers: what comes comes, and then at once.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
# Violations of the page's own policy reach the console through this listener with their details.
_REPORT_CSP = """document.addEventListener("securitypolicyviolation", (event) => console.error(
  "CSP violation: " + event.violatedDirective + " blocked " + event.blockedURI
  + " at " + event.sourceFile + ":" + event.lineNumber + " " + event.sample))"""


@dataclass
class Watch:
    """What the pages of a test complained of. Expected complaints are named with `expect`."""

    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, *parts: str) -> None:
        """Accept complaints that contain one of these texts, such as `status of 422`."""
        self.expected.extend(parts)

    def unexpected(self) -> list[str]:
        """Give the complaints that nobody expected."""
        return [said for said in self.complaints if not any(part in said for part in self.expected)]

    def listen(self, context: BrowserContext) -> None:
        """Collect errors of scripts, of the console and of the content security policy."""
        context.add_init_script(_REPORT_CSP)
        context.on("console", self._heard)
        context.on("weberror", lambda failure: self.complaints.append(f"script: {failure.error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "assert"}:
            where = message.location.get("url", "")
            self.complaints.append(f"{message.type}: {message.text} ({where})")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Lend a running browser.

    Raises: MakingFailed, with what to install, when there is none.
    """
    program = locate.find_browser()
    if program is None:
        raise MakingFailed(locate.NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def context(browser: Browser, watch: Watch, **options: object) -> Iterator[BrowserContext]:
    """Lend a fresh, watched browser context: no cookies, no cache, en-GB, UTC, 1280 by 900."""
    settings: dict[str, object] = {
        "locale": "en-GB",
        "timezone_id": "UTC",
        "viewport": {"width": 1280, "height": 900},
    }
    opened = browser.new_context(**(settings | options))  # type: ignore[arg-type]
    opened.set_default_timeout(PATIENCE_MS)
    watch.listen(opened)
    try:
        yield opened
    finally:
        opened.close()


def keep_picture(page: Page, name: str) -> Path:
    """Save what the page shows, for the report of a failed test, and say where."""
    folder = Path(tempfile.gettempdir()) / "paydesk-pictures"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
