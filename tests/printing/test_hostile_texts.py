"""Whatever somebody writes into a document is shown as they wrote it: never run, never fetched, never a file."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from weasyprint import CSS, HTML
from weasyprint.urls import FatalURLFetchingError

from printing.contents import Carried, Check, Party, Signer
from printing.fetching import NothingFetcher
from printing.printers import Printer
from tests.printing.inside import opened
from tests.printing.sheets import AT, bill, certificate, line, statement

CANARY = "canary-7f3a9c21"


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that notes whoever asks it for anything."""
    asked: list[str] = []

    class Noting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def payloads(url: str, path: Path) -> list[str]:
    """Give what people have tried to make printers of HTML fetch, read or run."""
    places = [url, path.as_uri(), f"//{url.partition('//')[2]}/x", "ftp://127.0.0.1/x", str(path)]
    inside = [
        '<img src="{0}">',
        "<link rel=stylesheet href='{0}'>",
        '<link rel=attachment href="{0}">',
        "<style>@import url({0});</style>",
        "<style>body{{background:url({0})}}</style>",
        '</style><style>@font-face{{font-family:x;src:url("{0}")}}*{{font-family:x}}</style>',
        '<iframe src="{0}"></iframe>',
        '<object data="{0}"></object><embed src="{0}">',
        '<svg><image href="{0}"/><use href="{0}#a"/></svg>',
        '<base href="{0}/"><img src="x">',
        '<meta http-equiv="refresh" content="0;url={0}">',
        "<script>fetch('{0}')</script>",
        '" style="background:url({0})" x="',
        "'); @import '{0}'; ('",
    ]
    found = [each.format(place) for place in places for each in inside]
    return [
        *found,
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        "{{ 7*7 }}{% include 'bill.html' %}{{ config }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "]]><ram:Name>x</ram:Name><![CDATA[",
        "<![CDATA[x]]>&lt;b&gt;&amp;#x41;",
        "\\00003cimg src=x\\00003e /* */ content: url(data:text/html,x)",
    ]


def test_sixty_ways_to_fetch_are_only_words(printer: Printer, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY, encoding="utf-8")
    with listening() as (url, asked):
        tried = payloads(url, secret)
        assert len(tried) >= 60
        some = Party(
            tried[0], tuple(tried[1:3]), tried[3], tried[4], "DE", "DE1", tried[5], tried[6]
        )
        found = opened(
            printer,
            bill(
                [line(words=each, rate="0") for each in tried],
                seller=some,
                buyer=replace(some, vat_id=tried[7]),
                number=tried[8],
                reference=tried[9],
                note=tried[10],
                reason=tried[11],
                order_id=tried[12],
            ),
        )
        assert asked == []
    assert CANARY.encode() not in found.document.pdf and CANARY not in found.text
    assert CANARY.encode() not in found.document.xml and b"root:x:" not in found.document.pdf
    assert found.links() == set() and set(found.attachments) <= {"factur-x.xml"}
    shown = "".join(found.text.split())
    assert all("".join(each.split()) in shown for each in tried), "shown as it was written"
    assert "49" not in opened(printer, bill([line(words="{{ 7*7 }}")])).text


def test_words_of_certificates_and_statements_are_only_words(
    printer: Printer, tmp_path: Path
) -> None:
    with listening() as (url, asked):
        for words in payloads(url, tmp_path / "secret.txt")[::12]:
            paper = certificate(
                entity=words,
                note=words,
                checklist=(Check(words, is_ok=True, note=words),),
                carried_forward=(Carried(words, words),),
                signers=(Signer(words, words, words, AT),),
                reopened=(words,),
                verify=(words,),
            )
            shown = "".join(opened(printer, paper).text.split())
            assert "".join(words.split()) in shown
        papers = statement(title=words, label=words, account=words, holder=Party(words), note=words)
        assert "".join(words.split()) in "".join(opened(printer, papers).text.split())
        assert asked == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "https://a.example/",
        "file:///etc/passwd",
        "data:text/css,x",
        "asset:x",
        "",
    ],
)
def test_the_fetcher_refuses_everything_and_ends_the_drawing(address: str) -> None:
    fetcher = NothingFetcher()
    for ask in (fetcher, fetcher.fetch, fetcher.open):
        with pytest.raises(FatalURLFetchingError) as refused:
            ask(address)
        assert "127" not in str(refused.value) and "passwd" not in str(refused.value)


def test_markup_that_got_in_after_all_would_still_fetch_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY, encoding="utf-8")
    with listening() as (url, asked):
        for body in (
            f'<img src="{url}/a">',
            f'<link rel=attachment href="{secret.as_uri()}">',
            f"<style>@import url({url}/b);</style>",
            f'<object data="{secret.as_uri()}"></object>',
        ):
            with pytest.raises(FatalURLFetchingError):
                HTML(string=body, url_fetcher=NothingFetcher()).write_pdf()
        # Within a picture WeasyPrint leaves out what was refused, rather than stop.
        picture = f'<svg><image href="{url}/c"/></svg>'
        HTML(string=picture, url_fetcher=NothingFetcher()).write_pdf()
        with pytest.raises(FatalURLFetchingError):
            CSS(string=f"@import url({url}/d);", url_fetcher=NothingFetcher())
        assert asked == []
