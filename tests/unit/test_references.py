"""Ids and references: each leads to the others, and to one gateway only."""

import uuid

from gateway.references import TAG_CHARS, grant_id_of, is_of, new_payment_id, payment_id_at_end_of, payment_id_in, reference_of

TAG = "0a1b2c3d"


def test_a_payment_is_found_again_by_its_reference():
    payment_id = new_payment_id(TAG)
    assert payment_id_in(reference_of(payment_id)) == payment_id


def test_a_reference_has_the_letters_that_the_provider_takes():
    reference = reference_of(new_payment_id(TAG))
    assert len(reference) <= 40
    assert set(reference) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def test_a_reference_that_no_gateway_made_names_no_payment():
    for reference in (None, "", "ISL_faa26ef9", "HG-7F3K2M", "HG-" + "g" * 32, reference_of(new_payment_id(TAG)).lower()):
        assert payment_id_in(reference) is None


def test_a_payment_is_found_again_by_where_its_link_leads_back():
    payment_id = new_payment_id(TAG)
    for base in ("http://10.5.50.2:8080/payment/success/", "https://pay.example.org/thanks?payment="):
        assert payment_id_at_end_of(base + payment_id) == payment_id


def test_a_link_that_leads_elsewhere_names_no_payment():
    payment_id = new_payment_id(TAG)
    for address in (None, "", "https://haircuts.example.org/thanks", f"https://x.example/{payment_id}/more", payment_id + "\n"):
        assert payment_id_at_end_of(address) is None


def test_a_payment_says_which_gateway_made_it():
    payment_id = new_payment_id(TAG)
    assert is_of(payment_id, TAG)
    assert not is_of(payment_id, "f" * TAG_CHARS)
    assert not is_of(payment_id, "")


def test_ids_are_random_behind_the_tag():
    ids = {new_payment_id(TAG) for _ in range(50)}
    assert len(ids) == 50
    assert {uuid.UUID(payment_id).version for payment_id in ids} == {4}


def test_one_payment_buys_one_grant_whose_id_anybody_can_work_out_again():
    assert grant_id_of("payment-1") != grant_id_of("payment-2")
    assert grant_id_of("0a1b2c3d-0000-4000-8000-000000000001") == "0649e292-9b70-5a96-b03f-feb10e38cd84"  # on routers by now
