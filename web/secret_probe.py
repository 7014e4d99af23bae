"""Sends a signed probe through the public URL to our own webhook door and says what came back."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from core import clock
from domain.secrets.secret_probes import Probe
from web import own_url


@dataclass(frozen=True)
class Sent:
    """What came back. status: None when nothing answered; note: why not."""

    probe: Probe
    status: int | None
    milliseconds: int
    note: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a probe. version: which one verified it; note: what is wrong, in a sentence."""

    ok: bool
    version: int | None
    note: str | None = None


def send(probe: Probe, *, public_url: str) -> Sent:
    """Send a probe to our own door.

    Calls: our own public URL, and nothing else. Transaction: none open while it waits.
    """
    began = clock.monotonic()
    connection = own_url.connect(public_url)
    status, note = None, None
    try:
        path = own_url.path(public_url, probe.path)
        connection.request("POST", path, body=probe.canary.body, headers=dict(probe.canary.headers))
        answer = connection.getresponse()
        answer.read(4096)
        status = answer.status
    except (OSError, http.client.HTTPException) as error:
        note = own_url.sentence(error, public_url)
    finally:
        connection.close()
    return Sent(probe, status, round((clock.monotonic() - began) * 1000), note)


def judge(sent: Sent, verified_by: int | None) -> Outcome:
    """Judge a probe. verified_by: the version that our own inbox has it verified with, or None."""
    if sent.status != 200:
        return Outcome(False, None, sent.note or f"The door answered {sent.status}.")
    if verified_by is None:
        return Outcome(False, None, "Another installation answers at PUBLIC_URL.")
    return Outcome(verified_by == sent.probe.version, verified_by)
