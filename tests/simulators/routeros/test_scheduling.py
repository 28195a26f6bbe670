"""Schedulers: events run when they are due by the router's own clock, with the rights that they were given."""

import pytest

from gateway.simulators.routeros import ScriptError
from tests.fakeclock import FakeClock

HELLO = '/system scheduler add name=hello interval=30s policy=read,write on-event=":log info hello"'
STARTUP = HELLO + " start-time=startup"
YEAR_S = 365 * 86_400


@pytest.fixture
def clock():
    return FakeClock()


def greetings(router):
    return sum(line["message"] == "hello" for line in router.machine.log)


async def passes(clock, settled, seconds):
    """Time goes by, second by second."""
    for _ in range(seconds):
        await settled()
        clock.advance(1)
    await settled()


@pytest.mark.parametrize("added", [HELLO, STARTUP])
async def test_an_event_runs_at_each_interval(router, clock, settled, added):
    await router.run_script(added)
    await passes(clock, settled, 29)
    assert greetings(router) == 0
    await passes(clock, settled, 100)
    assert greetings(router) == 4
    assert await router.run_script(":put [/system scheduler get hello run-count]") == ["4"]


async def test_an_event_that_names_a_script_runs_it(router, clock, settled):
    await router.run_script("""
        /system script add name=greet policy=read,write source=":log info hello"
        /system scheduler add name=g interval=30s on-event=greet
    """)
    await passes(clock, settled, 31)
    assert greetings(router) == 1
    assert await router.run_script(":put [/system script get greet run-count]") == ["1"]


async def test_an_event_without_an_interval_runs_once(router, clock, settled):
    await router.run_script('/system scheduler add name=once start-time=10:31:00 on-event=":log info hello"')
    await passes(clock, settled, 200)
    assert greetings(router) == 1


@pytest.mark.parametrize("ends", ["disable hello", "remove hello", "set hello disabled=yes"])
async def test_an_event_that_is_switched_off_runs_no_more(router, clock, settled, ends):
    await router.run_script(HELLO)
    await passes(clock, settled, 31)
    await router.run_script(f"/system scheduler {ends}")
    await passes(clock, settled, 60)
    assert greetings(router) == 1


async def test_an_event_for_later_waits_until_the_clock_is_right_and_runs_late(router, clock, settled):
    router.set_clock(0)
    await router.run_script(HELLO + " start-date=2025-08-25 start-time=10:00:00")
    await passes(clock, settled, 90)
    assert greetings(router) == 0
    router.set_clock(clock.wall_s())
    await passes(clock, settled, 1)
    assert greetings(router) == 1


async def test_an_event_counted_from_the_start_does_not_care_about_the_date(router, clock, settled):
    router.set_clock(0)
    await router.run_script(STARTUP)
    await passes(clock, settled, 34)
    assert greetings(router) == 1


async def test_a_clock_that_falls_back_before_the_events_start_stops_it(router, clock, settled):
    await router.run_script(HELLO)
    await passes(clock, settled, 31)
    router.set_clock(clock.wall_s() - YEAR_S)
    await passes(clock, settled, 90)
    assert greetings(router) == 1


async def test_a_clock_that_is_set_back_a_little_does_not_stop_an_event(router, clock, settled):
    await router.run_script(HELLO)
    await passes(clock, settled, 301)
    router.set_clock(clock.wall_s() - 120)
    await passes(clock, settled, 31)
    assert greetings(router) == 11


async def test_device_mode_may_forbid_all_events(router, clock, settled):
    router.forbid("scheduler")
    await router.run_script(HELLO)
    await passes(clock, settled, 90)
    assert greetings(router) == 0
    assert await router.run_script(":put [/system device-mode get scheduler]") == ["false"]


async def test_an_event_that_fails_is_logged_and_runs_again(router, clock, settled):
    await router.run_script('/system scheduler add name=bad interval=30s on-event=":nonsense"')
    await passes(clock, settled, 61)
    failed = [line["message"] for line in router.machine.log if "bad" in line["message"]]
    assert failed == ["executing script from scheduler (bad) failed: bad command name nonsense (line 1 column 2)"] * 2


async def test_an_event_has_no_rights_but_its_own(router, clock, settled):
    await router.run_script('/system scheduler add name=weak interval=30s policy=read on-event="/ip hotspot user add name=x"')
    await passes(clock, settled, 31)
    assert router.hotspot.users.named("x") is None
    assert "not enough permissions (9)" in router.machine.log[-1]["message"]


async def test_an_event_cannot_run_a_script_that_may_do_more(router, clock, settled):
    await router.run_script("""
        /system script add name=strong policy=read,write source="/ip hotspot user add name=x"
        /system scheduler add name=weak interval=30s policy=read on-event=strong
    """)
    await passes(clock, settled, 31)
    assert router.hotspot.users.named("x") is None
    assert "not enough permissions (9)" in router.machine.log[-1]["message"]


async def test_counts_begin_anew_after_a_reboot(router, clock, settled):
    await router.run_script(STARTUP)
    await passes(clock, settled, 31)
    await router.power_off()
    clock.advance(300)
    await router.power_on()
    assert await router.run_script(":put [/system scheduler get hello run-count]") == ["0"]
    await passes(clock, settled, 34)
    assert greetings(router) == 1


async def test_what_is_no_date_is_refused_where_it_counts(router):
    with pytest.raises(ScriptError, match="invalid value for argument date"):
        await router.run_script("/system clock set date=yesterday")
