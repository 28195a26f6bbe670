"""What IntaSend's documents mean to us, and what of them is kept."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.providers.base import InvoiceReport, Reported
from gateway.providers.intasend_answers import WORDS, as_amount, invoice_report, parse_object, redact, refusal
from tests.scriptedserver import INVOICE, ORDER, PUBLISHABLE, PUSHED, REFUSAL, SECRET

UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])
"""How fast examples run says nothing here, on a machine that does something else as well."""


def report_of(document: dict[str, Any]) -> InvoiceReport:
    report = invoice_report(parsed(json.dumps(document)))
    assert report is not None
    return report


def parsed(text: str) -> dict[str, Any]:
    document = parse_object(text.encode())
    assert document is not None
    return document


# What answers mean


def test_a_document_that_names_no_invoice_is_no_report() -> None:
    for document in ({}, {"invoice": 150}, {"invoice": {"state": "COMPLETE"}}, {"invoice_id": " "}, {"invoice_id": ["Y5JJV4V"]}):
        assert invoice_report(document) is None


def test_the_payment_id_stands_beside_the_invoice_and_not_in_it() -> None:
    assert report_of(PUSHED).payment_id == PUSHED["id"]
    assert report_of({"invoice": INVOICE, "meta": {"id": "U"}}).payment_id == "U"
    assert report_of({**INVOICE, "id": "Y5JJV4V"}).payment_id is None


@pytest.mark.parametrize("word", [*WORDS, *(word.lower() for word in WORDS)])
def test_a_known_word_is_translated_in_any_case(word: str) -> None:
    report = report_of({"invoice": {**INVOICE, "state": f" {word} "}})
    assert (report.reported, report.word) == (WORDS[word.upper()], word)


@pytest.mark.parametrize("word", ["PARTIAL", "", None, 7, ["COMPLETE"], {"COMPLETE": 1}, True])
def test_an_unknown_word_is_unrecognised(word: Any) -> None:
    assert report_of({"invoice": {**INVOICE, "state": word}}).reported is Reported.UNRECOGNISED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("50", 50),
        ("50.0", 50),
        ('"50.00"', 50),
        ("0.1", "0.1"),
        ("10.000000000001", "10.000000000001"),
        ("5e1", 50),
        ('" 50 "', 50),
        ("null", None),
        ("true", None),
        ('"fifty"', None),
        ('"5_0"', None),
        ('"\\u0665\\u0660"', None),
        ('"NaN"', None),
        ('"Infinity"', None),
        ("1e999999999999999999999", None),
        ("[50]", None),
        ('{"value": 50}', None),
        ('""', None),
    ],
)
def test_money_is_exact_whatever_its_json_type(value: str, expected: int | str | None) -> None:
    report = invoice_report(parsed(f'{{"invoice": {{"invoice_id": "Y5JJV4V", "state": "COMPLETE", "value": {value}}}}}'))
    assert report is not None
    assert report.value == (None if expected is None else Decimal(expected))


def test_the_receipt_comes_late_and_from_either_field() -> None:
    for fields, receipt in (
        ({"state": "COMPLETE"}, None),
        ({"mpesa_reference": "TJRHC8IET4", "provider_ref": "OTHER12345"}, "TJRHC8IET4"),
        ({"provider_ref": "TJRHC8IET4"}, "TJRHC8IET4"),
        ({"provider_ref": "ws_CO_070220261642"}, None),
    ):
        assert report_of({"invoice": {**INVOICE, **fields}}).receipt == receipt


@pytest.mark.parametrize("code", ["1032", 1032])
def test_a_failure_has_its_code_as_text(code: str | int) -> None:
    failure = {"state": "FAILED", "failed_code": code, "failed_reason": "Request Cancelled by user."}
    report = report_of({"invoice": {**INVOICE, **failure}, "meta": {"id": "U"}})
    assert (report.reported, report.failed_code) == (Reported.FAILED, "1032")
    assert (report.failed_reason, report.payment_id) == ("Request Cancelled by user.", "U")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@UNHURRIED
@given(st.dictionaries(st.sampled_from([*INVOICE, "invoice", "meta", "id", "errors", "detail", "customer"]), json_values))
def test_wrong_types_anywhere_never_crash(document: dict[str, Any]) -> None:
    invoice_report({**document, "invoice_id": "Y5JJV4V"})
    invoice_report({"invoice": document})
    refusal(document)
    json.dumps(redact(document), allow_nan=False)


@UNHURRIED
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=2))
def test_an_amount_reads_the_same_as_number_and_as_text(amount: Decimal) -> None:
    assert as_amount(amount) == as_amount(str(amount)) == amount


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (REFUSAL, "phone_number: Not a mobile number."),
        ({"detail": "Authentication credentials were not provided."}, "Authentication credentials were not provided."),
        ({"details": "Device id not found"}, "Device id not found"),
        ({"amount": ["A valid number is required."]}, "amount: A valid number is required."),
        ({"errors": "no list", "status": 4}, None),
        ({"errors": [{"detail": f"{n}"} for n in range(9)]}, "0; 1; 2"),
        ({"detail": "x" * 5000}, "x" * 200),
        (None, None),
    ],
)
def test_a_refusal_is_one_short_sentence_from_any_shape_of_error(document: dict[str, Any] | None, sentence: str | None) -> None:
    assert refusal(document) == sentence


# What is kept


def test_what_is_kept_of_an_answer_has_no_person_and_no_secret_in_it() -> None:
    private_parts = {"signature": "eyJ", "public_key": PUBLISHABLE, "meta": {"note": f"call 0712345678, {SECRET}"}}
    report = report_of({**PUSHED, **private_parts})
    kept = json.dumps(report.raw)
    for private in ("254712345678", "0712345678", "Wanjiku", "wanjiku@", "eyJ", PUBLISHABLE, SECRET):
        assert private not in kept
    assert report.raw["invoice"]["account"] == report.raw["customer"]["phone_number"] == "2547•••••678"
    assert report.raw["invoice"]["api_ref"] == ORDER.api_ref
    assert report.raw["invoice"]["value"] == "50.0"


def test_redaction_drops_secrets_by_their_names_at_every_level() -> None:
    secrets = {"challenge": "c", "token": "t", "Signature": "s", "secretKey": "k", "X-API-Key": "k", "password": "p"}
    assert redact({"state": "FAILED", **secrets, "deep": [{"deeper": secrets}]}) == {"state": "FAILED", "deep": [{"deeper": {}}]}


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("254712345678", "2547•••••678"),
        (254712345678, "2547•••••678"),
        ("+254112345678", "2541•••••678"),
        ("jane@example.org", "•••"),
    ],
)
def test_an_account_is_masked_whatever_its_type(number: str | int, masked: str) -> None:
    assert redact({"account": number}) == {"account": masked}


def test_redaction_keeps_ids_flags_and_nothing_of_what_is_absent() -> None:
    document = {"id": "0666538f-9f84-435b-bee7-254712345678"[:-1], "retry_count": 0, "refundable": False, "failed_code": None}
    assert redact(document) == document


def test_redaction_ends_at_a_depth_and_a_length() -> None:
    deep: dict[str, Any] = {"x": "y" * 5000}
    for _ in range(500):
        deep = {"x": deep}
    assert len(json.dumps(redact(deep))) < 100
    assert redact({"x": "y" * 5000}) == {"x": "y" * 500}
