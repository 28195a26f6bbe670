"""The console's language: what it reads, what it refuses and in which words, and what it does to the router."""

import pytest

from gateway.simulators.routeros import ScriptError, SimulatedRouter
from gateway.simulators.routeros.scripting.cursor import SCRIPTING
from tests.fakeclock import FakeClock
from tests.simulators.routeros.sales import IP, MAC

VERSIONS = ("6.49.18", "7.20.8")


@pytest.fixture(params=VERSIONS)
def both(make, request):
    """A router of each age."""
    return make(version=request.param)


@pytest.fixture
def new(make):
    return make()


async def put(router, expression):
    (line,) = await router.run_script(f":put {expression}")
    return line


async def refusal(router, text):
    with pytest.raises(ScriptError) as caught:
        await router.run_script(text)
    return caught.value.message


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("5", "5"),
        ("word", "word"),
        ("(1 + 2 * 3)", "7"),
        ("((1 + 2) * 3)", "9"),
        ("(7 / 2)", "3"),
        ("(-7 / 2)", "-3"),
        ("(7 % 4)", "3"),
        ("(10 - 2 - 3)", "5"),
        ("(0x10 + 1)", "17"),
        ("(9223372036854775807 + 1)", "-9223372036854775808"),
        ('("a" . "b" . 1)', "ab1"),
        ("(1 < 2)", "true"),
        ("(2 <= 1)", "false"),
        ("(2 >= 2 && !(1 > 2))", "true"),
        ("(1 = 2 || 3 != 4)", "true"),
        ("(1 = 1 and 2 = 3)", "false"),
        ("(1 = 1 or 2 = 3)", "true"),
        ('("hotspot-gateway:5" ~ "^hotspot-gateway:[0-9]")', "true"),
        ('(5 = "5")', "false"),
        ("(1h = 60m)", "true"),
        ("(10.0.0.1 + 1)", "10.0.0.2"),
        ("(1h + 30m)", "01:30:00"),
        ("(2d3h + 5)", "2d03:00:05"),
        ("1w1d", "1w1d00:00:00"),
        ("{1;2;3}", "1;2;3"),
        ('({a=1;b="x"}->"b")', "x"),
        ("({5;6}->1)", "6"),
        ('"$[:len "four"] letters"', "4 letters"),
        ('"2 and 2 are $(2 + 2)"', "2 and 2 are 4"),
        (r'"cost: \$5 \"cash\" \\ \3F"', 'cost: $5 "cash" \\ ?'),
        ('"joined \\\n    line"', "joined line"),
        (r'"a\tb"', "a\tb"),
        ('[:len "abc"]', "3"),
        ("[:len {1;2}]", "2"),
        ('[:pick "abcdef" 1 3]', "bc"),
        ('[:pick "abcdef" 2]', "c"),
        ("[:pick {5;6;7} 1]", "6"),
        ("[:pick {5;6;7} 1 3]", "6;7"),
        ('[:find "until=17" "="]', "5"),
        ('[:find "a=b=c" "=" 1]', "3"),
        ("[:find {5;6} 6]", "1"),
        ('[:typeof [:find "abc" "x"]]', "nothing"),
        ('[:tonum "17"]', "17"),
        ('[:typeof [:tonum "1x"]]', "nothing"),
        ("[:tonum 1m5s]", "65"),
        ("[:tostr 5]", "5"),
        ('[:totime "90"]', "00:01:30"),
        ('[:toip "10.0.0.1"]', "10.0.0.1"),
        ('[:toarray "1,2"]', "1;2"),
        ('[:tobool "yes"]', "true"),
        ("[:typeof 5]", "num"),
        ('[:typeof "5"]', "str"),
        ("[:typeof 1h]", "time"),
        ("[:typeof 10.0.0.1]", "ip"),
        ("[:typeof true]", "bool"),
        ("[:typeof *1]", "id"),
        ("[:typeof {1}]", "array"),
        ('[:typeof [:parse ":put 1"]]', "code"),
        ("[:typeof [:nothing]]", "nothing"),
    ],
)
async def test_an_expression_has_its_value(both, expression, shown):
    assert await put(both, expression) == shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# only a comment", []),
        (":put 1; :put 2\n# two and a half\n:put 3", ["1", "2", "3"]),
        ("{ :local x 1; { :local x 2; :put $x }; :put $x }", ["2", "1"]),
        ("{ :local x 1; :set x ($x + 1); :put $x }", ["2"]),
        ("{ :local x; :put [:typeof $x] }", ["nothing"]),
        ('{ :local "my-name" 5; :put $"my-name" }', ["5"]),
        (':if (1 = 1) do={ :put "yes" } else={ :put "no" }', ["yes"]),
        (':if (1 = 2) do={ :put "yes" } else={ :put "no" }', ["no"]),
        (":foreach x in={1;2} do={ :put $x }", ["1", "2"]),
        (":foreach k,v in={a=1;b=2} do={ :put ($k . $v) }", ["a1", "b2"]),
        (":for i from=1 to=3 do={ :put $i }", ["1", "2", "3"]),
        (":for i from=4 to=0 step=-2 do={ :put $i }", ["4", "2", "0"]),
        ("{ :local n 0; :while ($n < 2) do={ :set n ($n + 1) }; :put $n }", ["2"]),
        ("{ :local n 5; :do { :set n ($n + 1) } while=($n < 3); :put $n }", ["6"]),
        (':do { :error "no" } on-error={ :put caught }', ["caught"]),
        (":do { /ip hotspot user remove nobody } on-error={ :put caught }", ["caught"]),
        ("{ :local add do={ :return ($1 + $by) }; :put [$add 4 by=3] }", ["7"]),
        ('{ :local code [:parse ":put parsed"]; $code }', ["parsed"]),
        (':do { :local code [:parse ":nonsense"] } on-error={ :put "not in this version" }', ["not in this version"]),
        (":global seen 5\n{ :global seen; :put $seen }", ["5"]),
        (":delay 2s; :put done", ["done"]),
        ("{\n  :put \\\n    1\n}", ["1"]),
    ],
)
async def test_a_script_runs(both, text, lines):
    assert await both.run_script(text) == lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":put (1 + )", "syntax error (line 1 column 11)"),
        (":put (1 + abc)", "syntax error (line 1 column 11)"),
        (":put 1\n:putt 2", "bad command name putt (line 2 column 2)"),
        (":put 1 2", "expected end of command (line 1 column 8)"),
        ("/ip hotspot usr add", "bad command name usr (line 1 column 13)"),
        ("/ip hotspot user add name=x y", "expected end of command (line 1 column 29)"),
        ("{ :put 1", "expected closing brace (line 1 column 9)"),
        (':put "abc', "expected closing quote (line 1 column 10)"),
        (':put "\\q"', "syntax error (line 1 column 8)"),
        ('/ip hotspot user find where nam="x"', "bad parameter nam (line 1 column 29)"),
        (":put $x", "undefined variable x"),
        (":set x 1", "undefined variable x"),
        (':put ("a" + 1)', "cannot add string to integer number"),
        (':put ("a" < 1)', "cannot compare if string is less than integer number"),
        (":put (1 / 0)", "division by zero"),
        (':if ("x") do={ :put 1 }', "conditional not boolean"),
        (':error "not today"', "not today"),
        (':do { :error "not caught" }', "not caught"),
        (":while (true) do={}", "endless loop"),
        ("/ip hotspot user remove nobody", "no such item"),
        ("/ip hotspot user remove *FF", "no such item"),
        ('/ip hotspot user get [find where name="nobody"] name', "no such item"),
        ("/ip hotspot user get *0 colour", "input does not match any value of value-name"),
        ("/ip hotspot user add name=x profile=nope", "input does not match any value of profile"),
        ("/ip hotspot user add profile=default", "missing value(s) of argument(s) name"),
    ],
)
async def test_what_is_wrong_is_said_in_the_routers_words(both, text, message):
    assert await refusal(both, text) == message


async def test_an_error_in_a_script_is_of_the_scripting_category_and_keeps_what_was_put_out(new):
    with pytest.raises(ScriptError) as caught:
        await new.run_script(':put 1\n:error "stop"\n:put 2')
    assert caught.value.category == SCRIPTING
    assert caught.value.output == ["1"]


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("/ip/hotspot/user/find", "bad command name ip/hotspot/user/find (line 1 column 2)"),
        (":put [:timestamp]", "bad command name timestamp (line 1 column 8)"),
        ('/file add name=a.txt contents="x"', "bad command name add (line 1 column 7)"),
        ("/system device-mode print", "bad command name device-mode (line 1 column 9)"),
        ("/ip hotspot user add name=x foo=1", "expected end of command (line 1 column 29)"),
        ("/system ntp client set servers=10.0.0.1", "expected end of command (line 1 column 24)"),
    ],
)
async def test_version_6_lacks_what_came_with_7(make, text, old):
    assert await refusal(make(version="6.49.18"), text) == old


async def test_version_7_names_the_parameter_that_it_does_not_know(new):
    assert await refusal(new, "/ip hotspot user add name=x foo=1") == "bad parameter foo (line 1 column 29)"


async def test_what_a_version_lacks_spoils_the_whole_block_and_no_on_error_catches_it(make):
    router = make(version="6.49.18")
    assert await refusal(router, "{ :put 1; :do { :put [:timestamp] } on-error={ :put 2 } }") == (
        "bad command name timestamp (line 1 column 24)"
    )


# Menus


async def test_rows_are_added_found_read_changed_and_removed(both):
    lines = await both.run_script("""{
        /ip hotspot user
        add name="x" comment="hotspot-gateway:7 until=5" limit-uptime=1h
        :local found [find where comment~"^hotspot-gateway:"]
        :put [:len $found]
        :put [get $found comment]
        :put [:typeof [get $found limit-uptime]]
        set $found comment="changed"
        :put [get [find where name="x"] comment]
        :put [:typeof [get $found email]]
        disable $found
        :put [get x disabled]
        remove x
        :put [print count-only where name="x"]
    }""")
    assert lines == ["1", "hotspot-gateway:7 until=5", "time", "changed", "nothing", "true", "0"]


async def test_changing_what_was_not_found_changes_nothing(both):
    before = both.writes
    await both.run_script(
        '/ip hotspot user set [find where name="nobody"] comment=x; /ip hotspot user remove [find where name=nobody]'
    )
    assert both.writes == before


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("name=a", 1),
        ("limit-uptime=1h", 1),
        ('limit-uptime="60m"', 1),
        ("limit-uptime>30m", 2),
        ("disabled=yes", 1),
        ("disabled", 1),
        ("!disabled", 2),
        ("comment", 1),
        ('comment=""', 2),
        ('comment~"x" and !disabled', 1),
        ("(name=a or name=b)", 2),
        ("disabled=no name=a", 1),
        ("(name=a || name=b) && disabled", 1),
        ("profile=default", 3),
    ],
)
async def test_rows_are_found_by_conditions(both, condition, found):
    await both.run_script("""
        /ip hotspot user add name=a limit-uptime=1h comment=x
        /ip hotspot user add name=b limit-uptime=2h disabled=yes
        /ip hotspot user add name=c
    """)
    assert await put(both, f"[/ip hotspot user print count-only where {condition} name!=default-trial]") == str(found)


async def test_a_variable_named_like_a_property_is_that_property(both):
    await both.run_script("/ip hotspot user add name=a")
    everything = '{ :local name "a"; :put [:len [/ip hotspot user find where name=$name]] }'
    one = '{ :local theName "a"; :put [:len [/ip hotspot user find where name=$theName]] }'
    assert await both.run_script(everything) == ["2"]
    assert await both.run_script(one) == ["1"]


async def test_a_row_is_put_before_another(both):
    await both.run_script("""{
        :local first [:pick [/ip firewall nat find where action=masquerade] 0]
        /ip firewall nat add chain=srcnat action=accept comment=mine place-before=$first
    }""")
    first, *_ = both.machine.configuration.tables["/ip/firewall/nat"]
    assert first["comment"] == "mine"


async def test_only_one_row_can_be_the_one_to_stand_before(both):
    script = "/ip firewall nat add chain=srcnat place-before=[/ip firewall nat find]"
    assert await refusal(both, script) == "invalid internal item number"


async def test_singletons_are_read_and_set(both):
    lines = await both.run_script(
        "/ip dns set allow-remote-requests=no; :put [/ip dns get allow-remote-requests]; :put [/system identity get name]"
    )
    assert lines == ["false", "MikroTik"]


async def test_sets_come_out_as_arrays(both):
    assert await both.run_script(":foreach m in=[/ip hotspot profile get hsprof1 login-by] do={ :put $m }") == ["http-chap"]


async def test_live_menus_are_read_and_cleared(both):
    await both.run_script(f'/ip hotspot user add name="{MAC}"; /ip hotspot active login user="{MAC}" ip={IP}')
    assert both.passes(MAC)
    (line,) = await both.run_script(
        f'{{ :local theMac "{MAC}"; :put [/ip hotspot host get [find where mac-address=$theMac] address] }}'
    )
    assert line == IP
    await both.run_script(f'/ip hotspot active remove [find where user="{MAC}"]')
    assert not both.passes(MAC)


@pytest.mark.parametrize(("version", "date"), [("6.49.18", "aug/25/2025"), ("7.20.8", "2025-08-25")])
async def test_the_clock_is_read_in_the_versions_own_dates(make, version, date):
    router = make(version=version)
    assert await router.run_script(":put [/system clock get date]; :put [/system clock get time]") == [date, "10:30:00"]
    router.set_clock(0)
    assert (await put(router, "[/system clock get date]")).replace("/", "-") in {"1970-01-01", "jan-01-1970"}


@pytest.mark.parametrize(("zone", "offset_s"), [("Africa/Nairobi", 10_800), ("America/New_York", 2**32 - 14_400), ("UTC", 0)])
async def test_the_time_zone_is_a_number_of_seconds(new, zone, offset_s):
    assert await new.run_script(f"/system clock set time-zone-name={zone}; :put [/system clock get gmt-offset]") == [str(offset_s)]


async def test_a_plain_print_puts_out_the_rows(new):
    assert await new.run_script("/system identity print") == ["name=MikroTik"]
    (row,) = await new.run_script(':foreach r in=[/ip hotspot print as-value] do={ :put ($r->"name") }')
    assert row == "hotspot1"


# Stored scripts


async def test_a_stored_script_runs_with_its_own_rights(new):
    await new.run_script("""
        /system script add name=may policy=read,write source="/ip hotspot user add name=made; :log info \\"done\\""
        /system script add name=may-not policy=read source="/ip hotspot user add name=more"
        /system script run may
    """)
    assert new.hotspot.users.named("made") is not None
    assert [line["message"] for line in new.machine.log] == ["done"]
    assert await refusal(new, "/system script run may-not") == "not enough permissions (9)"


async def test_a_stored_script_is_read_whole_before_anything_happens(new):
    await new.run_script('/system script add name=half source="/ip hotspot user add name=made\\n:nonsense"')
    assert await refusal(new, "/system script run half") == "bad command name nonsense (line 2 column 2)"
    assert new.hotspot.users.named("made") is None


async def test_variables_at_the_top_of_a_pasted_text_do_not_live_on():
    router = SimulatedRouter(FakeClock())
    assert await refusal(router, ":local x 1\n:put $x") == "undefined variable x"
