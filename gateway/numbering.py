"""Text to telephone number, by the numbering plans of libphonenumber.

The only module that knows the library. What M-Pesa can take is decided by `MPESA_REGION`; everything else is the plan's word.
"""

import re
from functools import lru_cache

import phonenumbers

from gateway.identity import PhoneNumber

MPESA_REGION = "KE"
"""Where numbers without a country code belong, and the only country whose phones get a prompt (facts, payments 10)."""

INVALID = "Invalid phone number format"
"""The sentence of the specification ("Phone Number Format")."""

_REMEMBERED = 1_000
"""Spellings whose number is known: IntaSend's list names the customers of a day anew each hour."""

_SPELLING = re.compile(r"[\d\s+().\-\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060-\u2069]+")
"""Digits, the punctuation of telephone numbers, and the invisible marks that phones copy along with a contact."""


@lru_cache(maxsize=_REMEMBERED)
def parse_phone(text: str) -> PhoneNumber:
    """Read a Kenyan mobile number in any usual spelling: `0712345678`, `712345678`, `254…`, `+254 711-111-111`, `+2540712…`.

    Raises ValueError with the specification's sentence for what is no mobile number, and with one that names the reason for
    another country's (facts, payments 10: a fixed line is valid but can get no prompt; a prefix swap would turn a Ugandan
    number into a stranger's Kenyan one). Letters are refused: the library would dial them as on a keypad, or pick a number out
    of a sentence, and a guess would prompt a stranger to pay.
    """
    if not _SPELLING.fullmatch(text):
        raise ValueError(INVALID)
    try:
        number = phonenumbers.parse(text, MPESA_REGION)
    except phonenumbers.NumberParseException:
        raise ValueError(INVALID) from None
    if not phonenumbers.is_valid_number(number):
        raise ValueError(INVALID)
    if phonenumbers.region_code_for_number(number) != MPESA_REGION:
        raise ValueError("M-Pesa takes Kenyan mobile numbers only (07…, 01… or 254…)")
    if phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.MOBILE:
        raise ValueError(INVALID)
    return PhoneNumber(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
