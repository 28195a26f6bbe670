"""The pages that a router comes with, shortened: what is served where the `html-directory` has no file of that name.

Text only. Forms, links and the two lines that make a redirect are those of RouterOS 6.47 and later; style and WISPr are left out.
"""

_REDIRECT = """\
$(if http-status == 302){reason}$(endif)
$(if http-header == "Location")$(link-redirect)$(endif)
<html>
<head>
<title>...</title>
<meta http-equiv="refresh" content="0; url=$(link-redirect)">
<meta http-equiv="pragma" content="no-cache">
<meta http-equiv="expires" content="-1">
</head>
<body>
</body>
</html>
"""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<meta http-equiv="pragma" content="no-cache">
<meta http-equiv="expires" content="-1">
{head}<title>Internet hotspot - {title}</title>
</head>
<body>
{body}
</body>
</html>
"""

_LOGIN = """\
<form name="login" action="$(link-login-only)" method="post">
<input type="hidden" name="dst" value="$(link-orig)">
<input type="hidden" name="popup" value="true">
<h1>$(identity)</h1>
<p>$(if error)$(error)$(else)Please log in to use the internet hotspot service$(endif)</p>
<label>Login <input name="username" type="text" value="$(username)"></label>
<label>Password <input name="password" type="password"></label>
<button>Connect</button>
</form>"""

_STATUS = """\
<h1>Welcome $(username)!</h1>
<table>
<tr><td>IP address:</td><td>$(ip)</td></tr>
<tr><td>bytes up/down:</td><td>$(bytes-in-nice) / $(bytes-out-nice)</td></tr>
$(if session-time-left)<tr><td>connected / left:</td><td>$(uptime) / $(session-time-left)</td></tr>
$(else)<tr><td>connected:</td><td>$(uptime)</td></tr>
$(endif)</table>
<form action="$(link-logout)" name="logout"><button>Log off</button></form>"""

_LOGGED_OUT = """\
<h1>You have just logged out</h1>
<table>
<tr><td>IP address</td><td>$(ip)</td></tr>
<tr><td>session time</td><td>$(uptime)</td></tr>
<tr><td>bytes up/down:</td><td>$(bytes-in-nice) / $(bytes-out-nice)</td></tr>
</table>
<form action="$(link-login)" name="login"><button>Log in</button></form>"""

FILES = {
    "rlogin.html": _REDIRECT.format(reason="Hotspot login required"),
    "redirect.html": _REDIRECT.format(reason="Hotspot redirect"),
    "login.html": _PAGE.format(title="Log in", head="", body=_LOGIN),
    "alogin.html": _PAGE.format(
        title="Redirect",
        head='<meta http-equiv="refresh" content="2; url=$(link-redirect)">\n',
        body='<h1>You are logged in</h1>\n<p>If nothing happens, click <a href="$(link-redirect)">here</a></p>',
    ),
    "status.html": _PAGE.format(
        title="Status",
        head='$(if refresh-timeout)<meta http-equiv="refresh" content="$(refresh-timeout-secs)">\n$(endif)',
        body=_STATUS,
    ),
    "logout.html": _PAGE.format(title="Log out", head="", body=_LOGGED_OUT),
    "error.html": _PAGE.format(
        title="Error", head="", body='<h1>Oops, something went wrong!</h1>\n<p>$(error)</p>\n<a href="$(link-login)">Login</a>'
    ),
}
"""By name. `rstatus.html`, `flogin.html`, `fstatus.html` and `flogout.html` are not there from the factory."""
