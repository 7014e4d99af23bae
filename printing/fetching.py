"""What WeasyPrint may fetch while it draws: nothing. Fonts and styles are handed to it from memory."""

from __future__ import annotations

from typing import NoReturn

from weasyprint.urls import FatalURLFetchingError, URLFetcher


class NothingFetcher(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
    """Refuses every address and ends the drawing, so that no document silently lacks a part.

    Source: WeasyPrint documentation, "URL Fetchers" and "Security"
    """

    def __init__(self) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False, fail_on_errors=True)

    def fetch(self, url: str, headers: object = None) -> NoReturn:
        """Refuse. The address is not repeated: it may be part of what somebody wrote."""
        del url, headers
        raise FatalURLFetchingError("a document wanted to fetch something")

    def open(self, url: object, data: object = None, timeout: object = None) -> NoReturn:
        """Refuse, too."""
        del url, data, timeout
        raise FatalURLFetchingError("a document wanted to open something")
