"""Every error code of the API: its status, what it means, what to do, whether asking again can help."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """One code. retryable: the same request may succeed later, unchanged."""

    status: int
    meaning: str
    what_to_do: str
    retryable: bool = False


MEANINGS: dict[str, Meaning] = {
    "VALIDATION_FAILED": Meaning(
        400, "Some fields cannot be accepted.", "Read details.fields and correct each one."
    ),
    "UNBALANCED": Meaning(
        400,
        "Debits and credits of a currency differ.",
        "Read details.currencies for the difference, and post as much to one side as to the other.",
    ),
    "BANK_REFERENCE_INVALID": Meaning(
        400, "No bank carries that reference.", "Read details.fields; POST it to validate first."
    ),
    "STATEMENT_UNREADABLE": Meaning(
        400,
        "The statement cannot be read.",
        "Read details.line: reading ended there. Ask the bank.",
    ),
    "BALANCE_MISMATCH": Meaning(
        400, "The lines do not lead to the closing balance.", "Get the whole file from the bank."
    ),
    "MALFORMED_JSON": Meaning(
        400, "The body is not strict JSON.", "Send one UTF-8 JSON object, each key once, no NaN."
    ),
    "IDEMPOTENCY_KEY_REQUIRED": Meaning(
        400,
        "This route needs an Idempotency-Key.",
        "Send the header, a new value for each new act.",
    ),
    "IDEMPOTENCY_KEY_INVALID": Meaning(
        400, "The Idempotency-Key has the wrong form.", "Use 8 to 255 of A-Z, a-z, 0-9, _ and -."
    ),
    "SECRET_WEAK": Meaning(
        400, "The secret is too weak or is none of this kind.", "Enter the provider's, or generate."
    ),
    "COUPON_UNSUPPORTED": Meaning(
        400, "The coupon cannot become credit.", "Only coupons over a fixed amount can be applied."
    ),
    "COUPON_EXPIRED": Meaning(
        400, "The coupon has expired or is used up.", "Ask for another one; asking again is no use."
    ),
    "CARD_NUMBER_REFUSED": Meaning(
        400, "A field holds a card number.", "Never send us card data. Use the payment page."
    ),
    "UNKNOWN_VERSION": Meaning(
        400, "There is no such Paydesk-Version.", "Leave the header out, or send a version we name."
    ),
    "UNAUTHENTICATED": Meaning(
        401, "No valid credential came.", "Send `Authorization: Bearer` with a token or an API key."
    ),
    "TOKEN_EXPIRED": Meaning(
        401, "The token has expired.", "Get a new one at POST /api/auth/token."
    ),
    "SECOND_FACTOR_REQUIRED": Meaning(
        401,
        "The account has a second factor.",
        "Send its code as `code` with address and password.",
    ),
    "WEBHOOK_INVALID_SIGNATURE": Meaning(
        401, "No live secret signed this delivery.", "Check the endpoint's secret and the clock."
    ),
    "PAYMENT_FAILED": Meaning(
        402,
        "The provider declined the payment.",
        "Show the payer details.stripeCode in plain words and offer another card.",
    ),
    "FORBIDDEN": Meaning(403, "Your role does not allow this.", "Ask somebody whose role does."),
    "KYC_REQUIRED": Meaning(
        403, "The identity is not verified.", "Finish the verification; then repeat the request."
    ),
    "STEP_UP_REQUIRED": Meaning(
        403,
        "The second factor is not fresh.",
        "Get a token with `code` and use it within 5 minutes.",
    ),
    "MERCHANT_NOT_APPROVED": Meaning(
        403, "The merchant is not approved for live.", "Use test keys until the review is done."
    ),
    "RAIL_NOT_ENABLED": Meaning(
        403, "The rail is not chosen for this merchant.", "Ask for it in the merchant's settings."
    ),
    "SCOPE_MISSING": Meaning(
        403, "The key lacks the scope in details.scope.", "Use a key with that scope."
    ),
    "KEY_IN_BROWSER": Meaning(
        403,
        "An API key came from a browser.",
        "Call from your server. Revoke the key if it leaked.",
    ),
    "NOT_FOUND": Meaning(
        404, "There is no such object, or it is not yours.", "Check the id and whose it is."
    ),
    "COUPON_NOT_FOUND": Meaning(
        404, "There is no such coupon or promotion code.", "Check how it is spelled."
    ),
    "METHOD_NOT_ALLOWED": Meaning(405, "The address lacks this method.", "See the Allow header."),
    "NOT_ACCEPTABLE": Meaning(
        406, "We cannot answer in a form you accept.", "Accept application/json."
    ),
    "CONFLICT": Meaning(409, "This does not fit the present state.", "Read the object and decide."),
    "COUPON_ALREADY_APPLIED": Meaning(
        409, "The person has applied this coupon.", "Read the transaction in details.transactionId."
    ),
    "TRIAL_ALREADY_GRANTED": Meaning(
        409,
        "The trial was granted with another card.",
        "Read details.transactionId; it is one each.",
    ),
    "METHOD_IN_USE": Meaning(
        409,
        "A transaction with this card has not ended.",
        "Wait for its end, or have it cancelled; then remove the card.",
        retryable=True,
    ),
    "INVALID_TRANSITION": Meaning(
        409, "The state machine has no such move.", "Read the object; details say from and to."
    ),
    "STATEMENT_IMPORTED": Meaning(
        409, "That file was imported already.", "Read the statement that details.link names."
    ),
    "OTHER_ACCOUNT": Meaning(
        409, "The statement is of another account.", "Name the account that it is of."
    ),
    "PERIOD_CLOSED": Meaning(
        409,
        "The month is closed.",
        "Leave the effective day out: the entry is then dated in the open period.",
    ),
    "CHECKLIST_RED": Meaning(
        409,
        "Something keeps the month from being closed; details.items name it.",
        "Work the items off, or carry them forward with a reason where that is allowed.",
    ),
    "SAME_PERSON": Meaning(
        409, "Two people are asked for, and you would be both.", "Have somebody else do it."
    ),
    "INVARIANT_RED": Meaning(
        409,
        "The freeze's cause is not over.",
        "Mend what the verification found and verify again; then ask once more.",
    ),
    "LOST_RACE": Meaning(
        409, "Somebody else changed it first.", "Read the object, then repeat.", retryable=True
    ),
    "IDEMPOTENCY_IN_PROGRESS": Meaning(
        409,
        "The first request with this key still runs.",
        "Wait for Retry-After, then repeat it unchanged.",
        retryable=True,
    ),
    "ORDER_ALREADY_PAID": Meaning(
        409, "The order's payment has arrived.", "Read the order; details.link names it."
    ),
    "INVOICE_NOT_READY": Meaning(
        409,
        "The document is being printed.",
        "Ask again after the seconds in Retry-After.",
        retryable=True,
    ),
    "INVOICE_HAS_NO_XML": Meaning(
        409,
        "EN 16931 cannot express this invoice.",
        "Read the PDF. An order whose parties have countries and VAT numbers gets both.",
    ),
    "AMOUNT_EXCEEDED": Meaning(409, "That is more than there is.", "Ask for less; see details."),
    "ALREADY_MATCHED": Meaning(
        409, "The line, or the payout, is matched.", "Take that match back first, if it is wrong."
    ),
    "LINE_MATCHED": Meaning(
        409, "That bank line shows another payout.", "Read the line's reference again."
    ),
    "PAYOUT_RETURNED": Meaning(
        409, "The payout came back from the bank.", "Match the payout that was made in its place."
    ),
    "PAYOUT_NOT_BOOKED": Meaning(
        409,
        "The provider has not booked that payout yet, or we have not read it.",
        "Ask again in some minutes.",
        retryable=True,
    ),
    "NOT_DUST": Meaning(
        409, "The residue is more than the provider's tolerance.", "Settle it as a difference."
    ),
    "WALLET_TOO_LOW": Meaning(
        409,
        "The wallet it was paid into holds less than that.",
        "Ask for at most details.available.",
    ),
    "NOT_REFUNDABLE": Meaning(
        409, "Nobody paid this in.", "A coupon or a check of a card is not refunded."
    ),
    "EVIDENCE_DUE_PASSED": Meaning(
        409,
        "The bank takes no evidence any more.",
        "See details.evidenceDueAt; nothing is left to do.",
    ),
    "EVIDENCE_ALREADY_SUBMITTED": Meaning(
        409, "The bank has the evidence; it takes it once.", "Wait for the bank's decision."
    ),
    "VERB_NOT_ALLOWED": Meaning(
        409, "The case is not settled this way now.", "Use one of details.allowedVerbs."
    ),
    "PREVIEW_STALE": Meaning(
        409, "What a replay would do has changed since its preview.", "Preview again, then decide."
    ),
    "UNSAFE_REPLAY": Meaning(
        409, "This event cannot be applied again.", "Read the message; ask the provider instead."
    ),
    "NOT_SAFE_TO_RETIRE": Meaning(
        409, "The old version is still in use.", "Wait as details.why says, or send force: true."
    ),
    "LAST_LIVE_VERSION": Meaning(
        409, "Nothing could be verified without this version.", "Rotate first, then end the old."
    ),
    "ALREADY_ERASED": Meaning(409, "This person was erased.", "Nothing about them changes."),
    "ERASURE_BLOCKED": Meaning(
        409,
        "Something of this person is still open.",
        "End what details.blocks lists, then ask again.",
    ),
    "EXPORT_WAITING": Meaning(
        409, "A copy of this person's data is being made or waits to be fetched.", "Fetch that one."
    ),
    "HELD_ALREADY": Meaning(
        409, "A legal hold stands on this already.", "Read the one that stands."
    ),
    "LAST_ADMIN": Meaning(409, "This is the last admin.", "Make somebody else admin first."),
    "USER_EXISTS": Meaning(409, "There is a user with this address.", "Use that user."),
    "PROVIDER_REFUSED": Meaning(
        409, "The provider's final answer is no.", "Read error.provider; a repeat gives the same."
    ),
    "GONE": Meaning(410, "It is older than what we keep.", "Read the present state instead."),
    "SUPERSEDED": Meaning(410, "Another route took its place.", "Use the one in details.use."),
    "LENGTH_REQUIRED": Meaning(
        411, "The body came in chunks.", "Send it whole, with a Content-Length."
    ),
    "BODY_TOO_LARGE": Meaning(413, "The body is too large.", "Send at most 256 KiB."),
    "UNSUPPORTED_MEDIA": Meaning(
        415, "The body is not plain JSON.", "Send Content-Type application/json, not compressed."
    ),
    "IDEMPOTENCY_KEY_REUSED": Meaning(
        422, "The key was used with another request.", "Use a new key for a new request."
    ),
    "FROZEN": Meaning(423, "A freeze holds this act.", "Wait until it is lifted; see details."),
    "RATE_LIMITED": Meaning(
        429, "Too many requests.", "Wait for Retry-After, then go on slower.", retryable=True
    ),
    "INTERNAL": Meaning(
        500,
        "Something failed on our side.",
        "Repeat with the same key; tell us the requestId.",
        True,
    ),
    "PROVIDER_UNAVAILABLE": Meaning(
        503, "The provider does not answer; nothing was done.", "Repeat with the same key.", True
    ),
    "RAIL_NOT_CONFIGURED": Meaning(
        503, "The rail's keys are missing here.", "Ask the operator to configure it."
    ),
    "STREAM_LIMIT": Meaning(
        503, "Too many streams are open.", "Close one, or wait for Retry-After.", True
    ),
    "WAITERS_LIMIT": Meaning(503, "Too many calls are waiting.", "Wait for Retry-After.", True),
    "DATABASE_UNAVAILABLE": Meaning(
        503, "The database does not answer; nothing was done.", "Repeat with the same key.", True
    ),
}


def status_of(code: str) -> int:
    """Give a code's HTTP status; a code that only one row knows is a conflict."""
    found = MEANINGS.get(code)
    return found.status if found is not None else 409
