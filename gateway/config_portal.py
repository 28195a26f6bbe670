"""How an owner's portal looks: colour, logo, and whom to call.

Owns what may stand under `owners[].portal`. The page is shown before anything can be fetched from anywhere, so that the logo
travels inside it; and it is read in sunlight, so that a colour on which white cannot be read is refused.
"""

import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import quote

from gateway import config_values as value
from gateway.config_reader import FileKey, Key, Section, Table

COLOUR = "#0a6b35"
"""A green that reads 6.5:1 under white."""

MIN_CONTRAST = 4.5
"""Between white text and what is under it (WCAG 2.2, success criterion 1.4.3)."""

MAX_LOGO_BYTES = 4_096
"""A page with everything in it fits into the first 14 KB of a connection (facts, platform D5); a logo may have a quarter of it."""

_HEX_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_PHONE = re.compile(r"\+?[0-9][0-9 ]{1,18}[0-9]", re.ASCII)
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_SVG = "{http://www.w3.org/2000/svg}"
_SHAPES = {"svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title", "desc"}
_DRAWN = _SHAPES | {"defs", "symbol", "use", "clipPath", "mask", "linearGradient", "radialGradient", "stop"}
"""The elements of a picture. What runs, loads, embeds or animates is none of them."""
_SHARPER = 0.04045  # below it sRGB is linear (WCAG 2.2, "relative luminance")


@dataclass(frozen=True, slots=True)
class PortalLook:
    """What a customer sees of the owner."""

    colour: str = COLOUR
    """Of buttons and marks, as `#rrggbb`; white text reads on it."""
    logo: str | None = None
    """An image as a `data:` address."""
    support_phone: str | None = None
    """As the owner writes it."""
    venue_url: str | None = None
    """About the place, for phones that show it (RFC 8908, "venue-info-url")."""


PLAIN = PortalLook()
"""Of an owner who says nothing about it."""


def colour(text: str) -> str:
    """A colour on which white text can be read. ValueError with the contrast that it has."""
    if not _HEX_COLOUR.fullmatch(text):
        raise ValueError('must be a colour such as "#0a6b35", in quotes')
    contrast = contrast_with_white(text)
    if contrast < MIN_CONTRAST:
        raise ValueError(f"is too light: white text on it has a contrast of {contrast:.1f}:1, and {MIN_CONTRAST}:1 is the least")
    return text.lower()


def contrast_with_white(hex_colour: str) -> float:
    """How much darker than white it is, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    red, green, blue = (_linear(int(hex_colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def logo(content: bytes) -> str:
    """The image as a `data:` address. ValueError for what is no PNG or plain SVG, or could do more than be looked at."""
    if content.startswith(_PNG):
        return f"data:image/png;base64,{b64encode(content).decode()}"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("must be a PNG or an SVG image") from None
    _check_svg(text)
    return f"data:image/svg+xml,{quote(text, safe=' =:/;,()')}"  # gzip makes less of it than of base64


def support_phone(text: str) -> str:
    """A telephone number as people write it."""
    if not _PHONE.fullmatch(text.strip()):
        raise ValueError("must be a telephone number: digits and spaces, with or without + before them")
    return text.strip()


PORTAL: Table = {
    "colour": Key(colour, default=COLOUR),
    "logo": FileKey(logo, most_bytes=MAX_LOGO_BYTES),
    "support_phone": Key(support_phone),
    "venue_url": Key(value.url),
}


def portal_look(section: Section) -> PortalLook:
    """The look, from a section without faults: the keys of the table are the fields."""
    return PortalLook(**section.values)


def _linear(share: float) -> float:
    return share / 12.92 if share <= _SHARPER else ((share + 0.055) / 1.055) ** 2.4


def _check_svg(text: str) -> None:
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise ValueError("must be an SVG without a document type: save it as plain SVG")
    try:
        root = ET.fromstring(text)  # noqa: S314 - the owner's own file, small, without entities
    except ET.ParseError:
        raise ValueError("must be a PNG or an SVG image") from None
    if root.tag != f"{_SVG}svg":
        raise ValueError("must be a PNG or an SVG image")
    for element in root.iter():
        _check_element(element)


def _check_element(element: ET.Element) -> None:
    name = element.tag.removeprefix(_SVG)
    if name not in _DRAWN:
        raise ValueError(f"must be plain SVG: <{name.rpartition('}')[2]}> is not allowed in it")
    for attribute, said in element.attrib.items():
        word, text = attribute.rpartition("}")[2].lower(), said.strip().lower()
        runs, loads = word.startswith("on"), word == "href" and not text.startswith("#")
        if runs or loads or "url(" in re.sub(r"url\(['\"]?#", "", text):
            raise ValueError(f"must be plain SVG: {word} in <{name}> runs or loads something")
