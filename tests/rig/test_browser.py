"""The browser of the tests hears what a page complains of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page

from tests.rig.browser import Watch

PAGES = {
    "/quiet": "<!doctype html><title>q</title><h1>All well</h1>",
    "/inline": "<!doctype html><title>i</title><p style='color:red'>Red</p>",
    "/script": "<!doctype html><title>s</title><script src='/broken.js'></script>",
}


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGES.get(self.path, "throw new Error('on purpose')").encode()
        kind = "text/html" if self.path in PAGES else "text/javascript"
        self.send_response(204 if self.path == "/favicon.ico" else 200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        if self.path != "/favicon.ico":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def hears(page: Page, watch: Watch, text: str) -> bool:
    """Wait until a complaint came; a page may have loaded before its events are told."""
    for _ in range(200):
        if any(text in said for said in watch.complaints):
            return True
        page.wait_for_timeout(25)
    return False


def test_a_quiet_page_shows_and_complains_of_nothing(page: Page, watch: Watch, site: str) -> None:
    page.goto(f"{site}/quiet")
    assert page.get_by_role("heading").inner_text() == "All well"
    assert watch.complaints == []


def test_a_violation_of_the_content_policy_is_heard(page: Page, watch: Watch, site: str) -> None:
    page.goto(f"{site}/inline")
    watch.expect("Content Security Policy", "CSP violation: style-src")
    assert hears(page, watch, "CSP violation: style-src-attr")
    assert watch.unexpected() == []


def test_an_error_of_a_script_is_heard(page: Page, watch: Watch, site: str) -> None:
    page.goto(f"{site}/script")
    watch.expect("on purpose")
    assert hears(page, watch, "on purpose")
