"""Types of the control of money: approvals, freezes, refunds, secrets, cases, rules, people's rights."""

from __future__ import annotations

from domain.event_types.fields import CURRENCY, MAJOR, USER, EventType, Field, about_staff, text

APPROVAL, FREEZE, REFUND, SECRET, CASE, RULE = (
    "apr_01jd7m4aaa0v5d3k8r6t9w1x2y3z",
    "frz_01jd7m4bbb0v5d3k8r6t9w1x2y3z",
    "ref_01jd7m4ccc0v5d3k8r6t9w1x2y3z",
    "sec_01jd7m4ddd0v5d3k8r6t9w1x2y3z",
    "exc_01jd7m3ddd0v5d3k8r6t9w1x2y3z",
    "rul_01jd7m4eee0v5d3k8r6t9w1x2y3z",
)
_APPROVAL = {
    "approvalId": text(APPROVAL, "The approval."),
    "kind": text("refund", "What is asked for."),
    "objectId": text(REFUND, "What it is about."),
}
_FREEZE = {
    "freezeId": text(FREEZE, "The freeze."),
    "scope": Field(
        "string", "merchant", "How wide it holds.", words=("all", "rail", "merchant", "order")
    ),
    "scopeId": text("mer_01jd7kzzzz0v5d3k8r6t9w1x2y3z", "What it holds.", nullable=True),
    "until": text("2026-11-22T09:30:00.000Z", "When it ends by itself.", nullable=True),
}
_REFUND = {
    "refundId": text(REFUND, "The refund."),
    "amount": text("25.00", f"To be given back. {MAJOR}"),
    "failureReason": text("expired_or_canceled_card", "Why it failed.", nullable=True),
} | CURRENCY
_SECRET = {
    "secretId": text(SECRET, "The secret; never its value."),
    "version": Field("integer", 3, "Which version."),
    "retireAt": text("2026-11-22T09:30:00.000Z", "When the old one ends.", nullable=True),
}
_CASE = {
    "caseId": text(CASE, "The exception case."),
    "kind": text("UNDERPAID", "What is wrong."),
    "moneyAtRisk": text("5.00", "Decimal text in major units.", nullable=True),
    "owner": text(USER, "Who looks after it.", nullable=True),
    "verb": text("accept", "What was done about it.", nullable=True),
}
_RULE = {
    "ruleId": text(RULE, "The rule."),
    "version": Field("integer", 1, "Which version of it."),
}
_KEY = {
    "keyId": text("key_01jd7m1bbb0v5d3k8r6t9w1x2y3z", "The API key."),
    "prefix": text("pd_test_4f9k2m7q1r5t8w0x", "Its public part."),
}
_PERSON = {
    "userId": text(USER, "The person."),
    "what": text("role", "What was made, changed or ended."),
}
_CONTROL = {
    "control": text("settlement_pause", "The switch."),
    "value": Field("object", {"on": True}, "How it stands now."),
}
_NOTICE = {
    "noticeId": text("dly_01jd7m4fff0v5d3k8r6t9w1x2y3z", "What is said of the rail."),
    "rail": text("bank", "Which rail."),
    "kind": Field("string", "delay", "Whether it is late or down.", words=("delay", "outage")),
    "etaAt": text("2026-11-22T09:30:00.000Z", "When it is expected to be over.", nullable=True),
}
_INVARIANT = {
    "name": text("entries_balance", "The rule of the books."),
    "freezeId": text(FREEZE, "What it froze.", nullable=True),
    "scope": Field(
        "string",
        "order",
        "How wide it holds.",
        nullable=True,
        words=("all", "rail", "merchant", "order"),
    ),
    "scopeId": text("ord_01jd7m2b9a0v5d3k8r6t9w1x2y3z", "What it holds.", nullable=True),
    "until": text("2026-11-22T09:30:00.000Z", "When it ends by itself.", nullable=True),
}


def _approval(name: str, meaning: str, status: str) -> EventType:
    return EventType(f"approval.{name}", meaning, "other", status, _APPROVAL)


def _refund(name: str, meaning: str, status: str, *, outbound: bool = True) -> EventType:
    return EventType(f"refund.{name}", meaning, "payment", status, _REFUND, outbound=outbound)


TYPES: tuple[EventType, ...] = (
    _approval("requested", "An act waits for a second person.", "pending"),
    _approval("approved", "A second person agreed to it.", "approved"),
    _approval("refused", "A second person refused it.", "refused"),
    _approval("expired", "Nobody agreed in time.", "expired"),
    _approval("cancelled", "It was taken back, or what it was bound to changed.", "cancelled"),
    EventType("freeze.engaged", "Money out is held.", "other", "active", _FREEZE, outbound=True),
    EventType("freeze.lifted", "It is held no more.", "other", "lifted", _FREEZE, outbound=True),
    about_staff(
        "invariant.red", "A rule of the books broke; money out is held.", "red", _INVARIANT
    ),
    about_staff("invariant.green", "It holds again; what is held stays.", "green", _INVARIANT),
    EventType(
        "notice.opened",
        "A rail is said to be late or down.",
        "other",
        "open",
        _NOTICE,
        outbound=True,
    ),
    EventType("notice.closed", "It is late no more.", "other", "closed", _NOTICE, outbound=True),
    about_staff("control.changed", "A switch of the desk was set.", None, _CONTROL),
    _refund("requested", "A refund waits for a second person.", "pending_approval", outbound=False),
    _refund("created", "The provider is asked to give money back.", "pending"),
    _refund("succeeded", "It was given back.", "succeeded"),
    _refund("failed", "It was not given back.", "failed"),
    _refund("cancelled", "It was taken back before it was sent.", "cancelled", outbound=False),
    EventType(
        "exception.assigned", "A case has a new owner.", "payment", "assigned", _CASE, staff=True
    ),
    EventType("exception.noted", "Somebody wrote on a case.", "payment", "open", _CASE, staff=True),
    EventType(
        "exception.resolved", "A case was settled.", "payment", "resolved", _CASE, outbound=True
    ),
    about_staff("rule.drafted", "A rule was drafted and back-tested.", "draft", _RULE),
    about_staff("rule.enabled", "A second person enabled a rule.", "enabled", _RULE),
    about_staff("rule.disabled", "A rule was switched off.", "disabled", _RULE),
    about_staff("secret.rotated", "A secret has a new version.", "active", _SECRET),
    about_staff("secret.retired", "An old version verifies no more.", "retired", _SECRET),
    about_staff("secret.revoked", "A version was ended at once.", "revoked", _SECRET),
    about_staff("secret.restored", "An old version is in use again.", "active", _SECRET),
    about_staff("secret.overdue", "A secret is older than it should be.", "active", _SECRET),
    EventType("api_key.rotated", "A key takes over from an older one.", "other", "active", _KEY),
    EventType("user.changed", "A person's rights changed.", "other", None, _PERSON),
    about_staff("person.erased", "A person's data was erased; the id stays.", "erased", _PERSON),
)
