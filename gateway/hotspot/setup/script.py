"""The plan as one RouterOS script for 6.49 and 7: each step looks first and writes only what differs.

Pure: steps in, text out. It is one block in braces, because a terminal forgets `:local` between pasted lines. Paths have spaces,
which both versions read. What one version lacks stands in a string that is parsed when it is its turn, so that the rest still
runs. Variables begin with `hg`: in `find where`, a variable with the name of an attribute would be that attribute.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeGuard

from gateway.hotspot.setup.plan import BY_EYE
from gateway.hotspot.setup.steps import (
    Bypass,
    Certificate,
    Exactly,
    Is,
    Members,
    OnlyFrom,
    Pages,
    ProfilesOf,
    Row,
    Step,
    Value,
)
from gateway.identity import IpAddress, Secret
from gateway.packages import MARK

FINGERPRINT_WAIT_S = 60
"""A small router takes most of a minute to make a key of 2048 bits."""

_PLAIN = re.compile(r"\d+|(\d+[wdhms])+|yes|no|none|\d+(\.\d+){3}", re.ASCII)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "?": "\\?", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
"""Inside a string. A bare question mark would ask the terminal for help."""


def script(steps: Iterable[Step], *, title: str, password: Secret | None) -> str:
    """The whole script. Without a password it begins with a line to write it into, and stops when that was not done."""
    secret = password.reveal() if password else ""
    body = "\n".join(_KINDS[type(step)](step) for step in steps)
    eye = "\n".join(f":put {quoted('  ' + line)}" for line in BY_EYE)
    return f"""# {title}
# Safe to run again: it writes only what differs. Paste it as a whole, or upload it and: /import file-name=hotspot-gateway.rsc
{{
:local hgPassword {quoted(secret)}
{body}
:put "Look at these yourself:"
{eye}
}}
"""


def quoted(text: str) -> str:
    """A string of the RouterOS language. What is not ASCII becomes bytes in hexadecimal."""
    letters = (_ESCAPES.get(letter) or (letter if letter.isascii() else _hexadecimal(letter)) for letter in text)
    return '"' + "".join(letters) + '"'


def menu(path: str) -> str:
    """A path as both versions read it: `/ip hotspot user`."""
    return "/" + path.strip("/").replace("/", " ")


def _hexadecimal(letter: str) -> str:
    return "".join(f"\\{byte:02X}" for byte in letter.encode())


def _literal(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quoted(text)


def _head(step: Step) -> str:
    return f"\n# {step.title}: {step.why}"


def _say(verdict: str, step: Step) -> str:
    return f":put {quoted(f'{verdict:<14} {step.title}')}"


def _indented(text: str, spaces: int = 2) -> str:
    return "\n".join(" " * spaces + line for line in text.splitlines())


# --------------------------------------------------------------------------------------------------------------------- rows


def _row(step: Row) -> str:
    path = menu(step.path)
    if step.is_single:
        return f"{_head(step)}\n{_change(step, '')}"
    if step.used_by:
        return f"{_head(step)}\n{_each_profile(step, step.used_by, _change(step, '$hgRow'))}"
    rows = f"[{path} find{_where(step.found_by)}]"
    missing = _addition(step) if step.may_be_added else _say("NOT FOUND", step)
    return f"""{_head(step)}{_long_text(step)}
:if ([:len {rows}] = 0) do={{
{_indented(missing)}
}} else={{
  :foreach hgRow in={rows} do={{
{_indented(_guarded(step), 4)}
  }}
}}"""


def _long_text(step: Row) -> str:
    """The source of a script is named once, not wherever it is compared or written."""
    return "".join(f"\n:local hgText {quoted(value.text)}" for value in step.wanted.values() if _is_long(value))


def _is_long(value: Value) -> TypeGuard[Is]:
    return isinstance(value, Is) and "\n" in value.text


def _guarded(step: Row) -> str:
    """The change, kept from a row that is somebody else's."""
    change = _change(step, "$hgRow")
    if not step.needs_mark:
        return change
    comment = f"[:tostr [{menu(step.path)} get $hgRow comment]]"
    return f"""\
:if ({comment} ~ "^{MARK}") do={{
{_indented(change)}
}} else={{
  {_say("LEFT ALONE", step)}
  {_remark(f"it has no comment that begins with {MARK}")}
}}"""


def _addition(step: Row) -> str:
    wanted = {name: "$hgText" if _is_long(value) else _literal(value.replacing("")) for name, value in step.wanted.items()}
    words = {name: _literal(text) for name, text in step.found_by.items()} | wanted | dict.fromkeys(step.when_added, "$hgPassword")
    add = f"{menu(step.path)} add {_assigned(words)}"
    if step.goes_first:
        add = _in_front(step.path, step.goes_first, add)
    if step.when_added:
        stop = ':error "Write the password of config.yaml into the line that begins with :local hgPassword, then run this again"'
        add = f":if ([:len $hgPassword] = 0) do={{ {stop} }}\n{add}"
    return f"{add}\n{_say('added', step)}"


def _in_front(path: str, chain: str, add: str) -> str:
    """Before the first row of its chain that is not made by the hotspot itself."""
    return f"""\
:local hgFirst [{menu(path)} find where chain={quoted(chain)} and dynamic=no]
:if ([:len $hgFirst] = 0) do={{
  {add}
}} else={{
  {add} place-before=[:pick $hgFirst 0]
}}"""


def _change(step: Row, row: str) -> str:
    """Write what differs in one row (in the menu itself, without a row), and say whether there was anything."""
    path, row = menu(step.path), row and f"{row} "
    plain = {name: _literal(value.text) for name, value in step.wanted.items() if isinstance(value, Is) and not _is_long(value)}
    checks = [_unless(_shows(path, row, plain), f"{path} set {row}{_assigned(plain)}")] if plain else []
    checks += [_check(name, value, path, row) for name, value in step.wanted.items() if name not in plain]
    written = "\n".join(checks)
    return f"""\
:local hgChanged 0
{written}
:if ($hgChanged = 0) do={{ {_say("already right", step)} }} else={{ {_say("changed", step)} }}"""


def _shows(path: str, row: str, plain: Mapping[str, str]) -> str:
    """Compared by the router, which knows the types. Settings cannot be searched; theirs are flags."""
    if row:
        conditions = "".join(f" and {name}={text}" for name, text in plain.items())
        return f"[:len [{path} find where .id={row.strip()}{conditions}]] > 0"
    return " && ".join(f'([:tostr [{path} get {name}]] = "{"true" if text == "yes" else text}")' for name, text in plain.items())


def _check(name: str, value: Value, path: str, row: str) -> str:
    get, put = f"[{path} get {row}{name}]", f"{path} set {row}".rstrip()
    match value:
        case Is():
            return _unless(f"{get} = $hgText", f"{put} {name}=$hgText")
        case OnlyFrom(address):
            right = f"([:tostr {get}] = {quoted(address.text)}) || ([:tostr {get}] = {quoted(f'{address}/32')})"
            return _unless(right, f"{put} {name}={address}/32")
        case Exactly(words):
            return _unless_exactly(words, get, f"{put} {name}={quoted(','.join(words))}")
        case Members(needed, forbidden):
            return _unless_member(needed, forbidden, get, f"{put} {name}=$hgWords")


def _assigned(words: Mapping[str, str]) -> str:
    return " ".join(f"{name}={text}" for name, text in words.items())


def _unless(right: str, write: str) -> str:
    return f":if (!({right})) do={{ {write}; :set hgChanged 1 }}"


def _unless_exactly(words: tuple[str, ...], get: str, write: str) -> str:
    """Counts the words that are there and should be, and finds one that should not; `!word` says that it is not there."""
    return f"""\
:local hgHits 0
:local hgOdd 0
:foreach hgWord in=[:toarray {get}] do={{
  :if ({quoted("," + ",".join(words) + ",")} ~ ("," . $hgWord . ",")) do={{ :set hgHits ($hgHits + 1) }} else={{
    :if ([:pick $hgWord 0 1] != "!") do={{ :set hgOdd 1 }}
  }}
}}
:if (($hgHits != {len(words)}) || ($hgOdd = 1)) do={{ {write}; :set hgChanged 1 }}"""


def _unless_member(needed: tuple[str, ...], forbidden: tuple[str, ...], get: str, write: str) -> str:
    """Collects the words that may stay behind those that are needed."""
    return f"""\
:local hgHits 0
:local hgOdd 0
:local hgWords {quoted(",".join(needed))}
:foreach hgWord in=[:toarray {get}] do={{
  :if ({quoted("," + ",".join(needed) + ",")} ~ ("," . $hgWord . ",")) do={{ :set hgHits ($hgHits + 1) }} else={{
    :if ({quoted("," + ",".join(forbidden) + ",")} ~ ("," . $hgWord . ",")) do={{ :set hgOdd 1 }} else={{
      :set hgWords ($hgWords . "," . $hgWord)
    }}
  }}
}}
:if (($hgHits != {len(needed)}) || ($hgOdd = 1)) do={{ {write}; :set hgChanged 1 }}"""


def _where(found_by: Mapping[str, str]) -> str:
    conditions = " and ".join(f"{name}={_literal(text)}" for name, text in found_by.items())
    return f" where {conditions}" if conditions else ""


def _each_profile(step: Step, profiles: ProfilesOf, inner: str) -> str:
    """Do it with `$hgRow` as the profile of each server."""
    servers = f"[/ip hotspot find{_where({} if profiles.server is None else {'name': profiles.server})}]"
    return f"""\
:if ([:len {servers}] = 0) do={{ {_say("NOT FOUND", step)} }}
:foreach hgServer in={servers} do={{
  :local hgProfile [/ip hotspot get $hgServer profile]
  :foreach hgRow in=[/ip hotspot profile find where name=$hgProfile] do={{
{_indented(inner, 4)}
  }}
}}"""


# ------------------------------------------------------------------------------------------- certificate, bypass, pages


def _certificate(step: Certificate) -> str:
    name = quoted(step.name)
    shown = f"[/certificate get [find where name={name}] fingerprint]"
    return f"""{_head(step)}
:if ([:len [/certificate find where name={name}]] = 0) do={{
  /certificate add name={name} common-name={quoted(step.common_name)} days-valid={step.days}
  /certificate sign {name}
  :for hgTry from=1 to={FINGERPRINT_WAIT_S} do={{ :if ([:len {shown}] = 0) do={{ :delay 1s }} }}
  {_say("added", step)}
}} else={{ {_say("already right", step)} }}
:put ("  for config.yaml: tls_fingerprint: " . {shown})"""


def _bypass(step: Bypass) -> str:
    comment = quoted(step.comment)
    return f"""{_head(step)}
:local hgMac {quoted(step.mac.text if step.mac else "")}{"" if step.mac else _find_mac(step.address, comment)}
:if ([:len $hgMac] = 0) do={{
  {_say("not needed", step)}
  {_remark(f"the hotspot does not see {step.address}; if the gateway is on its network, switch it on and run this again")}
}} else={{
  :if ([:len [/ip hotspot ip-binding find where mac-address=$hgMac and type="bypassed" and disabled=no]] > 0) do={{
    {_say("already right", step)}
  }} else={{
    :if ([:len [/ip hotspot ip-binding find where mac-address=$hgMac]] > 0) do={{
      {_say("LEFT ALONE", step)}
      {_remark("the gateway's device has an ip-binding of yours that is not bypassed")}
    }} else={{
      /ip hotspot ip-binding add mac-address=$hgMac type=bypassed comment={comment}
      {_say("added", step)}
    }}
  }}
}}"""


def _find_mac(address: IpAddress, comment: str) -> str:
    """By the hotspot's host table; a gateway that is switched off, by the binding that it had."""
    host, binding = "/ip hotspot host", "/ip hotspot ip-binding"
    return f"""
:foreach hgRow in=[{binding} find where comment={comment}] do={{ :set hgMac [{binding} get $hgRow mac-address] }}
:foreach hgRow in=[{host} find where address={address}] do={{ :set hgMac [{host} get $hgRow mac-address] }}"""


_FOLDER = """\
:set hgFailed 0
:local hgFolder [:tostr [/ip hotspot profile get $hgRow html-directory]]
:if (([:len [/file find where name="flash"]] > 0) && (!($hgFolder ~ "^flash/"))) do={
  :set hgFolder ("flash/" . $hgFolder)
  /ip hotspot profile set $hgRow html-directory=$hgFolder
}
"""
"""Where a router has a folder `flash`, everything beside it is gone after a reboot (facts, routeros 4.1)."""

_INLINE = """\
:do {{
  :global hgFile ($hgFolder . {name})
  :global hgText {text}
  :if ([:len [/file find where name=$hgFile]] > 0) do={{
    :if ([/file get [find where name=$hgFile] contents] != $hgText) do={{ /file set [find where name=$hgFile] contents=$hgText }}
  }} else={{
    :local hgWrite [:parse ":global hgFile; :global hgText; /file add name=\\$hgFile contents=\\$hgText"]
    $hgWrite
  }}
}} on-error={{ {failed} }}"""
"""`/file add` came with 7.10: parsed when it is its turn, it stops only itself."""


def _pages(step: Pages) -> str:
    files = "\n".join(_page(step, name, text) for name, text in step.files.items())
    return f"""{_head(step)}
:local hgFailed 1
{_each_profile(step, step.profiles, _FOLDER + files)}
:if ($hgFailed = 0) do={{ {_say("done", step)} }}"""


def _page(step: Pages, name: str, text: str) -> str:
    if step.inline:
        failed = _not_done(f"{name}: pages inside the script need RouterOS 7.10 or later")
        return _INLINE.format(name=quoted("/" + name), text=quoted(text), failed=failed)
    fetch = f"/tool fetch url={quoted(step.source_url + name)} dst-path=($hgFolder . {quoted('/' + name)})"
    return f":do {{ {fetch} }} on-error={{ {_not_done(f'{name}: does the gateway answer at {step.source_url}')} }}"


def _not_done(what: str) -> str:
    return f":put {quoted('NOT DONE       ' + what)}; :set hgFailed 1"


def _remark(text: str) -> str:
    return f":put {quoted(' ' * 15 + text)}"


_KINDS: Mapping[type, Callable[..., str]] = {Row: _row, Certificate: _certificate, Bypass: _bypass, Pages: _pages}
