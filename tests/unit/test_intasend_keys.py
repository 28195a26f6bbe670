"""What IntaSend's keys say about themselves: refused by field, and never shown."""

import pytest

from gateway.errors import Invalid
from gateway.identity import Secret
from gateway.providers.base import Environment, ProviderAccount
from gateway.providers.intasend_keys import contradiction, demand_usable


def account(publishable: str, secret: str, environment: Environment = Environment.SANDBOX) -> ProviderAccount:
    return ProviderAccount(environment, publishable, Secret(secret), None, None)


@pytest.mark.parametrize(
    ("keys", "field", "rule"),
    [
        (
            account("ISPubKey_live_1", "ISSecretKey_test_1"),
            "api_key",
            "the publishable key is of IntaSend's live world, the environment is sandbox",
        ),
        (
            account("ISPubKey_live_1", "ISSecretKey_test_hidden", Environment.LIVE),
            "private_key",
            "the secret key is of IntaSend's sandbox world, the environment is live",
        ),
        (account("ISPubKey_test_1", "ISPubKey_test_1"), "private_key", "the secret key is a publishable key (ISPubKey_...)"),
        (account("ISPubKey_test_1\n", "ISSecretKey_test_1"), "api_key", "IntaSend keys are printable ASCII without spaces"),
        (account("ISPubKey_test_1", "x y"), "private_key", "IntaSend keys are printable ASCII without spaces"),
        (account("ISPubKey_test_1", "x" * 501), "private_key", "IntaSend keys are printable ASCII without spaces"),
    ],
)
def test_unusable_keys_are_refused_by_their_field_and_not_shown(keys: ProviderAccount, field: str, rule: str):
    with pytest.raises(Invalid) as caught:
        demand_usable(keys)
    assert (caught.value.message, caught.value.fields) == (rule, {field: [rule]})
    assert "hidden" not in rule


@pytest.mark.parametrize(
    "keys",
    [
        account("ISPubKey_test_1", "ISSecretKey_test_1"),
        account("ISPubKey_live_1", "ISSecretKey_live_1", Environment.LIVE),
        account("your_public_api_key", "your_secret_key"),
    ],
)
def test_keys_that_say_nothing_wrong_are_intasends_to_judge(keys: ProviderAccount):
    demand_usable(keys)
    assert contradiction(keys) is None
