"""From a content to the bytes of its document: PDF/A-3b, with the machine's invoice inside where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import pydyf
from weasyprint import CSS, HTML, Attachment
from weasyprint.pdf.metadata import DocumentMetadata
from weasyprint.text.fonts import FontConfiguration

from printing import einvoice, expressible, lettering, pages
from printing.contents import Bill, Content
from printing.facturx_xmp import DESCRIPTIONS
from printing.fetching import NothingFetcher

VARIANT = "pdf/a-3b"
_END = b"</rdf:RDF>"


@dataclass(frozen=True)
class Printed:
    """A document. xml: the machine's invoice that lies in it, or empty."""

    pdf: bytes
    xml: bytes


@lru_cache(maxsize=1)
def _fonts() -> FontConfiguration:
    return FontConfiguration()


@lru_cache(maxsize=1)
def _style() -> CSS:
    return CSS(string=pages.style(), font_config=_fonts(), url_fetcher=NothingFetcher())


def draw(content: Content) -> Printed:
    """Draw a document. The same content gives the same bytes on the same machine.

    Raises: einvoice.NotValid.
    """
    content = pages.spelled(content, lettering.cleaned)
    xml = b""
    if isinstance(content, Bill) and not expressible.why_not(content):
        xml = einvoice.write(content)
    return Printed(_pdf(content, xml), xml)


def _pdf(content: Content, xml: bytes) -> bytes:
    fetcher, made_at = NothingFetcher(), pages.made_at(content)
    laid_out = HTML(string=pages.html(content), url_fetcher=fetcher).render(
        font_config=_fonts(), stylesheets=[_style()], pdf_variant=VARIANT
    )
    attachments = []
    if xml:
        attachments.append(
            Attachment(
                file_obj=BytesIO(xml),
                name=einvoice.FILE_NAME,
                description="Factur-X invoice (EN 16931)",
                relationship="Alternative",
                created=made_at,
                modified=made_at,
                url_fetcher=fetcher,
            )
        )
        _announce(laid_out.metadata)
    target = BytesIO()
    laid_out.write_pdf(target, finisher=_once, attachments=attachments, pdf_variant=VARIANT)
    return target.getvalue()


def _once(_document: object, pdf: pydyf.PDF) -> None:
    """Name each attachment of the document once; WeasyPrint names those of a document twice."""
    if "AF" in pdf.catalog:
        pdf.catalog["AF"] = pydyf.Array(dict.fromkeys(pdf.catalog["AF"]))


def _announce(metadata: DocumentMetadata) -> None:
    """Say in the document's properties which invoice lies within, as PDF/A and Factur-X want it.

    WeasyPrint would set it beside its own description; the standard has one description only.
    """
    own = metadata.generate_rdf_metadata

    def described(variant: str, version: int, conformance: str) -> bytes:
        written: bytes = own(variant, version, conformance)
        return written.removesuffix(_END) + DESCRIPTIONS + _END

    metadata.generate_rdf_metadata = described


def warm_up() -> None:
    """Load everything that drawing needs, so that no file is opened later."""
    lettering.warm_up()
    pages.warm_up()
    einvoice.warm_up()
    _style()
