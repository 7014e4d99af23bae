"""TrueLayer's public keys: kept by the exact address of their set, asked for again at most once a minute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from core import clock, strictjson
from core.errors import AppError
from core.strictjson import Json
from providers.truelayer.signing import Jwk

# Source: reliability A18: at most one fetch a minute, whoever sends whatever key name.
PAUSE_SECONDS = 60
# A set that is in use is looked at again after this, so that a key that was taken out is noticed.
STALE_SECONDS = 3600
# What was signed while a key was in the set may be under way for as long as its time is believed, and a
# set may be seen late; after that a key that has left counts for nothing.
GRACE_SECONDS = 600
# When the set cannot be had at all, its last word is believed this long.
LONGEST_SECONDS = 24 * 3600
# How long a delivery with an unknown key waits for a fetch that another one has begun.
WAIT_SECONDS = 5
MOST_KEYS = 50
LONGEST_PART = 128
log = structlog.get_logger()


@dataclass(frozen=True)
class _Held:
    """A key of a set. gone_at: when it was first missing there; None: it is in the set."""

    jwk: Jwk
    gone_at: float | None = None


@dataclass
class _Set:
    """What is known of one address. tried_at: of the last fetch, whatever came of it."""

    held: Mapping[str, _Held] = field(default_factory=dict)
    loaded_at: float | None = None
    tried_at: float | None = None
    loading: threading.Lock = field(default_factory=threading.Lock)


class KeySets:
    """The keys of this process. load: asks an address for its document; raises provider errors."""

    def __init__(
        self,
        addresses: Iterable[str],
        load: Callable[[str], bytes],
        now: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._sets = {address: _Set() for address in addresses}
        self._load = load
        self._now = now

    def find(self, address: str, kid: str) -> Jwk | None:
        """Find a key by the exact address of its set and its name there; None when it is not ours to believe.

        A key that is known never waits. One that is not is looked for with one fetch a minute in this
        process, failed ones included, however many ask at once. Calls: TrueLayer, with no transaction open.
        """
        found = self._sets.get(address)
        if found is None:
            return None
        key = self._usable(found, kid)
        if key is None:
            self._refresh(address, found, wait=WAIT_SECONDS)
            return self._usable(found, kid)
        if found.loaded_at is None or self._now() - found.loaded_at > STALE_SECONDS:
            self._refresh(address, found, wait=0)
            return self._usable(found, kid)
        return key

    def _usable(self, found: _Set, kid: str) -> Jwk | None:
        held = found.held.get(kid)
        if held is None or found.loaded_at is None:
            return None
        now = self._now()
        if now - found.loaded_at > LONGEST_SECONDS:
            return None
        if held.gone_at is not None and now - held.gone_at > GRACE_SECONDS:
            return None
        return held.jwk

    def _refresh(self, address: str, found: _Set, *, wait: float) -> None:
        """Ask for a set, unless that was done within the last minute; wait a little for whoever does."""
        is_first_to_ask = self._may_try(found)
        # Whoever comes while the minute's one fetch is under way may profit by it.
        if not is_first_to_ask and not (wait and found.loading.locked()):
            return
        if not found.loading.acquire(blocking=bool(wait), timeout=wait or -1):
            return
        try:
            if self._may_try(found):
                found.tried_at = self._now()
                self._take(address, found)
        finally:
            found.loading.release()

    def _may_try(self, found: _Set) -> bool:
        return found.tried_at is None or self._now() - found.tried_at >= PAUSE_SECONDS

    def _take(self, address: str, found: _Set) -> None:
        try:
            fresh = read_set(self._load(address))
        except (AppError, strictjson.Unreadable) as error:
            # What is known stays; the next minute brings the next try.
            log.warning("truelayer.keys_unread", address=address, error=type(error).__name__)
            return
        now = self._now()
        kept = {
            kid: held if held.gone_at is not None else _Held(held.jwk, now)
            for kid, held in found.held.items()
            if kid not in fresh and (held.gone_at is None or now - held.gone_at <= GRACE_SECONDS)
        }
        found.held = {**kept, **{kid: _Held(jwk) for kid, jwk in fresh.items()}}
        found.loaded_at = now


def read_set(document: bytes) -> dict[str, Jwk]:
    """Read the public P-521 keys of a set by name; other kinds are none of ours and passed over.

    Raises: strictjson.Unreadable when it is no set, or holds no key that we could use.
    Source: https://www.rfc-editor.org/rfc/rfc7517#section-5
    """
    listed = strictjson.loads_object(document).get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise strictjson.Unreadable("the document is no set of keys")
    found: dict[str, Jwk] = {}
    for one in listed:
        jwk = _public_key(one)
        if jwk is not None:
            found.setdefault(jwk["kid"], jwk)
    if not found:
        raise strictjson.Unreadable("the set holds no key for ES512")
    return found


def _public_key(value: Json) -> dict[str, str] | None:
    if not isinstance(value, dict) or value.get("kty") != "EC" or value.get("crv") != "P-521":
        return None
    if value.get("alg", "ES512") != "ES512" or value.get("use", "sig") != "sig":
        return None
    parts = {name: value.get(name) for name in ("kid", "x", "y")}
    texts = {name: part for name, part in parts.items() if isinstance(part, str)}
    if len(texts) != len(parts) or not all(0 < len(t) <= LONGEST_PART for t in texts.values()):
        return None
    return {"kty": "EC", "crv": "P-521", **texts}
