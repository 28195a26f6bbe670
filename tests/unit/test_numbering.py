"""Numbering: which texts are a phone that M-Pesa can prompt (facts, payments 10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.numbering import INVALID, parse_phone


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("0712345678", "+254712345678"),
        ("0110123456", "+254110123456"),
        ("712345678", "+254712345678"),
        ("110123456", "+254110123456"),
        ("254712345678", "+254712345678"),
        ("+254712345678", "+254712345678"),
        ("+254 711-111-111", "+254711111111"),
        ("2540712345678", "+254712345678"),
        ("+2540712345678", "+254712345678"),
        ("+254 (0) 712 345 678", "+254712345678"),
        ("(0712) 345.678", "+254712345678"),
        ("0712\u2013345\u00a0678", "+254712345678"),
        ("  0712345678\n", "+254712345678"),
    ],
)
def test_every_usual_spelling_of_a_kenyan_mobile_is_read(text, e164):
    assert parse_phone(text).e164 == e164


def test_a_number_pasted_from_the_contacts_with_its_invisible_marks_is_read():
    assert parse_phone("\u202a+254 712 345678\u202c").e164 == "+254712345678"


@pytest.mark.parametrize(
    "text", ["", " ", "+", "0", "071234567", "07123456789", "+2547123456789", "254", "0" * 300, "\ud800", "0712345678;ext=5"]
)
def test_what_is_no_number_is_refused_with_the_sentence_of_the_specification(text):
    with pytest.raises(ValueError, match=f"^{INVALID}$"):
        parse_phone(text)


@pytest.mark.parametrize("text", ["0612345678", "0201234567", "+254201234567", "0800221111", "0900123456"])
def test_a_number_that_is_no_mobile_is_refused(text):
    with pytest.raises(ValueError, match=f"^{INVALID}$"):
        parse_phone(text)


@pytest.mark.parametrize("text", ["+256712345678", "+255712345678", "+250781234567", "+14155552671"])
def test_another_countrys_number_is_refused_for_that_reason(text):
    with pytest.raises(ValueError, match="Kenyan mobile numbers only"):
        parse_phone(text)


@pytest.mark.parametrize(
    "text", ["0712FLOWER", "call 0712345678", "0712345678 or 0733345678", "tel:0712345678", "*0712345678#", "0712345678x5"]
)
def test_a_number_is_not_guessed_out_of_words(text):
    with pytest.raises(ValueError, match=f"^{INVALID}$"):
        parse_phone(text)


@given(st.integers(0, 99_999_999).map("7{:08}".format))
def test_the_four_spellings_of_each_safaricom_style_number_agree(national):
    spellings = (national, f"0{national}", f"254{national}", f"+254{national}")
    assert {parse_phone(text).e164 for text in spellings} == {f"+254{national}"}


@given(st.text(alphabet=st.characters() | st.sampled_from("0123456789+ -"), max_size=20))
def test_any_text_is_a_kenyan_number_or_a_value_error(text):
    try:
        phone = parse_phone(text)
    except ValueError:
        return
    assert phone.is_kenyan
    assert len(phone.digits) == 12
