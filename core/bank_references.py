"""References that travel with a bank transfer: what each scheme carries, how they are cleaned, made and compared."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import FieldError, InvalidInput
from core.ids import ALPHABET

HEAD = "PD"
# 70 bits of the id's own 100: two of a hundred million payments share them once in a thousand houses.
_RANDOM = 14
LONGEST = 140


@dataclass(frozen=True)
class Scheme:
    """What one payment scheme carries. signs: what may stand beside letters and digits."""

    name: str
    label: str
    longest: int
    signs: str
    is_upper: bool = False
    is_sepa: bool = False


# Sources: Faster Payments and Bacs, Pay.UK: 18 characters, Bacs in capitals only; SEPA, EPC217-08
# "SEPA requirements for an extended character set": 140 characters of the basic Latin set, no "/" at
# either end and no "//". `generic` is what all of them carry, for a bank of which nothing is known.
SCHEMES: Mapping[str, Scheme] = {
    each.name: each
    for each in (
        Scheme("faster_payments", "Faster Payments", 18, " /-?:().,'+"),
        Scheme("sepa", "SEPA", LONGEST, " /-?:().,'+", is_sepa=True),
        Scheme("bacs", "Bacs", 18, " ./-&", is_upper=True),
        Scheme("generic", "any bank", 18, " ./-"),
    )
}
GENERIC = "generic"
# What no decomposition turns into Latin letters.
_LETTERS = str.maketrans(
    {"ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l"}
    | {"Đ": "D", "đ": "d", "Þ": "TH", "þ": "th", "’": "'", "‘": "'", "–": "-", "—": "-", "‐": "-"}
)
_CREDITOR = re.compile(r"RF\d\d[A-Z0-9]{1,21}", re.ASCII)
_LOOKS_LIKE_CREDITOR = re.compile(r"RF\d\d", re.ASCII)
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_NO_SIGN = re.compile(r"[^0-9A-Z]+", re.ASCII)


@dataclass(frozen=True)
class Checked:
    """A reference as it would be sent, and what is wrong with it in words; nothing: it may be sent."""

    reference: str
    problems: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether the scheme carries it."""
        return not self.problems


def clean(reference: str, scheme: Scheme) -> str:
    """Write a reference with the scheme's letters: accents go, blanks are single, capitals where asked.

    Nothing is cut and no sign is dropped: that would be another reference.
    """
    text = unicodedata.normalize("NFKD", reference.translate(_LETTERS))
    text = "".join(sign for sign in text if not unicodedata.combining(sign))
    text = " ".join(text.split())
    return text.upper() if scheme.is_upper else text


def check(reference: str, scheme: str = GENERIC) -> Checked:
    """Clean a reference and say what keeps a scheme from carrying it.

    Source: the table of schemes above; ISO 11649 for creditor references
    """
    own = SCHEMES[scheme]
    text = clean(reference, own)
    return Checked(text, tuple(_problems(text, own)))


def _problems(text: str, scheme: Scheme) -> list[str]:
    if not text:
        return ["A reference cannot be empty."]
    found = []
    if len(text) > scheme.longest:
        found.append(
            f"It has {len(text)} characters; {scheme.label} carries at most {scheme.longest}."
        )
    strange = sorted({sign for sign in text if not _is_carried(sign, scheme)})
    if strange:
        shown = " ".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in strange)
        found.append(f"{scheme.label} does not carry: {shown[:60]}")
    if scheme.is_sepa and (text.startswith("/") or text.endswith("/") or "//" in text):
        found.append("SEPA allows no slash at either end and no two beside each other.")
    if not any(sign.isalnum() for sign in text):
        found.append("It needs a letter or a digit.")
    if scheme.is_sepa and _LOOKS_LIKE_CREDITOR.match(text.upper()) and not is_creditor(text):
        found.append("It begins like a creditor reference (RF), but its check digits are wrong.")
    return found


def _is_carried(sign: str, scheme: Scheme) -> bool:
    return sign in scheme.signs or (sign.isascii() and sign.isalnum())


def is_creditor(text: str) -> bool:
    """Tell whether a text is a creditor reference with the right check digits.

    Source: ISO 11649:2009; check digits by ISO/IEC 7064, modulus 97-10
    """
    plain = text.replace(" ", "").upper()
    if not _CREDITOR.fullmatch(plain):
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def assert_carried(reference: str, scheme: str = GENERIC, *, field: str = "reference") -> str:
    """Give a reference as it may be sent to a bank.

    Raises: InvalidInput BANK_REFERENCE_INVALID with each problem
    """
    checked = check(reference, scheme)
    if not checked.ok:
        fields = [FieldError(field, "not_carried", problem) for problem in checked.problems]
        raise InvalidInput(" ".join(checked.problems), fields=fields, code="BANK_REFERENCE_INVALID")
    return checked.reference


def make(payment_id: str) -> str:
    """Make the reference of a payment: always the same for it, carried by every scheme, hard to misread.

    Letters that look like digits are not among those of our ids.
    """
    tail = payment_id.rpartition("_")[2][-_RANDOM:]
    if len(tail) < _RANDOM or not set(tail) <= set(ALPHABET):
        digest = base64.b32hexencode(hashlib.sha256(payment_id.encode()).digest()).decode()
        tail = "".join(ALPHABET[int(sign, 32)] for sign in digest[:_RANDOM])
    return HEAD + tail.upper()


def key_of(text: str) -> str:
    """Write a text as it is compared: no blanks and signs, one case, O as 0, I and L as 1."""
    return _NO_SIGN.sub("", text.upper()).translate(_ALIKE)
