"""What a phone's browser meets on the air of the simulated hotspot: the router's redirect, its pages, and what lies behind it.

For the demo, for browser tests, and for people who write portals. Reading order: `connection` (one phone's way out, an HTTP proxy),
`firewall` (what the router does with each request), `servlet` (the router's own pages) on top of `pages` (RouterOS' page language)
and `factory` (the pages that a router comes with), `internet` (everything else that phones ask for).
"""

from gateway.simulators.air.connection import PhoneConnection
from gateway.simulators.air.firewall import Destination, Verdict
from gateway.simulators.air.internet import Internet

__all__ = ["Destination", "Internet", "PhoneConnection", "Verdict"]
