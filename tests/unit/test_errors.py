"""The error tree: what a caller can tell apart, and what an error carries."""

import pytest

from gateway import errors
from gateway.errors import Code, GatewayError

# Each error with its parent and the kind of failure that callers see.
TREE = """
Invalid                 GatewayError   invalid
Denied                  GatewayError   denied
Forbidden               GatewayError   forbidden
NotFound                GatewayError   not_found
Conflict                GatewayError   conflict
Unprocessable           GatewayError   unprocessable
TooMany                 GatewayError   too_many
Unavailable             GatewayError   unavailable
RouterUnreachable       Unavailable    unavailable
RouterFull              Unavailable    unavailable
RouterRefused           Unavailable    unavailable
DeviceAbsent            Unavailable    unavailable
ProviderUnreachable     Unavailable    unavailable
NotStored               GatewayError   unavailable
ProviderRefused         GatewayError   refused
KeysRejected            ProviderRefused refused
PushOutcomeUnknown      GatewayError   refused
Internal                GatewayError   internal
EncryptionKeyMismatch   Internal       internal
"""

ROWS = [tuple(line.split()) for line in TREE.strip().splitlines()]


def every_kind(parent: type[GatewayError]) -> set[type[GatewayError]]:
    return {parent}.union(*(every_kind(child) for child in parent.__subclasses__()))


@pytest.mark.parametrize(("name", "parent", "code"), ROWS)
def test_each_error_has_its_place_in_the_tree_and_its_code(name, parent, code):
    kind = getattr(errors, name)
    assert kind.__bases__ == (getattr(errors, parent),)
    assert kind("no").code is Code(code)


def test_the_tree_of_this_test_is_whole():
    here = {kind.__name__ for kind in every_kind(GatewayError) if kind.__module__ == errors.__name__}
    assert here == {"GatewayError", *(name for name, *_ in ROWS)}


def test_the_modules_docstring_draws_every_error():
    assert [name for name, *_ in ROWS if name not in (errors.__doc__ or "")] == []


def test_every_code_is_somebodys():
    assert {kind.code for kind in every_kind(GatewayError)} == set(Code)


def test_an_error_is_its_sentence():
    fault = errors.Invalid("must be a MAC address")
    assert (str(fault), fault.message) == ("must be a MAC address", "must be a MAC address")


def test_an_error_carries_only_what_it_was_given():
    fault = errors.Conflict("prompt is open")
    assert (fault.payment_id, fault.fields, fault.retry_after_s) == (None, None, None)


def test_an_error_names_the_payment_the_fields_and_the_wait():
    fault = errors.Unavailable("not now", payment_id="payment-1", fields={"amount": ["too much"]}, retry_after_s=15)
    assert (fault.payment_id, fault.fields, fault.retry_after_s) == ("payment-1", {"amount": ["too much"]}, 15)


def test_a_push_that_may_have_been_sent_is_never_taken_for_one_that_was_not():
    assert not issubclass(errors.PushOutcomeUnknown, errors.ProviderUnreachable | errors.ProviderRefused)
