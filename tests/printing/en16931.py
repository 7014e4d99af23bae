"""The published rules of EN 16931 as Factur-X states them: its schema, and its schematron run by Saxon."""

from __future__ import annotations

import functools
from pathlib import Path

import facturx
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

RULES = Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931"
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
# The schema demands an element of the delivery; where nothing is known of one, it is empty.
UNAVOIDABLE = "PEPPOL-EN16931-R008"


@functools.cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(RULES / "Factur-X_EN16931.xsd"))


@functools.cache
def _saxon() -> tuple[PySaxonProcessor, PyXsltExecutable]:
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    found = compiler.compile_stylesheet(stylesheet_file=str(RULES / "FACTUR-X_EN16931.xslt"))
    return processor, found


def codes(*known: str) -> frozenset[str]:
    """Give the codes of the list that these words are among; of several, what they have in common."""
    lists = [
        {each.get("value", "") for each in found}
        for found in etree.parse(RULES / "FACTUR-X_EN16931_codedb.xml").getroot()
    ]
    return frozenset.intersection(*(frozenset(each) for each in lists if each >= set(known)))


def broken(xml: bytes) -> list[str]:
    """Name every rule that an XML breaks; of the warnings, those that could be heeded."""
    document, schema = etree.fromstring(xml), _schema()
    found = [] if schema.validate(document) else [str(each) for each in schema.error_log]
    processor, rules = _saxon()
    node = processor.parse_xml(xml_text=xml.decode())
    report = etree.fromstring(rules.transform_to_string(xdm_node=node).encode())
    for each in report.iter(f"{_SVRL}failed-assert"):
        said = " ".join(each.findtext(f"{_SVRL}text", "").split())
        if UNAVOIDABLE not in said:
            found.append(f"{each.get('location')}: {said}")
    return found
