"""The environment that the product gets in tests: everything said here, nothing inherited by chance."""

from __future__ import annotations

import os
from pathlib import Path

from tests.rig.locate import ROOT

# Settings of the product (config.py) that a developer's shell may hold, perhaps with real keys.
OURS = (
    "PAYDESK_",
    "STRIPE_",
    "TRUELAYER_",
    "GOCARDLESS_",
    "BANK_",
    "PG",
    "FLASK_",
    "GUNICORN_",
    "SMTP_",
)
NAMED = frozenset(
    "HOST PORT DATABASE_URL MIGRATION_DATABASE_URL SECRET_KEY MASTER_KEYS JWT_KEYS PUBLIC_URL "
    "CORS_ORIGINS TRUSTED_HOSTS RATE_LIMITS SECOND_PERSON_ABOVE SSE_LIMITS WAIT_LIMITS WEBHOOK_ALLOW_HOSTS TZ_BUSINESS FISCAL_YEAR_START WEB_CONCURRENCY "
    "METRICS_TOKEN HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy".split()
)


def settings(database_url: str, instance: Path, **more: str) -> dict[str, str]:
    """Give the product's own settings for a test on this database."""
    instance.mkdir(parents=True, exist_ok=True)
    return {
        "PAYDESK_ENV": "test",
        "PAYDESK_INSTANCE": str(instance),
        "DATABASE_URL": database_url,
        "RATE_LIMITS": "off",
        "SSE_LIMITS": "off",
        "WAIT_LIMITS": "off",
    } | more


def surroundings() -> dict[str, str]:
    """Give what a child process needs of our own environment, without any setting of the product."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(OURS) and name.removesuffix("_FILE") not in NAMED
    }
    # A sixth of the start of each process is compiling what was compiled before.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
