"""What of an exchange with IntaSend is kept: whose it is, what was said, nothing secret."""

from gateway.providers.intasend_answers import BARE_ARRAY
from gateway.providers.intasend_exchanges import exchange_of
from tests.scriptedserver import INVOICE, PUSHED, SECRET

PUSH = {"phone_number": "254712345678", "amount": 50, "api_ref": "HG-1", "public_key": "ISPubKey_test_x", "narrative": "WiFi"}


def test_a_push_is_kept_masked():
    kept = exchange_of("POST", "payment/mpesa-stk-push/", PUSH, 200, PUSHED)
    assert kept.request == "POST payment/mpesa-stk-push/"
    assert kept.sent == {"phone_number": "2547•••••678", "amount": 50, "api_ref": "HG-1", "narrative": "WiFi"}
    assert (kept.outcome, kept.api_ref, kept.invoice_id, kept.word) == (200, "HG-1", "Y5JJV4V", "PENDING")
    assert "254712345678" not in str(kept)


def test_a_search_is_about_the_reference_in_its_address():
    kept = exchange_of("GET", "invoices/?api_ref=HG-1&page=1", None, 200, {"results": [INVOICE], "next": None})
    assert (kept.api_ref, kept.invoice_id, kept.sent) == ("HG-1", None, {})


def test_of_a_list_its_length_is_kept_because_it_may_speak_of_others():
    for listing in ("results", BARE_ARRAY):
        assert exchange_of("GET", "invoices/", None, 200, {listing: [INVOICE, INVOICE]}).answer == {"results": 2}


def test_an_exchange_without_an_answer_is_kept_with_the_fault():
    kept = exchange_of("POST", "payment/status/", {"invoice_id": "Y5JJV4V"}, "TimeoutError", None)
    assert (kept.outcome, kept.answer, kept.invoice_id, kept.word) == ("TimeoutError", {}, "Y5JJV4V", None)


def test_a_secret_in_a_refusal_is_masked():
    assert SECRET not in str(exchange_of("POST", "x/", None, 400, {"detail": f"Token {SECRET} is unknown"}))
