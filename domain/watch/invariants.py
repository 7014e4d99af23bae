"""The monitor of the rules that always hold: a broken one freezes its place and opens a case, within seconds.

Finding reads, one statement per rule; settling writes what was found, the freezes, the case and the
events in one transaction, so that none of them is ever there without the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import structlog
from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from core import clock
from core.book_states import Rule as State
from core.states import Freeze as FreezeState
from core.strictjson import Json
from domain import audit, crash, database, events
from domain.actors import system
from domain.cases import case_queries, cases
from domain.cases.cases import Finding
from domain.control import freezes
from domain.control.freezes import Wanted
from domain.transitions import Why
from domain.watch.offences import MOST, Offence, Place, Rule, places_of, wire
from domain.watch.rules import RULES
from models.cases import ExceptionCase
from models.control import Freeze
from models.watch import Invariant

MONITOR = system("monitor")
CASE = "INVARIANT_RED"
NAMED_IN_CASE = 5
_TOLD = {State.RED: "invariant.red", State.GREEN: "invariant.green"}
log = structlog.get_logger()


@dataclass(frozen=True)
class Found:
    """What a rule found. offences: at most one more than are shown; is_whole: everything was read."""

    rule: Rule
    offences: Sequence[Offence] = field(default_factory=tuple)
    is_whole: bool = True
    took_ms: int = 0

    @property
    def is_red(self) -> bool:
        """Whether the rule is broken."""
        return bool(self.offences)


def ask(session: Session, rule: Rule, *, since: datetime | None = None) -> Found:
    """Ask one rule now. since: only of what was posted after it.

    Transaction: caller's, reads only.
    """
    began = clock.monotonic()
    offences = tuple(islice(rule.find(session, since), MOST + 1))
    took_ms = round((clock.monotonic() - began) * 1000)
    return Found(rule, offences, is_whole=since is None, took_ms=took_ms)


def find(*, since: datetime | None = None) -> list[Found]:
    """Ask every rule, each in a session of its own; one that cannot be asked keeps no other from it.

    since: only of what was posted after it, and only the rules that can be asked so.
    Transaction: opens its own, read only.
    """
    found = []
    for rule in RULES.values():
        if since is not None and not rule.has_recent:
            continue
        try:
            with database.reading() as session:
                found.append(ask(session, rule, since=since))
        except Exception:  # one rule that cannot be asked must not blind the others
            log.exception("invariant.not_asked", rule=rule.name)
    return found


def broken(session: Session) -> list[Found]:
    """Ask every rule of everything there is, now; give those that are broken. For whoever closes a month.

    Transaction: caller's, reads only.
    """
    return [found for found in (ask(session, rule) for rule in RULES.values()) if found.is_red]


def settle(session: Session, found: Sequence[Found]) -> int:
    """Write down what the rules found, and act on what is broken. Gives how many rules changed.

    A rule that was asked of what is new alone is never green again by that.
    Writes: invariants, freezes, exception_cases, event_log, audit_log, notices. Emits: invariant.red,
    invariant.green, freeze.engaged, exception.opened. Transaction: caller's, alone in it by its turn.
    """
    known = {row.name: row for row in session.scalars(select(Invariant))}
    changed = 0
    for each in found:
        row = known.get(each.rule.name)
        if each.is_red:
            changed += _red(session, row, each)
        elif row is None:
            session.add(_row(each.rule.name, State.GREEN, each))
        elif row.state == State.RED.value and each.is_whole:
            _green(session, row, each)
            changed += 1
    session.flush()
    _note_checked(session, [each for each in found if not each.is_red])
    return changed


def _row(name: str, state: State, found: Found) -> Invariant:
    now = clock.now()
    return Invariant(
        name=name,
        state=state.value,
        since=now,
        checked_at=now,
        took_ms=found.took_ms,
        offending=[],
        scopes=[],
        freeze_ids=[],
    )


def _note_checked(session: Session, found: Iterable[Found]) -> None:
    """Say when rules were last found whole: of everything, since a part says less."""
    took = {each.rule.name: each.took_ms for each in found if each.is_whole}
    if took:
        session.execute(
            update(Invariant)
            .where(Invariant.name.in_(took))
            .values(checked_at=clock.now(), took_ms=case(took, value=Invariant.name))
            .execution_options(synchronize_session=False)
        )


def _red(session: Session, row: Invariant | None, found: Found) -> bool:
    """Hold what a broken rule is about and tell people. Gives whether it was not known to be broken."""
    is_new = row is None or row.state != State.RED.value
    if row is None:
        row = _row(found.rule.name, State.RED, found)
        session.add(row)
    if is_new:
        row.state, row.since = State.RED.value, clock.now()
        row.scopes, row.offending = [], []
        row.freeze_ids = [each.id for each in _still_held(session, row)]
    row.checked_at, row.took_ms = clock.now(), found.took_ms
    _keep_offending(row, found)
    places = places_of(session, found.offences)
    engaged = [_freeze(session, found.rule, place) for place in places]
    _keep_places(row, places, engaged)
    crash.point("watch.after_freeze")
    _open_case(session, row, found)
    if is_new:
        _tell(session, row, engaged, to=State.RED, reason=_summary(found))
    return is_new


def _keep_offending(row: Invariant, found: Found) -> None:
    shown: list[Json] = [wire(each) for each in found.offences[:MOST]]
    if found.is_whole:
        row.offending = shown
        return
    # What is new says nothing of the rows that were found before.
    row.offending = [*row.offending, *(each for each in shown if each not in row.offending)][:MOST]


def _keep_places(row: Invariant, places: Sequence[Place], engaged: Sequence[Freeze]) -> None:
    new: list[Json] = [{"scope": each.scope, "scopeId": each.scope_id or None} for each in places]
    row.scopes = [*row.scopes, *(each for each in new if each not in row.scopes)]
    held: list[Json] = [each.id for each in engaged]
    row.freeze_ids = [*row.freeze_ids, *(each for each in held if each not in row.freeze_ids)]


def _freeze(session: Session, rule: Rule, place: Place) -> Freeze:
    """Hold a place, or find that it is held for a broken rule already."""
    own = (Freeze.scope == place.scope, Freeze.scope_id == place.scope_id)
    on = (Freeze.state == FreezeState.ACTIVE.value, Freeze.cause == freezes.INVARIANT)
    lasting = Freeze.until.is_(None)
    if (row := session.scalars(select(Freeze).where(*own, *on, lasting)).first()) is not None:
        return row
    wanted = Wanted(
        place.scope,
        place.scope_id,
        f"A rule of the books broke: {rule.label}.",
        cause=freezes.INVARIANT,
    )
    row, _ = freezes.engage(session, wanted, why=_why(rule.name))
    return row


def _why(name: str, reason: str | None = None) -> Why:
    return Why(MONITOR, f"invariant:{name}", reason)


def _summary(found: Found) -> str:
    number = len(found.offences)
    many = f"more than {MOST} rows break it" if number > MOST else f"{number} rows break it"
    return "1 row breaks it" if number == 1 else many


def _open_case(session: Session, row: Invariant, found: Found) -> None:
    """Have people look at it: one case at a time for a rule, however often it comes and goes."""
    if row.case_id is not None:
        case = session.get(ExceptionCase, row.case_id)
        if case is not None and case.state in case_queries.UNRESOLVED:
            return
    named = " ".join(each.sentence for each in found.offences[:NAMED_IN_CASE])
    sentence = f"{found.rule.label}: {_summary(found)}. {named}"
    key = f"{row.name}:{clock.rfc3339(clock.now())}"
    finding = Finding(CASE, key, sentence, expected=found.rule.means, found=_summary(found))
    row.case_id = cases.open_case(session, finding, why=_why(row.name)) or row.case_id


def _green(session: Session, row: Invariant, found: Found) -> None:
    """Note that a rule holds again; what it froze stays until two people lift it."""
    held = _still_held(session, row)
    row.state, row.since = State.GREEN.value, clock.now()
    row.checked_at, row.took_ms = clock.now(), found.took_ms
    row.offending = []
    row.freeze_ids = [each.id for each in held]
    _tell(session, row, held, to=State.GREEN, reason="every row was read again and none breaks it")


def _still_held(session: Session, row: Invariant) -> list[Freeze]:
    ids = [str(each) for each in row.freeze_ids]
    on = (Freeze.id.in_(ids), Freeze.state == FreezeState.ACTIVE.value)
    return list(session.scalars(select(Freeze).where(*on).order_by(Freeze.id))) if ids else []


def _tell(
    session: Session, row: Invariant, held: Sequence[Freeze], *, to: State, reason: str
) -> None:
    source = f"invariant:{row.name}"
    bodies = [_body(row.name, each) for each in held] or [_body(row.name, None)]
    about, kind = events.about_staff(row.name), _TOLD[to]
    told = [events.row(kind, about, source=source, status=to.value, body=body) for body in bodies]
    events.append(session, told)
    audit.write(
        session,
        kind,
        actor=MONITOR,
        object_kind="invariant",
        object_id=row.name,
        source=source,
        reason=reason,
        after={"state": to.value, "freezeIds": [freeze.id for freeze in held]},
    )


def _body(name: str, freeze: Freeze | None) -> dict[str, Json]:
    return {
        "name": name,
        "freezeId": freeze.id if freeze is not None else None,
        "scope": freeze.scope if freeze is not None else None,
        "scopeId": (freeze.scope_id or None) if freeze is not None else None,
        "until": clock.rfc3339(freeze.until) if freeze is not None else None,
    }
