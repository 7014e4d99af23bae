"""The fault script: what shall go wrong with which request or event, how often; decides nothing else."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sandbox.common.wire import Obj

REQUEST_KINDS = (
    "timeout_before",
    "timeout_after_effect",
    "5xx_before",
    "5xx_after",
    "429",
    "slow",
    "malformed",
    "cut",
)
EVENT_KINDS = (
    "duplicate",
    "second_event_id",
    "reorder",
    "delay",
    "never_send",
    "never_create",
    "event_before_response",
)


class BadFault(ValueError):
    """A fault that cannot be scripted; says why."""


@dataclass
class Fault:
    """One line of the script: `target` is an operation or event type, with `*` as a wildcard."""

    target: str
    on: str
    kind: str
    times: int | None = 1
    skip: int = 0
    rate: float = 1.0
    seconds: float | None = None
    status: int = 500
    retry_after: float | None = None
    used: int = field(default=0)

    def shown(self) -> Obj:
        """Return the fault as the control API prints it."""
        return {self.on: self.target} | {
            name: getattr(self, name)
            for name in (
                "kind",
                "times",
                "skip",
                "rate",
                "seconds",
                "status",
                "retry_after",
                "used",
            )
        }


class FaultScript:
    """The faults still to come, in the order they were scripted; the first match is used up."""

    def __init__(self, seed: int | None) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, guards nothing

    def add(self, lines: list[Obj]) -> None:
        """Append faults. Raises: BadFault and adds none when one is wrong."""
        parsed = [_parse(line) for line in lines]
        with self._lock:
            self._faults += parsed

    def clear(self) -> None:
        """Forget the whole script."""
        with self._lock:
            self._faults.clear()

    def shown(self) -> list[Obj]:
        """Return the script as the control API prints it."""
        with self._lock:
            return [fault.shown() for fault in self._faults]

    def take_for_request(self, op: str) -> Fault | None:
        """Use up and return the fault that hits this operation, if any."""
        return self._take("op", op)

    def take_for_event(self, event_type: str) -> Fault | None:
        """Use up and return the fault that hits this event, if any."""
        return self._take("event", event_type)

    def _take(self, on: str, name: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.on != on or fault.times == 0 or not fnmatchcase(name, fault.target):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.rate < 1 and self._random.random() >= fault.rate:
                    continue
                fault.used += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


def _parse(line: Obj) -> Fault:
    on = "op" if "op" in line else "event"
    kinds = REQUEST_KINDS if on == "op" else EVENT_KINDS
    unknown = set(line) - set(Fault.__dataclass_fields__) - {"op", "event"}
    if on not in line or ("op" in line and "event" in line) or unknown:
        raise BadFault(f"a fault names one of op, event; unknown here: {sorted(unknown)}")
    if line.get("kind") not in kinds:
        raise BadFault(f"kind for {on} must be one of {', '.join(kinds)}")
    try:
        return Fault(
            target=str(line[on]),
            on=on,
            kind=str(line["kind"]),
            times=None if line.get("times", 1) is None else int(line.get("times", 1)),
            skip=int(line.get("skip", 0)),
            rate=float(line.get("rate", 1.0)),
            seconds=_number(line.get("seconds")),
            status=int(line.get("status", 500)),
            retry_after=_number(line.get("retry_after")),
        )
    except (TypeError, ValueError) as error:
        raise BadFault(str(error)) from error


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
