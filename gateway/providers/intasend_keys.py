"""What IntaSend's keys say about themselves: which kind they are, and which world they belong to.

Pure: whether IntaSend accepts them, only IntaSend knows.
"""

import re

from gateway.errors import Invalid
from gateway.providers.base import Environment, ProviderAccount

_FIELDS = {"publishable": "api_key", "secret": "private_key"}
"""Our words for the two keys, and the specification's."""
_KINDS = {"ISPubKey": "publishable", "ISSecretKey": "secret"}
_WORLDS = {"test": Environment.SANDBOX, "live": Environment.LIVE}
_KEY = re.compile(r"(ISPubKey|ISSecretKey)_(test|live)_.*", re.DOTALL)
_HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,500}")


def demand_usable(account: ProviderAccount) -> None:
    """Raises Invalid, with the specification's field, for keys that cannot stand in an HTTP header or contradict themselves."""
    for kind, key in _keys(account).items():
        if not _HEADER_VALUE.fullmatch(key):
            rule = "IntaSend keys are printable ASCII without spaces"
            raise Invalid(rule, fields={_FIELDS[kind]: [rule]})
        if fault := _contradiction(kind, key, account.environment):
            raise Invalid(fault, fields={_FIELDS[kind]: [fault]})


def contradiction(account: ProviderAccount) -> str | None:
    """What is wrong with an account's keys as a sentence without the keys; None when nothing contradicts.

    IntaSend's prefixes say kind and world: `ISPubKey_test_`, `ISSecretKey_live_` (facts, payments 1). A key without such a prefix
    contradicts nothing; IntaSend will judge it.
    """
    found = (_contradiction(kind, key, account.environment) for kind, key in _keys(account).items())
    return next((fault for fault in found if fault), None)


def _keys(account: ProviderAccount) -> dict[str, str]:
    return {"publishable": account.publishable_key, "secret": account.secret_key.reveal()}


def _contradiction(kind: str, key: str, environment: Environment) -> str | None:
    match = _KEY.fullmatch(key)
    if match and _KINDS[match[1]] != kind:
        return f"the {kind} key is a {_KINDS[match[1]]} key ({match[1]}_...)"
    if match and _WORLDS[match[2]] is not environment:
        return f"the {kind} key is of IntaSend's {_WORLDS[match[2]].value} world, the environment is {environment.value}"
    return None
