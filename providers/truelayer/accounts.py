"""Our merchant accounts at TrueLayer: into which a currency is paid, and whose lists are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import ProviderReference, ProviderRefused
from providers.truelayer.api import Api
from providers.values import things, word


@dataclass
class Accounts:
    """The accounts by currency. given: the one that the environment names, for every currency."""

    api: Api
    given: str = ""
    _known: dict[str, str] = field(default_factory=dict)

    def of_currency(self, code: str) -> str:
        """Find into which account a currency is paid; the first of several. Calls: TrueLayer, until known.

        Raises: ProviderRefused when there is none, ProviderUnavailable
        Source: https://docs.truelayer.com/reference/list-operating-accounts
        """
        if self.given:
            return self.given
        if code not in self._known:
            self._learn()
        if code not in self._known:
            said = ProviderReference(None, "no_merchant_account")
            raise ProviderRefused(f"There is no merchant account for {code}.", provider=said)
        return self._known[code]

    def every(self) -> Sequence[str]:
        """List the accounts whose transactions are ours, always in one order. Calls: TrueLayer, until known."""
        if self.given:
            return (self.given,)
        if not self._known:
            self._learn()
        return sorted(self._known.values())

    def _learn(self) -> None:
        found: dict[str, str] = {}
        for one in things(self.api.get("/v3/merchant-accounts").get("items")):
            name, code = word(one.get("id"), longest=64), word(one.get("currency"), longest=8)
            if name and code:
                found.setdefault(code, name)
        self._known.update(found)
