"""How an owner's portal may look: readable, small, and nothing that runs."""

import base64
from urllib.parse import unquote

import pytest

from gateway import config_portal
from gateway.config_portal import COLOUR, MAX_LOGO_BYTES, MIN_CONTRAST, PLAIN, contrast_with_white
from tests.configs import OWNER, Folder, changed

PORTAL = (*OWNER, "portal")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(30)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g fill="#fff"><path d="M1 1h7v7z"/><use href="#a"/></g></svg>'


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


def drawn(inside: str, root: str = "") -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"{root}>{inside}</svg>'.encode()


def test_an_owner_who_says_nothing_has_a_readable_portal(folder):
    (owner,) = folder.load(changed((*OWNER, "name"), "Njeri WiFi")).owners
    assert owner.portal == PLAIN
    assert contrast_with_white(COLOUR) >= MIN_CONTRAST


def test_what_an_owner_says_arrives(folder):
    folder.write("logo.svg", SVG)
    said = {"colour": "#7A1F1F", "logo": "logo.svg", "support_phone": " 0712 345 678 ", "venue_url": "https://njeri.example.org/"}
    (owner,) = folder.load(changed(PORTAL, said)).owners
    assert (owner.portal.colour, owner.portal.support_phone) == ("#7a1f1f", "0712 345 678")
    assert owner.portal.venue_url == "https://njeri.example.org/"
    assert (owner.portal.logo or "").startswith("data:image/svg+xml,")
    assert unquote((owner.portal.logo or "").partition(",")[2]) == SVG


def test_contrast_is_counted_as_wcag_counts_it():
    assert contrast_with_white("#000000") == pytest.approx(21)
    assert contrast_with_white("#ffffff") == pytest.approx(1)
    assert contrast_with_white("#767676") == pytest.approx(4.54, abs=0.01)
    assert contrast_with_white("#777777") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colour", ["#777777", "#ffcc00", "#FFFFFF"])
def test_a_colour_on_which_white_cannot_be_read_is_refused_with_its_contrast(folder, colour):
    fault = folder.fault(changed(PORTAL, {"colour": colour}))
    assert fault.startswith(f"owners[0].portal.colour: {colour} - is too light: white text on it has a contrast of ")


@pytest.mark.parametrize("colour", ["green", "#0a6", "0a6b35", "#0a6b35;}", "rgb(0,0,0)"])
def test_what_is_no_colour_is_refused(folder, colour):
    assert "must be a colour such as" in folder.fault(changed(PORTAL, {"colour": colour}))


def test_a_png_is_taken_as_it_is():
    head, _, data = config_portal.logo(PNG).partition(",")
    assert (head, base64.b64decode(data)) == ("data:image/png;base64", PNG)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xff\xd8\xff\xe0", b"<html></html>", b"<svg></svg>", b"<svg", b"\x89PNG"])
def test_what_is_no_png_or_svg_is_refused(content):
    with pytest.raises(ValueError, match="must be a PNG or an SVG image"):
        config_portal.logo(content)


@pytest.mark.parametrize(
    "content",
    [
        drawn("<script>alert(1)</script>"),
        drawn("<foreignObject/>"),
        drawn("<image href='https://example.org/x.png'/>"),
        drawn("<animate attributeName='href'/>"),
        drawn("<style>@import url(https://example.org/x.css)</style>"),
        drawn("<a href='#b'><path d='M0 0'/></a>"),
        drawn("<p xmlns='http://www.w3.org/1999/xhtml'/>"),
        drawn("<path d='M0 0' onclick='alert(1)'/>"),
        drawn("<path d='M0 0'/>", root=" onload='alert(1)'"),
        drawn("<use href='https://example.org/x.svg#a'/>"),
        drawn("<use xlink:href='data:image/svg+xml,x'/>"),
        drawn("<path style='fill: url(https://example.org/x)'/>"),
        drawn("<path fill='url(//example.org/x)'/>"),
    ],
)
def test_an_svg_that_could_do_more_than_be_looked_at_is_refused(content):
    with pytest.raises(ValueError, match="must be plain SVG"):
        config_portal.logo(content)


def test_an_svg_may_point_into_itself():
    assert config_portal.logo(drawn("<path fill='url(#a)'/><use xlink:href='#a'/><rect clip-path=\"url('#b')\"/>"))


def test_an_svg_with_a_document_type_is_refused():
    with pytest.raises(ValueError, match="without a document type"):
        config_portal.logo(b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.encode())


def test_a_logo_that_is_too_large_or_not_there_is_refused(folder):
    folder.write("big.png", PNG + bytes(MAX_LOGO_BYTES))
    assert "big.png - is longer than 4096 bytes" in folder.fault(changed(PORTAL, {"logo": "big.png"}))
    assert "cannot be read: No such file" in folder.fault(changed(PORTAL, {"logo": "none.png"}))


@pytest.mark.parametrize("phone", ["call us", "0712-345-678", "<b>1</b>", "+", "1"])
def test_a_support_phone_is_a_telephone_number(folder, phone):
    assert "must be a telephone number" in folder.fault(changed(PORTAL, {"support_phone": phone}))


def test_a_misspelt_key_is_found(folder):
    assert "did you mean colour?" in folder.fault(changed(PORTAL, {"color": "#000000"}))
