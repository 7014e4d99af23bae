"""What lies in a PDF: its text page by page, fonts, glyphs, properties and attachments."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ContentStream

from printing import wire
from printing.contents import Content
from printing.printers import Document, Printer


@dataclass
class Inside:
    """An opened document."""

    document: Document
    reader: PdfReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = PdfReader(BytesIO(self.document.pdf))

    @cached_property
    def pages(self) -> list[str]:
        return [page.extract_text() for page in self.reader.pages]

    @property
    def text(self) -> str:
        return "\n".join(self.pages)

    @property
    def catalog(self) -> Any:
        return self.reader.trailer["/Root"]

    @property
    def xmp(self) -> bytes:
        found: bytes = self.catalog["/Metadata"].get_object().get_data()
        return found

    @property
    def attachments(self) -> dict[str, bytes]:
        return {name: found[0] for name, found in self.reader.attachments.items()}

    def objects(self) -> list[Any]:
        """Give every object of the file."""
        numbers = range(1, int(str(self.reader.trailer["/Size"])))
        return [self.reader.get_object(number) for number in numbers]

    def fonts(self) -> dict[str, Any]:
        """Give the descriptors of all fonts by their names, without dashes and the tags of their subsets."""
        found = [
            each
            for each in self.objects()
            if isinstance(each, dict) and each.get("/Type") == "/FontDescriptor"
        ]
        return {
            str(each["/FontName"]).lstrip("/").partition("+")[2].replace("-", ""): each
            for each in found
        }

    def glyphs(self) -> list[bytes]:
        """Give the number of every glyph that is drawn, two bytes each."""
        found = []
        for page in self.reader.pages:
            stream = ContentStream(page["/Contents"].get_object(), self.reader)
            for operands, operator in stream.operations:
                if operator in (b"TJ", b"Tj"):
                    parts = operands[0] if operator == b"TJ" else operands
                    found += [_raw(each) for each in parts if not isinstance(each, (int, float))]
        return [text[at : at + 2] for text in found for at in range(0, len(text), 2)]

    def links(self) -> set[str]:
        """Give every address that the document leads to."""
        return {
            str(annotation.get_object()["/A"]["/URI"])
            for page in self.reader.pages
            for annotation in page.get("/Annots", ())
        }


def _raw(text: Any) -> bytes:
    return bytes(text.original_bytes) if hasattr(text, "original_bytes") else bytes(text)


def opened(printer: Printer, content: Content) -> Inside:
    """Print a content and open the document."""
    return Inside(printer.print_out(wire.pack(content)))
