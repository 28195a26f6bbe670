"""What the tests of the hotspot's rules have in common: two phones, a sale, a look at the user's row."""

MAC, OTHER = "AA:BB:CC:00:00:01", "AA:BB:CC:00:00:02"
IP, OTHER_IP = "10.5.50.11", "10.5.50.12"


def sell(router, name="guest", **limits: str):
    """A hotspot user; underscores stand for dashes. Gives its id."""
    return router.hotspot.users.add({"name": name} | {key.replace("_", "-"): value for key, value in limits.items()})


def uptime_s(router, user_id):
    return router.hotspot.used(router.hotspot.users.get(user_id)).uptime_s
