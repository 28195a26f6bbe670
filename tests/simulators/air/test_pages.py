"""RouterOS' page language, example by example."""

import pytest

from gateway.simulators.air.pages import Page, fill_in, value

JOHN = {
    "username": "john",
    "ip": "10.5.50.2",
    "mac": "AA:BB:CC:DD:EE:FF",
    "error": "",
    "link-orig": "http://example.com/a?b=1&c='d\"é",
}


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("no tags", "no tags"),
        ("<b>$(username)</b>", "<b>john</b>"),
        ("$(mac) $(ip)", "AA:BB:CC:DD:EE:FF 10.5.50.2"),
        ("[$(unheard-of)]", "[]"),
        ("[$(unheard-of-esc)]", "[]"),
        ("$(mac-esc)", "AA%3ABB%3ACC%3ADD%3AEE%3AFF"),
        ("$(link-orig-esc)", "http%3A%2F%2Fexample.com%2Fa%3Fb%3D1%26c%3D%27d%22%C3%A9"),
        ("$(link-orig)", "http://example.com/a?b=1&c='d\"é"),
        ("costs $5, $ (a) and $(", "costs $5, $ (a) and $("),
    ],
)
def test_a_variable_stands_for_its_value(text: str, body: str):
    assert fill_in(text, JOHN).body == body


def test_a_value_is_escaped_by_its_esc_name_only():
    assert value({"a": "<&>"}, "a") == "<&>"
    assert value({"a": "<&>"}, "a-esc") == "%3C%26%3E"


def test_a_variable_that_is_really_called_so_is_not_taken_for_an_escaped_one():
    assert value({"a": "x y", "a-esc": "own"}, "a-esc") == "own"


def test_a_value_is_not_read_as_a_page():
    assert fill_in("$(a)", {"a": "$(b)", "b": "no"}).body == "$(b)"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("$(if username)hello$(endif)", "hello"),
        ("$(if error)oops$(endif).", "."),
        ("$(if unheard-of)oops$(endif).", "."),
        ("$(if username == john)yes$(endif)", "yes"),
        ("$(if username == 'john')yes$(endif)", "yes"),
        ('$(if username == "john")yes$(endif)', "yes"),
        ("$(if username=='john')yes$(endif)", "yes"),
        ("$(if username == dizzy)yes$(else)no$(endif)", "no"),
        ("$(if username != dizzy)yes$(else)no$(endif)", "yes"),
        ('$(if error == "")none$(endif)', "none"),
        ("$(if mac == AA:BB:CC:DD:EE:FF)that old one$(endif)", "that old one"),
        ("$(if username == a)1$(elif username == john)2$(elif ip)3$(else)4$(endif)", "2"),
        ("$(if username == a)1$(elif username == b)2$(else)4$(endif)", "4"),
        ("$(if username)1$(elif ip)2$(else)3$(endif)", "1"),
        ("a$(if username)b$(if error)c$(else)d$(endif)e$(endif)f", "abdef"),
        ("a$(if error)b$(if username)c$(else)d$(endif)e$(elif ip)g$(endif)f", "agf"),
        ("a$(if error)b$(if username)c$(endif)", "a"),
        ("a$(if error)$(if unheard-of)b$(else)c$(endif)$(endif)d", "ad"),
        ("$(if link-orig-esc)has one$(endif)", "has one"),
        ("$(else)stray$(endif)", "stray"),
    ],
)
def test_a_condition_shows_one_branch(text: str, body: str):
    assert fill_in(text, JOHN).body == body


def test_without_the_two_forms_a_page_is_a_plain_answer():
    assert fill_in("text", {}) == Page(200, "OK", {}, "text")


def test_the_two_forms_set_the_status_line_and_a_header():
    page = fill_in(
        '$(if http-status == 302)Hotspot login required$(endif)\n$(if http-header == "Location")$(link)$(endif)\n<html>',
        {"link": "http://10.5.50.1/login"},
    )
    assert page == Page(302, "Hotspot login required", {"Location": "http://10.5.50.1/login"}, "\n\n<html>")


def test_the_last_of_two_headers_of_one_name_counts():
    page = fill_in("$(if http-header == A)1$(endif)$(if http-header == A)2$(endif)", {})
    assert page.headers == {"A": "2"}


def test_conditions_work_inside_a_header_and_around_it():
    redirect = (
        "$(if logged-in == 'yes')$(if http-status == 302)status$(endif)"
        "$(else)$(if http-status == 303)$(if error)$(error)$(else)log in$(endif)$(endif)$(endif)"
    )
    assert (fill_in(redirect, {"logged-in": "yes"}).status, fill_in(redirect, {"logged-in": "no"}).reason) == (302, "log in")


def test_nothing_is_set_by_what_is_not_shown():
    hidden = "$(if error)$(if unheard-of)$(else)$(if http-status == 404)no$(endif)$(endif)$(endif)"
    assert fill_in(hidden, JOHN).status == 200


@pytest.mark.parametrize("wrong", ["99", "0302", "abc", "042"])
def test_a_status_that_is_none_is_not_set(wrong: str):
    assert fill_in(f"$(if http-status == {wrong})x$(endif)", {}).status == 200


def test_a_value_cannot_break_out_of_its_header():
    assert fill_in("$(if http-header == A)$(v)$(endif)", {"v": "a\r\nSet-Cookie: b"}).headers == {"A": "a Set-Cookie: b"}


def test_what_is_never_closed_ends_with_the_page():
    assert fill_in("$(if http-header == A)1", {}).headers == {"A": "1"}
    assert fill_in("$(if a)1", {"a": "x"}).body == "1"
