"""The sweeper: the script on the router that ends what is overdue when the gateway is dead (facts, routeros 3.7).

Pure: its source. It acts on rows whose comment is a grant's mark with an end that is long past, and on what belongs to such a row
(the device's session, cookies, host row under that name); everything else stays. A clock that is not set ends nobody, and an end
that was written by one is not believed.

One path for RouterOS 6 and 7: neither `:timestamp` (7 only) nor a table of months, but the date in either of its two spellings.
"""

from gateway.packages import MARK

NAME = f"{MARK}-sweeper"
"""Of the script and of its scheduler."""

INTERVAL_S = 30
"""Every second is heavy on small processors; every 10 to 30 s would do (facts, routeros 3.7)."""

GRACE_S = 60
"""The gateway ends what is due within a second. Only when it is this late it is not there to do so; and the two clocks may differ
by some seconds, or the end may just be moved by a purchase. So nobody is on for longer than a minute and a half after his end."""

BELIEVED_FROM_S = 1_735_689_600
"""2025-01-01: a clock that is before it is not set, neither the router's (1970 until a time server answers; facts, routeros 6) nor
that of the gateway that wrote the end."""

_NOW = """\
:local hgDate [:tostr [/system clock get date]]
:local hgTime [:tostr [/system clock get time]]
:local hgYear 0
:local hgMonth 0
:local hgDay 0
:if ([:pick $hgDate 4 5] = "-") do={
  :set hgYear [:tonum [:pick $hgDate 0 4]]
  :set hgMonth ([:tonum ("1" . [:pick $hgDate 5 7])] - 100)
  :set hgDay ([:tonum ("1" . [:pick $hgDate 8 10])] - 100)
} else={
  :set hgYear [:tonum [:pick $hgDate 7 11]]
  :set hgMonth (([:find "janfebmaraprmayjunjulaugsepoctnovdec" [:pick $hgDate 0 3]] / 3) + 1)
  :set hgDay ([:tonum ("1" . [:pick $hgDate 4 6])] - 100)
}
:if ($hgMonth < 3) do={
  :set hgYear ($hgYear - 1)
  :set hgMonth ($hgMonth + 12)
}
:local hgDays (($hgYear * 365) + ($hgYear / 4) - ($hgYear / 100) + ($hgYear / 400))
:set hgDays ($hgDays + (((($hgMonth - 3) * 153) + 2) / 5) + $hgDay - 719469)
:local hgHours ([:tonum ("1" . [:pick $hgTime 0 2])] - 100)
:local hgMinutes ([:tonum ("1" . [:pick $hgTime 3 5])] - 100)
:local hgSeconds ([:tonum ("1" . [:pick $hgTime 6 8])] - 100)
:local hgOffset [/system clock get gmt-offset]
:if ($hgOffset > 86400) do={ :set hgOffset ($hgOffset - 4294967296) }
:local hgNow (($hgDays * 86400) + ($hgHours * 3600) + ($hgMinutes * 60) + $hgSeconds - $hgOffset)
"""
"""Seconds since 1970. A leading 1 keeps `08` from being read as octal. West of Greenwich the offset shows as unsigned 32 bits."""

_EACH = """\
  :foreach hgRow in=[{menu} find where comment~"^{mark}:"] do={{
    :do {{
      :local hgNote [{menu} get $hgRow comment]
      :local hgAt [:find $hgNote " until="]
      :if ([:typeof $hgAt] = "num") do={{
        :local hgUntil [:tonum [:pick $hgNote ($hgAt + 7) [:len $hgNote]]]
        :if (([:typeof $hgUntil] = "num") && ($hgUntil >= {believed}) && (($hgUntil + {grace}) < $hgNow)) do={{
          :local hgMac [{menu} get $hgRow mac-address]
{end}
          :log warning ("{mark}: the gateway did not end the time of " . $hgMac . ", so the router did")
        }}
      }}
    }} on-error={{ :log warning "{mark}: the sweeper could not end a row" }}
  }}
"""

_END_USER = """\
          :local hgName [/ip hotspot user get $hgRow name]
          /ip hotspot user remove $hgRow
          /ip hotspot cookie remove [find where user=$hgName and mac-address=$hgMac]
          /ip hotspot active remove [find where user=$hgName and mac-address=$hgMac]"""

_END_BINDING = """\
          /ip hotspot ip-binding remove $hgRow
          /ip hotspot host remove [find where mac-address=$hgMac and bypassed=yes]"""


def source() -> str:
    """The script. It needs the policies read and write. By a clock that is not set nobody could be due: it spares the search."""
    users = _each("/ip hotspot user", _END_USER)
    bindings = _each("/ip hotspot ip-binding", _END_BINDING)
    return f"{_NOW}:if ($hgNow >= {BELIEVED_FROM_S}) do={{\n{users}{bindings}}}\n"


def _each(menu: str, end: str) -> str:
    return _EACH.format(menu=menu, mark=MARK, believed=BELIEVED_FROM_S, grace=GRACE_S, end=end)
