"""The two calls that answer a dispute at its provider; no transaction is open meanwhile.

What may have been done already is looked for before it is asked again.
"""

from __future__ import annotations

from core import clock
from core.disputes import CLOSED
from core.errors import ProviderReference, ProviderRefused
from domain import database
from domain.disputes import evidence
from models.disputes import Dispute
from models.operations import Operation
from models.payments import Payment
from providers.said import Reading
from providers.seam import Rail

EVIDENCE, CLOSE = "dispute_evidence", "dispute_close"
# From then on nobody waits for the first try any more, and what became of it is not known.
FIRST_TRY_SECONDS = 60


def _may_be_done(operation: Operation) -> bool:
    age = (clock.now() - operation.created_at).total_seconds()
    return operation.attempts > 0 or age > FIRST_TRY_SECONDS


def submit_evidence(rail: Rail, operation: Operation, payment: Payment) -> Reading:
    """Hand the evidence in, unless the provider has it. It is read from its seal only now.

    Calls: the provider. Raises: the provider errors.
    """
    del payment
    reference = str(operation.request["reference"])
    if _may_be_done(operation):
        found = rail.fetch_dispute(reference)
        if any(each.submissions for each in found.disputes):
            return found
    with database.reading() as session:
        dispute = session.get_one(Dispute, str(operation.request["disputeId"]))
        wanted = evidence.load(session, dispute)
    if wanted is None:
        code = ProviderReference(reference, "file_removed")
        raise ProviderRefused(
            "A file of the evidence was removed before it was sent.", provider=code
        )
    return rail.submit_evidence(reference, wanted, key=operation.provider_key)


def close(rail: Rail, operation: Operation, payment: Payment) -> Reading:
    """Give the dispute up, unless it is over. Calls: the provider. Raises: the provider errors."""
    del payment
    reference = str(operation.request["reference"])
    if _may_be_done(operation):
        found = rail.fetch_dispute(reference)
        if any(each.status in CLOSED for each in found.disputes):
            return found
    return rail.close_dispute(reference, key=operation.provider_key)
