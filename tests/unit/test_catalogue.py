"""Who sells what where: keys, ownership, what is on sale, and the parts that the flows work with."""

from dataclasses import replace
from typing import Any, cast

import pytest

from gateway.catalogue import Account, Catalogue, Owner, Router, Site, package_on_sale
from gateway.errors import EncryptionKeyMismatch, NotFound, Unavailable
from gateway.hotspot.base import Hotspot
from gateway.providers.base import Provider
from tests.ledger import DAY, HOUR, LOGIN, payment

NJERI = Owner(1, "njeri", "Njeri WiFi", "c1eb9fed9dabc57f61d56c26ef3870ae")
OTIENO = Owner(2, "otieno", "Otieno", "0" * 32)
KIOSK = Router(1, 1, LOGIN, {1: HOUR, 2: replace(DAY, active=False)})
CATALOGUE = Catalogue([NJERI, OTIENO], [KIOSK])


@pytest.fixture
def site() -> Site:
    mismatch = EncryptionKeyMismatch("Failed to decrypt private key: Invalid encryption key")
    return Site(CATALOGUE, {1: cast("Provider", "an account"), 2: mismatch}, {1: cast("Hotspot", "a hotspot")})


def test_an_owner_is_found_by_the_public_key_in_either_case():
    found = [CATALOGUE.owner_with_key(key) for key in (NJERI.public_key, NJERI.public_key.upper(), OTIENO.public_key)]
    assert found == [NJERI, NJERI, OTIENO]


@pytest.mark.parametrize("key", ["", "f" * 32, NJERI.public_key[:-1], f" {NJERI.public_key}", "é", "\ud800"])
def test_a_key_that_is_nobodys_finds_nobody(key: str):
    assert CATALOGUE.owner_with_key(key) is None


def test_a_router_is_its_owners():
    assert CATALOGUE.router(1, 1) is KIOSK
    assert KIOSK.name == "Kiosk"


@pytest.mark.parametrize(("owner_id", "router_id"), [(2, 1), (1, 2), (9, 1)])
def test_somebody_elses_router_and_one_that_is_not_there_are_the_same_answer(owner_id, router_id):
    with pytest.raises(NotFound, match=r"^Router not found or access denied$"):
        CATALOGUE.router(owner_id, router_id)


def test_what_is_on_sale_can_be_bought():
    assert package_on_sale(KIOSK, 1) is HOUR


@pytest.mark.parametrize("package_id", [2, 3])
def test_what_is_not_on_sale_is_refused_in_the_specifications_sentence(package_id):
    with pytest.raises(NotFound, match=r"^Package not found or not active for this router$"):
        package_on_sale(KIOSK, package_id)


def test_an_owners_account_is_given_out(site: Site):
    assert cast("Any", site.provider(1)) == "an account"


def test_an_owner_without_keys_is_told_to_add_some(site: Site):
    with pytest.raises(
        NotFound, match=r"^No active IntaSend credentials found\. Please add your IntaSend API credentials first\.$"
    ):
        site.provider(3)


def test_keys_that_cannot_be_used_raise_their_reason(site: Site):
    with pytest.raises(EncryptionKeyMismatch):
        site.provider(2)


def test_a_router_in_service_has_its_hotspot_and_another_none(site: Site):
    assert cast("Any", site.hotspot(1)) == "a hotspot"
    with pytest.raises(Unavailable, match="router 2 is not in service"):
        site.hotspot(2)


def test_a_reload_replaces_the_parts_of_a_site(site: Site):
    site.catalogue, site.hotspots = Catalogue([], []), {}
    assert site.catalogue.owner_with_key(NJERI.public_key) is None
    with pytest.raises(Unavailable):
        site.hotspot(1)


def test_a_payment_keeps_the_account_with_which_it_was_made(site: Site):
    older, mismatch = cast("Provider", "older"), EncryptionKeyMismatch("no")
    site.accounts = {7: Account(1, older), 8: Account(1, mismatch)}
    assert site.provider_of(payment(credential_id=7)) is older
    with pytest.raises(EncryptionKeyMismatch, match=r"^no$"):
        site.provider_of(payment(credential_id=8))


def test_a_payment_whose_account_is_not_known_is_asked_about_with_what_sells_now(site: Site):
    assert site.provider_of(payment(credential_id=None)) is site.provider(1)
    assert site.provider_of(payment(credential_id=9)) is site.provider(1)


def test_every_account_that_opens_reads_webhooks_once(site: Site):
    older, newest = cast("Provider", "older"), site.provider(1)
    site.accounts = {7: Account(1, older), 8: Account(2, EncryptionKeyMismatch("no")), 9: Account(1, newest)}
    assert list(site.webhook_readers()) == [(1, newest), (1, older)]
