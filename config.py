"""Typed settings from the environment, read once; fails loudly and refuses weak production settings."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core import ids, money_out, retention, vault
from core.money import Money, asset, parse
from core.retention import Retention
from core.vault import MasterKey, Secret

ENVIRONMENTS = ("sandbox", "test", "production")
OURS = frozenset({"PAYDESK_ENV", "PAYDESK_INSTANCE", "PAYDESK_CRASHPOINT"})


LONGEST_WAIT_SECONDS = 60
TRIAL_LIMIT = "USD:100"
_NOTHING = Secret("")


class BadSettings(SystemExit):
    """The environment cannot be used; the message says what to change."""


@dataclass(frozen=True)
class StripeSettings:
    """The card rail; `secret_key` empty means the rail is not configured."""

    secret_key: Secret
    publishable_key: str
    webhook_secret: Secret
    api_base: str
    js_url: str
    timeout_seconds: int

    @property
    def is_configured(self) -> bool:
        """Whether calls to Stripe can be made at all."""
        return bool(self.secret_key)


@dataclass(frozen=True)
class SmtpSettings:
    """Where mail is handed over; no host means that none is sent. security: tls, starttls or plain."""

    host: str = ""
    port: int = 0
    security: str = "plain"
    user: str = ""
    password: Secret = _NOTHING
    sender: str = ""

    @property
    def is_configured(self) -> bool:
        """Whether anybody takes our mail."""
        return bool(self.host)


@dataclass(frozen=True)
class Settings:
    """Everything the environment decides. Lists are tuples, secrets are wrapped."""

    env: str
    host: str
    port: int
    instance: Path
    database_url: str
    migration_database_url: str
    secret_key: Secret
    master_keys: tuple[MasterKey, ...]
    jwt_keys: tuple[MasterKey, ...]
    public_url: str
    cors_origins: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    rate_limits: bool
    sse_per_principal: int
    sse_per_address: int
    sse_total: int
    wait_per_principal: int
    wait_total: int
    wait_seconds: int
    metrics_token: Secret
    business_zone: str
    fiscal_year_start: int
    second_person_above: Mapping[str, Money]
    trial_limit: Money
    stripe: StripeSettings
    smtp: SmtpSettings
    retention: Retention
    crashpoint: str
    # Where `given` looks; it holds secrets.
    surroundings: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_sandbox(self) -> bool:
        """Stand-ins and demo people are there."""
        return self.env == "sandbox"

    @property
    def is_production(self) -> bool:
        """Real money."""
        return self.env == "production"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us over TLS, so that cookies may be `Secure`."""
        return self.public_url.startswith("https://")

    def given(self, name: str, default: str = "") -> str:
        """Read a setting that one provider alone knows, from NAME or NAME_FILE.

        So that a provider needs no line here. Raises: BadSettings
        """
        return _value(self.surroundings, name, default)


def _value(environ: Mapping[str, str], name: str, default: str = "") -> str:
    path = environ.get(f"{name}_FILE")
    if path and environ.get(name):
        raise BadSettings(f"Both {name} and {name}_FILE are set. Keep one.")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadSettings(f"{name}_FILE: {path} cannot be read ({error.strerror}).") from error
    return environ.get(name, default)


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = _value(environ, name, str(default))
    if not text.isdigit():
        raise BadSettings(f"{name} must be a whole number, not {text!r}.")
    return int(text)


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _value(environ, name).split(",") if part.strip())


def _generated(instance: Path, name: str, fresh: str) -> str:
    """Read a value kept in the instance folder, or make it exactly once, whoever comes first."""
    instance.mkdir(parents=True, exist_ok=True)
    path = instance / name
    with (instance / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(fresh)
    return path.read_text(encoding="utf-8").strip()


def _keys(
    environ: Mapping[str, str], name: str, *, instance: Path, production: bool
) -> tuple[MasterKey, ...]:
    text = _value(environ, name)
    if not text and production:
        raise BadSettings(f"{name} is required in production: kid:base64 of 32 random bytes.")
    if not text:
        text = _generated(instance, name.lower(), vault.generate_master_key("k1"))
    try:
        return vault.parse_master_keys(text)
    except ValueError as error:
        raise BadSettings(f"{name}: {error}.") from error


def _secret_key(environ: Mapping[str, str], instance: Path, production: bool) -> Secret:
    text = _value(environ, "SECRET_KEY")
    if production and (len(text) < 32 or text.lower().startswith(("dev", "change", "secret"))):
        raise BadSettings("SECRET_KEY must be at least 32 random characters in production.")
    return Secret(text or _generated(instance, "secret_key", ids.token(48)))


def _database(environ: Mapping[str, str], instance: Path) -> str:
    url = _value(environ, "DATABASE_URL")
    if not url:
        instance.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{instance.resolve() / 'paydesk.db'}"
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    if not url.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise BadSettings("DATABASE_URL must begin with postgresql+psycopg:// or sqlite:///.")
    return url


def _zone(environ: Mapping[str, str]) -> str:
    name = _value(environ, "TZ_BUSINESS") or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSettings(
            f"TZ_BUSINESS must be a zone such as Europe/Berlin, not {name!r}."
        ) from error
    return name


def _fiscal_year_start(environ: Mapping[str, str]) -> int:
    text = _value(environ, "FISCAL_YEAR_START") or "1"
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 12:
        raise BadSettings(f"FISCAL_YEAR_START must be a month from 1 to 12, not {text!r}.")
    return int(text)


def _sse(environ: Mapping[str, str]) -> tuple[int, int, int]:
    text = _value(environ, "SSE_LIMITS", "5,20,2500")
    if text == "off":
        return (1_000_000, 1_000_000, 1_000_000)
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        raise BadSettings("SSE_LIMITS must be `off` or per-principal,per-address,total: 5,20,2500.")
    return (int(parts[0]), int(parts[1]), int(parts[2]))


def _waits(environ: Mapping[str, str]) -> tuple[int, int, int]:
    """Read how many calls may wait, and for how long; a minute is what every client and proxy bears."""
    text = _value(environ, "WAIT_LIMITS", "20,2000,60")
    if text == "off":
        return (1_000_000, 1_000_000, LONGEST_WAIT_SECONDS)
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts):
        per_principal, total, seconds = map(int, parts)
        if 1 <= seconds <= LONGEST_WAIT_SECONDS:
            return (per_principal, total, seconds)
    raise BadSettings(
        "WAIT_LIMITS must be `off` or per-principal,per-process,seconds (at most 60): 20,2000,60."
    )


def _stripe(environ: Mapping[str, str], production: bool) -> StripeSettings:
    key = _value(environ, "STRIPE_SECRET_KEY")
    base = _value(environ, "STRIPE_API_BASE", "https://api.stripe.com").rstrip("/")
    if key and not key.startswith(("sk_", "rk_")):
        raise BadSettings("STRIPE_SECRET_KEY must begin with sk_ or rk_.")
    if production and key and urlsplit(base).scheme != "https":
        raise BadSettings("STRIPE_API_BASE must be https in production.")
    live_js = "https://js.stripe.com/v3/"
    js = _value(environ, "STRIPE_JS_URL") or (
        live_js if base == "https://api.stripe.com" else f"{base}/v3/"
    )
    return StripeSettings(
        secret_key=Secret(key),
        publishable_key=_value(environ, "STRIPE_PUBLISHABLE_KEY"),
        webhook_secret=Secret(_value(environ, "STRIPE_WEBHOOK_SECRET")),
        api_base=base,
        js_url=js,
        timeout_seconds=_number(environ, "STRIPE_TIMEOUT_SECONDS", 8),
    )


def _smtp(environ: Mapping[str, str], *, public_url: str, production: bool) -> SmtpSettings:
    """Read `SMTP_URL`; what is wrong with it is said without its password."""
    text = _value(environ, "SMTP_URL")
    if not text:
        return SmtpSettings()
    form = "SMTP_URL must read smtp://user:password@host:port?from=desk@example.com, or smtps://…"
    try:
        parts = urlsplit(text)
        port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise BadSettings(f"{form}.") from error
    is_sound = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.path in ("", "/")
    if not is_sound or (parts.username is None) != (parts.password is None) or parts.fragment:
        raise BadSettings(f"{form}.")
    if unknown := set(options) - {"from", "starttls"}:
        raise BadSettings(f"SMTP_URL has an unknown option {min(unknown)!r}.")
    if options.get("starttls", "yes") not in ("yes", "no"):
        raise BadSettings("SMTP_URL: starttls is yes or no.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    starttls = options.get("starttls", "yes" if user else "no") == "yes"
    security = "tls" if parts.scheme == "smtps" else "starttls" if starttls else "plain"
    if production and user and security == "plain":
        raise BadSettings("SMTP_URL must not send a password without TLS in production.")
    sender = options.get("from") or f"paydesk@{urlsplit(public_url).hostname or 'localhost'}"
    if not re.fullmatch(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}", sender):
        raise BadSettings("SMTP_URL: from must be a plain address such as desk@example.com.")
    default = {"tls": 465, "starttls": 587, "plain": 25}[security]
    host = str(parts.hostname)
    return SmtpSettings(host, port or default, security, user, Secret(password), sender)


def _retention(environ: Mapping[str, str]) -> Retention:
    try:
        return retention.read(lambda name, default: _number(environ, name, default))
    except ValueError as error:
        raise BadSettings(str(error)) from error


def _limits(environ: Mapping[str, str]) -> Mapping[str, Money]:
    try:
        return money_out.parse_limits(_value(environ, "SECOND_PERSON_ABOVE", money_out.LIMITS))
    except ValueError as error:
        raise BadSettings(f"SECOND_PERSON_ABOVE: {error}. Write EUR:500,USD:500.") from error


def parse_trial_limit(text: str) -> Money:
    """Read what a trial grants, `USD:100`: its currency is the one in which cards are checked for it.

    Raises: ValueError
    """
    code, _, amount = text.partition(":")
    found = parse(amount.strip(), asset(code.strip()))
    if found.minor <= 0:
        raise ValueError("a trial grants more than nothing")
    return found


def _trial_limit(environ: Mapping[str, str]) -> Money:
    try:
        return parse_trial_limit(_value(environ, "TRIAL_LIMIT", TRIAL_LIMIT))
    except ValueError as error:
        raise BadSettings(f"TRIAL_LIMIT: {error}. Write USD:100.") from error


def _environment(environ: Mapping[str, str]) -> str:
    env = _value(environ, "PAYDESK_ENV", "sandbox")
    if env not in ENVIRONMENTS:
        raise BadSettings(f"PAYDESK_ENV must be one of {', '.join(ENVIRONMENTS)}, not {env!r}.")
    for name in environ:
        if name.startswith("PAYDESK_") and name.removesuffix("_FILE") not in OURS:
            raise BadSettings(
                f"{name} is not a setting of Paydesk. Known: {', '.join(sorted(OURS))}."
            )
    if env == "production" and environ.get("FLASK_DEBUG", "0") not in ("", "0"):
        raise BadSettings("FLASK_DEBUG must be off in production.")
    if env == "production" and environ.get("PAYDESK_CRASHPOINT"):
        raise BadSettings("PAYDESK_CRASHPOINT is for tests only.")
    return env


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, each from NAME or NAME_FILE.

    Raises: BadSettings for unknown `PAYDESK_` names, malformed values, weak production settings.
    Source: the operator's contract (docs/operating.md)
    """
    env_map = os.environ if environ is None else environ
    env = _environment(env_map)
    production = env == "production"
    instance = Path(_value(env_map, "PAYDESK_INSTANCE", "instance"))
    port = _number(env_map, "PORT", 8000)
    database_url = _database(env_map, instance)
    public_url = _value(env_map, "PUBLIC_URL", f"http://localhost:{port}").rstrip("/")
    if production and not public_url.startswith("https://"):
        raise BadSettings("PUBLIC_URL must be set and https in production.")
    per_principal, per_address, total = _sse(env_map)
    wait_per_principal, wait_total, wait_seconds = _waits(env_map)
    return Settings(
        env=env,
        host=_value(env_map, "HOST", "127.0.0.1"),
        port=port,
        instance=instance,
        database_url=database_url,
        migration_database_url=_value(env_map, "MIGRATION_DATABASE_URL") or database_url,
        secret_key=_secret_key(env_map, instance, production),
        master_keys=_keys(env_map, "MASTER_KEYS", instance=instance, production=production),
        jwt_keys=_keys(env_map, "JWT_KEYS", instance=instance, production=production),
        public_url=public_url,
        cors_origins=_list(env_map, "CORS_ORIGINS"),
        trusted_hosts=_list(env_map, "TRUSTED_HOSTS"),
        rate_limits=_value(env_map, "RATE_LIMITS", "on") != "off",
        sse_per_principal=per_principal,
        sse_per_address=per_address,
        sse_total=total,
        wait_per_principal=wait_per_principal,
        wait_total=wait_total,
        wait_seconds=wait_seconds,
        metrics_token=Secret(_value(env_map, "METRICS_TOKEN")),
        business_zone=_zone(env_map),
        fiscal_year_start=_fiscal_year_start(env_map),
        second_person_above=_limits(env_map),
        trial_limit=_trial_limit(env_map),
        stripe=_stripe(env_map, production),
        smtp=_smtp(env_map, public_url=public_url, production=production),
        retention=_retention(env_map),
        crashpoint=_value(env_map, "PAYDESK_CRASHPOINT"),
        surroundings=dict(env_map),
    )
