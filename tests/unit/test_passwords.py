"""Password hashes: what verifies, what does not, and what a hash out of the configuration may cost."""

import pytest

from gateway import passwords
from gateway.identity import Secret
from gateway.passwords import check, hash_password, verify

PASSWORD = Secret("karibu-kenya")
CHEAP = {"log2_n": 1, "r": 1, "p": 1}


def cheap(password: Secret = PASSWORD) -> str:
    return hash_password(password, **CHEAP)


def test_a_password_fits_its_own_hash_and_no_other_password_does():
    made = cheap()
    assert verify(PASSWORD, made)
    for other in ("karibu-keny", "karibu-kenya ", "Karibu-kenya", ""):
        assert not verify(Secret(other), made)


def test_the_cost_is_the_one_that_the_hash_names():
    assert hash_password(PASSWORD).startswith("scrypt$14$8$5$")
    assert cheap().startswith("scrypt$1$1$1$")
    assert not verify(PASSWORD, cheap().replace("scrypt$1$", "scrypt$2$"))


def test_two_hashes_of_one_password_differ_and_neither_shows_it():
    one, two = cheap(), cheap()
    assert one != two
    assert "karibu" not in one + two


def test_who_has_no_hash_is_checked_just_as_long_and_never_let_in(monkeypatch):
    costs: list[tuple[int, int, int]] = []
    scrypt = passwords._scrypt

    def noted(password: Secret, log2_n: int, r: int, p: int, salt: bytes) -> bytes:
        costs.append((log2_n, r, p))
        return scrypt(password, log2_n, r, p, salt)

    monkeypatch.setattr(passwords, "_scrypt", noted)
    hash_password(PASSWORD)
    assert not verify(PASSWORD, None)
    assert costs[0] == costs[1]


def test_any_text_can_be_a_password():
    for text in ("é" * 50, "\ud800", "\0", " "):
        assert verify(Secret(text), cheap(Secret(text)))


def test_a_hash_that_we_make_passes_the_check():
    for made in (cheap(), hash_password(PASSWORD)):
        assert check(made) == made


@pytest.mark.parametrize(
    "text",
    [
        "karibu-kenya",
        "",
        "$2b$12$KIXQ",
        "scrypt$14$8$5$00",
        "scrypt$14$8$5$" + "00" * 16 + "$" + "00" * 31,
        "scrypt$0$8$5$" + "00" * 16 + "$" + "00" * 32,
        "scrypt$14$0$5$" + "00" * 16 + "$" + "00" * 32,
        "scrypt$99$8$5$" + "00" * 16 + "$" + "00" * 32,
        "scrypt$17$8$5$" + "00" * 16 + "$" + "00" * 32,
    ],
)
def test_what_is_no_hash_or_would_take_the_pi_down_is_refused(text):
    with pytest.raises(ValueError, match="hotspot-gateway hash-password"):
        check(text)
