"""The table of rules that always hold for the books; a new rule is one row of a table here."""

from __future__ import annotations

from collections.abc import Mapping

from domain.watch import account_rules, journal_rules, money_rules, refund_rules, wallet_rules
from domain.watch.offences import Rule

_TABLES = (journal_rules, account_rules, money_rules, refund_rules, wallet_rules)
RULES: Mapping[str, Rule] = {rule.name: rule for table in _TABLES for rule in table.RULES}
