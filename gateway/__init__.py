"""The hotspot gateway: sells WiFi for M-Pesa and opens a MikroTik hotspot for whoever paid.

One daemon beside the router. A phone asks for a package; the gateway has IntaSend put an M-Pesa prompt on the phone; when IntaSend
says that the money is there, the router lets the phone through for the package's duration and shuts it out afterwards.

Two ideas carry everything:

1. Code that decides does no I/O; code that does I/O decides nothing. `payments` and `access` are pure, a transition table each.
2. Recovery is the ordinary path run again. Webhook, poller, button and restart call the same two functions, and the router is
   brought to the wanted state, never told to add an hour.

Reading order: `identity`, `packages`, `payments`, `access` (the rules) · `sales`, `settlement`, `gate`, `drift`, `reconciler`,
`scheduler` (the story) · `visitors`, `claims`, `portal` (who is asking, and for what) · `store`, `providers`, `hotspot`, `web`
(the outside) · `daemon` (how it is put together). When things fail: `heartbeat` (time), `compensation` (outages), `books` and
`audit` (money), `refunds`, `backups`, `watchdog`.
"""
