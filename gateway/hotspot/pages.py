"""The seven files in the router's hotspot folder: each leads the phone's browser on to the portal.

Pure: text for one router and one portal. A page holds what the router knows of the phone in one address and nothing else: the
values stand there in their `-esc` form only, which is percent-encoded, so that nothing that a phone or a user name says becomes
markup. No style, script or picture is loaded from anywhere (facts, routeros 4.1 and 4.2; platform D5).

What follows the address twice is how old windows and new ones are led on: a refresh for those without JavaScript, a script that
repeats the link for those that are faster with it; the link itself is for everybody else.
"""

from html import escape

_PHONE = "mac=$(mac-esc)&ip=$(ip-esc)"
_VISIT = f"{_PHONE}&server=$(server-name-esc)&login=$(link-login-only-esc)&orig=$(link-orig-esc)&error=$(error-esc)"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="0;url={address}">
<title>WiFi</title>
</head>
<body>
<main>
<h1><a id="on" href="{address}">Open the WiFi page - <span lang="sw">Fungua ukurasa wa WiFi</span></a></h1>
<p>Nothing opens? The WiFi shop cannot be reached at the moment. {help}</p>
<p lang="sw">Haifunguki? Duka la WiFi halipatikani kwa sasa. {msaada}</p>
</main>
<script>location.replace(document.getElementById("on").href)</script>
</body>
</html>
"""

_FOUND = '$(if http-status == 302)To the WiFi page$(endif)$(if http-header == "Location"){address}$(endif)'
"""Makes the router answer with a real redirect (facts, routeros 4.1): for programs that look at the status and read no page."""


def hotspot_pages(public_url: str, router_id: int, support_phone: str | None = None) -> dict[str, str]:
    """The files of the hotspot's HTML folder by name, for the portal at `public_url` (no slash at the end).

    `support_phone` is whom a customer may call when the portal does not come.
    """
    shop = f"{public_url}/?router={router_id}&{_VISIT}"
    status = f"{public_url}/portal/status?router={router_id}&{_PHONE}"
    to_shop, to_status = _page(shop, support_phone), _page(status, support_phone)
    return {
        "login.html": to_shop,
        "rlogin.html": _FOUND.format(address=shop) + to_shop,
        # The router's answer wherever it has no page of its own: also to `/` and `/status` of a phone that is online.
        "redirect.html": f"$(if logged-in == 'yes'){to_status}$(else){to_shop}$(endif)",
        "alogin.html": to_status,
        "status.html": to_status,
        "logout.html": to_shop,
        "error.html": to_shop,
    }


def _page(address: str, support_phone: str | None) -> str:
    help_line = f"Call {support_phone}." if support_phone else "Please tell the person who runs this WiFi."
    msaada = f"Piga simu {support_phone}." if support_phone else "Tafadhali mwambie mwenye WiFi hii."
    return _PAGE.format(address=escape(address), help=escape(help_line), msaada=escape(msaada))
