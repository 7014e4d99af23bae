"""What is sealed opens in its own place only, under a key we hold, and unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vault import CannotOpen, Secret, Vault, generate_master_key, parse_master_keys

OLD, NEW = generate_master_key("k1"), generate_master_key("k2")
VAULT = Vault(parse_master_keys(OLD))


@given(st.binary(max_size=300))
def test_a_sealed_value_opens_to_the_same_bytes(plain: bytes) -> None:
    sealed = VAULT.seal(plain, purpose="inbound", place="t|c|1")
    assert VAULT.open(sealed, purpose="inbound", place="t|c|1") == plain


def test_a_sealed_value_does_not_open_elsewhere() -> None:
    sealed = VAULT.seal(b"secret", purpose="inbound", place="t|c|1")
    with pytest.raises(CannotOpen):
        VAULT.open(sealed, purpose="inbound", place="t|c|2")
    with pytest.raises(CannotOpen):
        VAULT.open(sealed, purpose="secret", place="t|c|1")


@given(st.integers(0, 500))
def test_a_flipped_bit_is_noticed(place: int) -> None:
    sealed = bytearray(VAULT.seal(b"x" * 40, purpose="inbound", place="t|c|1"))
    sealed[place % len(sealed)] ^= 1
    with pytest.raises(CannotOpen):
        VAULT.open(bytes(sealed), purpose="inbound", place="t|c|1")


def test_an_old_value_opens_after_a_key_is_added_and_new_ones_use_the_new_key() -> None:
    sealed = VAULT.seal(b"old", purpose="inbound", place="t|c|1")
    both = Vault(parse_master_keys(f"{NEW},{OLD}"))
    assert both.open(sealed, purpose="inbound", place="t|c|1") == b"old"
    assert both.seal(b"new", purpose="inbound", place="t|c|1").startswith(b"v1.k2.")
    assert both.blind_index("Bo@Example.com", purpose="email") == VAULT.blind_index(
        " bo@example.com", purpose="email"
    )


@pytest.mark.parametrize("text", ["", "k1", "k1:!!", "k1:YQ==", f"{OLD},{OLD}"])
def test_malformed_master_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_master_keys(text)


def test_a_secret_never_prints() -> None:
    secret = Secret("whsec_very_secret")
    assert "very" not in f"{secret} {secret!r} {[secret]}"
    assert secret == Secret("whsec_very_secret") and secret != Secret("other")
