"""Reading of request parameters with Stripe's own complaints; knows no resource."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sandbox.stripe.errors import Obj, invalid, missing

MAX_METADATA_KEYS = 50


def only(params: Obj, known: Collection[str]) -> None:
    """Refuse names that the endpoint does not know; `expand` and the browser's fields always pass."""
    unknown = [name for name in params if name not in known and name != "expand"]
    if unknown:
        word = "parameter" if len(unknown) == 1 else "parameters"
        message = f"Received unknown {word}: {', '.join(unknown)}"
        raise invalid(message, unknown[0], code="parameter_unknown")


def text(params: Obj, name: str, *, limit: int = 5000) -> str | None:
    """Return a string, or None when absent or unset by an empty value."""
    value = params.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid("Invalid string", name)
    if len(value) > limit:
        raise invalid(f"Invalid string: must be at most {limit} characters", name)
    return value


def required_text(params: Obj, name: str) -> str:
    """Return a string that must be there."""
    refuse_empty(params, name)
    value = text(params, name)
    if value is None:
        raise missing(name)
    return value


def whole(params: Obj, name: str) -> int | None:
    """Return an integer, or None when absent."""
    refuse_empty(params, name)
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.lstrip("-").isdecimal() or len(value) > 18:
        raise invalid(f"Invalid integer: {value}", name, code="parameter_invalid_integer")
    return int(value)


def flag(params: Obj, name: str, default: bool = False) -> bool:
    """Return a boolean."""
    value = params.get(name)
    if value is None or value == "":
        return default
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", name)
    return bool(value == "true")


def choice(params: Obj, name: str, options: Collection[str]) -> str | None:
    """Return one of the allowed words, or None when absent."""
    value = text(params, name)
    if value is not None and value not in options:
        words = list(options)
        allowed = ", ".join(words[:-1]) + f", or {words[-1]}" if len(words) > 1 else words[0]
        raise invalid(f"Invalid {name}: must be one of {allowed}", name)
    return value


def table(params: Obj, name: str) -> Obj:
    """Return a nested table, empty when absent."""
    value = params.get(name)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise invalid("Invalid object", name)
    return value


def items(params: Obj, name: str) -> list[Any]:
    """Return a list, empty when absent."""
    value = params.get(name)
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise invalid("Invalid array", name)
    return value


def texts(params: Obj, name: str) -> list[str]:
    """Return a list of strings, empty when absent."""
    found = items(params, name)
    if not all(isinstance(item, str) for item in found):
        raise invalid("Invalid array", name)
    return found


def metadata(params: Obj, current: Obj | None = None) -> dict[str, str]:
    """Merge sent metadata into the current one; an empty value removes a key, an empty set all."""
    if params.get("metadata") == "":
        return {}
    merged: dict[str, str] = dict(current or {})
    for key, value in table(params, "metadata").items():
        if not isinstance(value, str):
            raise invalid("Metadata values must be strings", f"metadata[{key}]")
        if len(key) > 40 or len(value) > 500:
            raise invalid("Metadata keys may have 40, values 500 characters", f"metadata[{key}]")
        if value == "":
            merged.pop(key, None)
        else:
            merged[key] = value
    if len(merged) > MAX_METADATA_KEYS:
        raise invalid(f"You can have up to {MAX_METADATA_KEYS} metadata keys", "metadata")
    return merged


def refuse_empty(params: Obj, name: str) -> None:
    """Refuse an empty value for a parameter that cannot be unset."""
    if params.get(name) == "":
        message = (
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{name}' cannot be unset. You should remove '{name}' from "
            "your request or supply a non-empty value."
        )
        raise invalid(message, name, code="parameter_invalid_empty")
