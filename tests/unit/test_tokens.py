"""Tokens: what is read, and everything that only looks like one (RFC 8725)."""

import base64
import hmac
import json
import warnings
from typing import Any

import jwt
import pytest

from gateway.errors import Denied
from gateway.identity import Secret
from gateway.tokens import ACCESS_S, LEEWAY_S, REFRESH_S, Kind, Tokens
from tests.fakeclock import FakeClock

KEY = "7" * 64
INVALID = "Invalid access token: log in again"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(clock: FakeClock) -> Tokens:
    return Tokens(Secret(KEY), clock)


def claims_of(tokens: Tokens) -> dict[str, Any]:
    """The claims of a good access token, as they are on the wire."""
    text, _ = tokens.make(Kind.ACCESS, 1, 7)
    return dict(json.loads(unpacked(text.split(".")[1])))


def packed(part: bytes | dict[str, Any]) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def signed(
    claims: dict[str, Any], *, key: str = KEY, alg: str = "HS256", digest: str = "sha256", header: dict[str, Any] | None = None
) -> str:
    """A token as somebody makes it by hand who knows the key, or thinks so."""
    body = f"{packed({'alg': alg, 'typ': 'JWT'} | (header or {}))}.{packed(claims)}"
    return f"{body}.{packed(hmac.digest(key.encode(), body.encode(), digest))}"


def refusal(tokens: Tokens, text: str, kind: Kind = Kind.ACCESS) -> str:
    with pytest.raises(Denied) as caught:
        tokens.read(text, kind)
    return caught.value.message


@pytest.mark.parametrize(("kind", "life_s"), [(Kind.ACCESS, 900), (Kind.REFRESH, 2_592_000)])
def test_a_token_says_whose_it_is_and_until_when(tokens, clock, kind, life_s):
    text, made = tokens.make(kind, 3, 7)
    assert tokens.read(text, kind) == made
    assert (made.owner_id, made.generation, made.expires_at_s) == (3, 7, int(clock.wall_s()) + life_s)


def test_it_carries_every_claim_and_names_its_algorithm(tokens):
    text, made = tokens.make(Kind.ACCESS, 1, 7)
    now_s = made.issued_at_s
    assert json.loads(unpacked(text.split(".")[0])) == {"alg": "HS256", "typ": "JWT"}
    assert claims_of(tokens) | {"jti": made.token_id} == {
        "iss": "hotspot-gateway",
        "aud": "hotspot-gateway-api",
        "sub": "1",
        "jti": made.token_id,
        "iat": now_s,
        "nbf": now_s,
        "exp": now_s + ACCESS_S,
        "typ": "access",
        "generation": 7,
        "stepped": 0.0,
    }


def test_no_two_tokens_have_the_same_id(tokens):
    assert len({tokens.make(Kind.REFRESH, 1, 0)[1].token_id for _ in range(50)}) == 50


def test_what_is_made_by_hand_with_all_claims_and_the_key_is_read(tokens):
    assert tokens.read(signed(claims_of(tokens)), Kind.ACCESS).owner_id == 1


def test_another_key_signs_nothing(tokens):
    assert refusal(tokens, signed(claims_of(tokens), key="8" * 64)) == INVALID


def test_a_token_without_signature_is_refused(tokens):
    body = f"{packed({'alg': 'none', 'typ': 'JWT'})}.{packed(claims_of(tokens))}"
    for text in (f"{body}.", body, signed(claims_of(tokens), alg="none"), signed(claims_of(tokens), alg="None")):
        assert refusal(tokens, text) == INVALID


@pytest.mark.parametrize(("alg", "digest"), [("HS512", "sha512"), ("HS384", "sha384"), ("hs256", "sha256")])
def test_another_algorithm_is_refused_even_with_our_key(tokens, alg, digest):
    assert refusal(tokens, signed(claims_of(tokens), alg=alg, digest=digest)) == INVALID


def test_a_public_key_as_our_secret_gains_nothing(tokens):
    assert refusal(tokens, signed(claims_of(tokens), alg="RS256")) == INVALID


def test_an_extension_that_must_be_understood_and_is_not_is_refused(tokens):
    assert refusal(tokens, signed(claims_of(tokens), header={"crit": ["never-heard-of"], "never-heard-of": True})) == INVALID


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "typ", "generation", "stepped"])
def test_a_token_that_lacks_a_claim_is_refused(tokens, claim):
    claims = claims_of(tokens)
    del claims[claim]
    assert refusal(tokens, signed(claims)) == INVALID


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody-else"},
        {"aud": "another-api"},
        {"sub": "njeri"},
        {"sub": 1},
        {"exp": "soon"},
        {"nbf": None},
        {"nbf": "now"},
        {"generation": "first"},
        {"generation": None},
    ],
)
def test_a_claim_that_is_not_ours_is_refused(tokens, change):
    assert refusal(tokens, signed(claims_of(tokens) | change)) == INVALID


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_token_of_which_one_letter_is_changed_is_refused(tokens, place):
    parts = tokens.make(Kind.ACCESS, 1, 0)[0].split(".")
    letter = parts[place][5]
    parts[place] = parts[place][:5] + ("A" if letter != "A" else "B") + parts[place][6:]
    assert refusal(tokens, ".".join(parts)) == INVALID


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "é.é.é", "e30.e30.e30", "W10.W10.W10", "\ud800.a.b", "a" * 5_000])
def test_nonsense_is_refused(tokens, text):
    assert refusal(tokens, text) == INVALID


def test_the_one_kind_is_not_taken_for_the_other(tokens):
    access, refresh = (tokens.make(kind, 1, 0)[0] for kind in Kind)
    strange = signed(claims_of(tokens) | {"typ": ["access"]})
    assert (
        refusal(tokens, refresh)
        == refusal(tokens, strange)
        == "This is not the access token: a log-in gives two, send the other one"
    )
    assert refusal(tokens, access, Kind.REFRESH) == "This is not the refresh token: a log-in gives two, send the other one"


@pytest.mark.parametrize(("kind", "life_s"), [(Kind.ACCESS, ACCESS_S), (Kind.REFRESH, REFRESH_S)])
def test_a_token_ends_a_minute_after_its_time(tokens, clock, kind, life_s):
    text, _ = tokens.make(kind, 1, 0)
    clock.step_wall(life_s + LEEWAY_S - 1)
    tokens.read(text, kind)
    clock.step_wall(1)
    assert refusal(tokens, text, kind) == f"The {kind.value} token has expired"


def test_a_token_from_the_future_is_refused_but_for_a_minute(tokens, clock):
    text, _ = tokens.make(Kind.ACCESS, 1, 0)
    clock.step_wall(-LEEWAY_S)
    tokens.read(text, Kind.ACCESS)
    clock.step_wall(-1)
    assert refusal(tokens, text) == "The access token is not valid yet: the gateway's clock has gone back, log in again"


@pytest.mark.parametrize("step_s", [-365 * 86_400, -8 * 3_600, 8 * 3_600, 365 * 86_400])
def test_a_step_of_the_clock_makes_a_token_neither_older_nor_younger(tokens, clock, step_s):
    text, _ = tokens.make(Kind.ACCESS, 1, 0)
    clock.step_wall(step_s)
    clock.stepped_s += step_s
    clock.advance(ACCESS_S + LEEWAY_S - 1)
    tokens.read(text, Kind.ACCESS)
    clock.advance(1)
    assert refusal(tokens, text) == "The access token has expired"


def test_a_library_of_others_reads_our_tokens_and_we_read_theirs(tokens):
    claims = claims_of(tokens)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = jwt.encode(claims, KEY, "HS256")
    assert tokens.read(made, Kind.ACCESS).token_id == claims["jti"]
