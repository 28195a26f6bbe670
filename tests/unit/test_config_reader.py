"""Reading the configuration file: texts as they are written, secrets, variables, all faults at once and no secret in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import CONFIG, ConfigError, load
from gateway.config_reader import SectionKey, SectionsKey, Table
from gateway.identity import Money, Secret
from tests.configs import ABSENT, INTASEND, KEYS, OWNER, PACKAGE, PASSWORD_HASH, ROUTER, SMALL, Folder, all_keys, changed

FERNET_NEW = "TmV3S2V5TmV3S2V5TmV3S2V5TmV3S2V5TmV3S2V5MTI="
FERNET_OLD = "T2xkS2V5T2xkS2V5T2xkS2V5T2xkS2V5T2xkS2V5MTI="


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# -------------------------------------------------------------------------------------------------- text is taken as it is written


@pytest.mark.parametrize("written", ["0123", "12345678", "1e5", "0x1F", "12:30", "yes", "2024-01-01", "1_000", "50.10", "=", "<<"])
def test_a_password_without_quotes_is_the_text_that_was_written(folder, written):
    text = yaml.safe_dump(SMALL).replace("router secret", written)
    assert folder.load(text).owners[0].routers[0].login.password == Secret(written)


def test_a_public_key_of_digits_alone_needs_no_quotes(folder):
    text = yaml.safe_dump(changed((*OWNER, "public_key"), "PUBLIC")).replace("PUBLIC", "0" * 31 + "1")
    assert folder.load(text).owners[0].public_key == "0" * 31 + "1"


@pytest.mark.parametrize("price", ["50", "50.00", '"50"', "'50.00'", "50.0"])
def test_a_price_is_exact_with_and_without_quotes(folder, price):
    text = yaml.safe_dump(changed((*PACKAGE, "price"), "PRICE")).replace("PRICE", price)
    assert folder.load(text).owners[0].routers[0].packages[0].price == Money(5000)


def test_a_quoted_null_is_a_word_and_a_bare_one_is_nothing(folder):
    text = yaml.safe_dump(changed((*OWNER, "name"), "NAME"))
    assert folder.load(text.replace("NAME", '"null"')).owners[0].name == "null"
    assert folder.load(text.replace("NAME", "null")).owners[0].name == "njeri"


# ------------------------------------------------------------------------------------------------------------- all faults together


def test_every_fault_is_reported_at_once(folder):
    tree = changed((*PACKAGE, "price"), "free")
    for place, value in (((*ROUTER, "port"), "x"), (("server", "listen"), "x"), ((*OWNER, "id"), "x"), (("colour",), "blue")):
        tree = changed(place, value, tree)
    faulty = {fault.partition(":")[0] for fault in folder.faults(tree)}
    assert faulty == {
        "owners[0].routers[0].packages[0].price",
        "owners[0].routers[0].port",
        "server.listen",
        "owners[0].id",
        "colour",
    }


def test_the_error_prints_one_fault_a_line():
    assert str(ConfigError(["a: 1 - x", "b: 2 - y"])) == "a: 1 - x\nb: 2 - y"


def test_a_faulty_value_is_shown_in_one_short_line(folder):
    fault = folder.fault(changed((*ROUTER, "host"), "line\nbreak" + "x" * 500))
    assert "\n" not in fault
    assert len(fault) < 200


# -------------------------------------------------------------------------------------------------------------------- unknown keys


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        (("sever",), "server"),
        (("server", "public_uri"), "public_url"),
        ((*OWNER, "pasword"), "password"),
        ((*ROUTER, "passwort_file"), "password_file"),
        ((*PACKAGE, "download_mpbs"), "download_mbps"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_likely_one(folder, place, hint):
    assert folder.fault(changed(place, "hunter2")).endswith(f": *** - unknown key; did you mean {hint}?")


def test_a_key_that_resembles_none_is_refused_without_a_guess(folder):
    assert folder.fault(changed(("zzz",), "x")) == "zzz: *** - unknown key"


def test_a_file_stands_only_for_a_secret(folder):
    assert "unknown key" in folder.fault(changed((*ROUTER, "host_file"), "x"))


# ---------------------------------------------------------------------------------------------------------------- secrets in files

SECRETS = [
    (("security", "encryption_key"), FERNET_NEW),
    ((*OWNER, "password"), "hunter2"),
    ((*OWNER, "password_hash"), PASSWORD_HASH),
    ((*ROUTER, "password"), "hunter2"),
]


@pytest.mark.parametrize(("place", "content"), SECRETS)
def test_each_secret_may_come_from_a_file_beside_the_configuration(folder, place, content):
    folder.write("a.secret", f"{content}\n")
    tree = changed(
        (*place[:-1], f"{place[-1]}_file"), "a.secret", changed((*ROUTER, "password"), ABSENT) if place[:-1] == ROUTER else SMALL
    )
    config = folder.load(tree)
    assert Secret(content) in {*config.security.encryption_keys, config.owners[0].password, config.owners[0].password_hash} | {
        router.login.password for router in config.owners[0].routers
    }


def test_the_keys_of_intasend_may_come_from_files(folder):
    folder.write("secret", "ISSecretKey_test_s\r\n")
    challenge = folder.write("challenge", "sixteen letters!\n")
    said = {"environment": "sandbox", "publishable_key": "p", "secret_key_file": "secret", "webhook_challenge_file": str(challenge)}
    intasend = folder.load(changed(INTASEND, said)).owners[0].intasend
    assert intasend is not None
    assert intasend.account is not None
    assert (intasend.account.secret_key, intasend.account.webhook_challenge) == (
        Secret("ISSecretKey_test_s"),
        Secret("sixteen letters!"),
    )


def test_a_key_from_a_file_must_fit_the_environment_too(folder):
    folder.write("secret", "ISSecretKey_live_s\n")
    said = {"environment": "sandbox", "publishable_key": "p", "secret_key_file": "secret"}
    assert folder.fault(changed(INTASEND, said)) == "owners[0].intasend.secret_key: *** - is a live key, but environment is sandbox"


def test_only_the_newline_at_the_end_is_taken_off(folder):
    folder.write("p", " two words \n")
    assert folder.load(changed((*OWNER, "password_file"), "p")).owners[0].password == Secret(" two words ")


def test_a_secret_in_a_file_is_taken_literally(folder):
    folder.write("p", "${HOME}\n")
    assert folder.load(changed((*OWNER, "password_file"), "p")).owners[0].password == Secret("${HOME}")


def test_a_secret_cannot_stand_in_both_places(folder):
    folder.write("p", "x")
    assert folder.fault(changed((*ROUTER, "password_file"), "p")) == (
        "owners[0].routers[0].password: *** - give either password or password_file, not both"
    )


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * 70_000, "is longer than"),
        (b"\n", "must not be empty"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_fault_that_names_it(folder, content, rule):
    if content is not None:
        folder.write("p", content)
    fault = folder.fault(changed((*OWNER, "password_file"), "p"))
    assert fault.startswith(f"owners[0].password_file: p - {rule}")


def test_a_folder_is_no_secret(folder):
    assert "cannot be read: Is a directory" in folder.fault(changed((*OWNER, "password_file"), "."))


@pytest.mark.parametrize("between", ["\n", " ", ",", ", ", "\n\n"])
def test_several_encryption_keys_keep_their_order(folder, between):
    folder.write("keys", f"{FERNET_NEW}{between}{FERNET_OLD}\n")
    security = folder.load(changed(("security", "encryption_key_file"), "keys")).security
    assert security.encryption_keys == (Secret(FERNET_NEW), Secret(FERNET_OLD))


def test_an_empty_key_file_is_refused_because_a_new_key_would_open_nothing(folder):
    folder.write("keys", "")
    assert "Fernet" in folder.fault(changed(("security", "encryption_key_file"), "keys"))


# ----------------------------------------------------------------------------------------------------------------- the environment


def test_variables_are_expanded_inside_values(folder):
    tree = changed((*ROUTER, "host"), "router-${SITE}.lan")
    assert folder.load(tree, {"SITE": "kiosk"}).owners[0].routers[0].login.host == "router-kiosk.lan"


def test_numbers_and_switches_may_come_from_the_environment(folder):
    tree = changed((*ROUTER, "port"), "${PORT}", changed((*ROUTER, "tls"), "${TLS}"))
    login = folder.load(tree, {"PORT": "18728", "TLS": "false"}).owners[0].routers[0].login
    assert (login.port, login.tls) == (18_728, False)


def test_the_folder_of_systemds_credentials_may_be_named_by_its_variable(folder):
    folder.write("owner.password", "hunter2\n")
    tree = changed((*OWNER, "password_file"), "${CREDENTIALS_DIRECTORY}/owner.password")
    assert folder.load(tree, {"CREDENTIALS_DIRECTORY": str(folder.path)}).owners[0].password == Secret("hunter2")


def test_an_undefined_variable_is_a_fault(folder):
    assert folder.fault(changed((*ROUTER, "host"), "${NOPE}")) == (
        "owners[0].routers[0].host: ${NOPE} - the environment variable NOPE is not set"
    )


@pytest.mark.parametrize("text", ["${", "${}", "${a b}", "${1A}", "x${A"])
def test_a_broken_variable_is_a_fault(folder, text):
    assert "write $${ for the characters themselves" in folder.fault(changed((*OWNER, "name"), text), {"A": "x"})


@pytest.mark.parametrize(("text", "name"), [("$${A}", "${A}"), ("$A", "$A"), ("$$", "$$"), ("5$", "5$"), ("${A}$${A}", "x${A}")])
def test_dollars_that_are_no_variables_stay(folder, text, name):
    assert folder.load(changed((*OWNER, "name"), text), {"A": "x"}).owners[0].name == name


def test_what_a_variable_holds_is_not_expanded_again(folder):
    assert folder.load(changed((*OWNER, "name"), "${A}"), {"A": "${B}"}).owners[0].name == "${B}"


def test_what_a_variable_holds_is_not_shown_in_a_fault(folder):
    assert "hunter2" not in folder.fault(changed((*ROUTER, "port"), "${A}"), {"A": "hunter2"})


# ----------------------------------------------------------------------------------------------------------------- the file itself


def test_a_missing_file_is_one_fault(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: No such file or directory - must be a readable file"):
        load(tmp_path / "absent.yaml", {})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: b: c", "line 1, column 5"),
        ("server:\n\tlisten: x", "line 2, column 1"),
        ("a: [1", "line 1, column 6"),
        ("a: 1\n---\nb: 2", "line 2, column 1"),
    ],
)
def test_a_syntax_error_is_one_fault_with_line_and_column(folder, text, where):
    assert f"config.yaml: {where} - " in folder.fault(text)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a", "word", "null"])
def test_a_file_that_is_no_mapping_is_one_fault(folder, text):
    assert folder.fault(text).endswith("must be a mapping of keys to values")


def test_a_repeated_key_is_a_fault_with_its_line(folder):
    text = f"{yaml.safe_dump(SMALL)}server:\n  listen: 0.0.0.0:1\n"
    assert re.fullmatch(r"server: \*\*\* - stands twice in the same mapping \(again on line \d+\)", folder.fault(text))


def test_an_alias_is_refused_with_its_place(folder):
    assert "column 4 - aliases are not read here" in folder.fault("a: *hunter2")


def test_a_file_cannot_contain_itself(folder):
    assert "aliases are not read here" in folder.fault("&a [*a]")


@pytest.mark.parametrize("text", ["a: !!python/object:os.system x", "a: !secret x", "a: !!int 5", "a: !!binary aGk="])
def test_tags_are_refused(folder, text):
    assert folder.fault(text).startswith("a: *** - tags")


@pytest.mark.parametrize("text", ["{[a]: b}", "{{a: b}: c}", "? [a]\n: b"])
def test_a_key_that_is_no_word_is_refused(folder, text):
    assert folder.fault(text).endswith("a key must be a single word")


def test_a_file_that_is_nested_without_end_is_one_fault(folder):
    assert "nested too deeply" in folder.fault("[" * 20_000)


def test_bytes_that_are_no_text_are_one_fault(folder):
    assert "config.yaml: position " in folder.fault(b"a: \xff\xff")


# ------------------------------------------------------------------------------------------------------------- secrets never print


def test_no_secret_shows_in_the_print_of_a_configuration(folder):
    tree = changed(INTASEND, {**KEYS, "secret_key": "ISSecretKey_test_hunter2", "webhook_challenge": "hunter2hunter2hunter2"})
    tree = changed((*OWNER, "password"), "hunter2", changed((*ROUTER, "password"), "hunter2", tree))
    config = folder.load(changed(("security", "encryption_key"), FERNET_NEW, tree))
    assert "hunter2" not in repr(config)
    assert FERNET_NEW not in repr(config)


@pytest.mark.parametrize(
    "misspelt", [{"pasword": "hunter2"}, {"password": ["hunter2"]}, {"password": {"hunter2": "x"}}, {"password": "hunter2\x00"}]
)
def test_no_fault_shows_a_secret_where_it_was_written_wrongly(folder, misspelt):
    assert "hunter2" not in folder.fault(changed(OWNER, {**SMALL["owners"][0], **misspelt}))


@pytest.mark.parametrize(
    "text", ["password: *hunter2", "password: !hunter2 x", "password: !hunter2!x y", "password: !hunter2", "password: 'hunter2"]
)
def test_no_syntax_error_shows_the_text_of_the_file(folder, text):
    assert "hunter2" not in folder.fault(text)


def test_mixed_up_keys_are_not_shown(folder):
    mixed = {"environment": "sandbox", "publishable_key": "ISSecretKey_live_hunter2 x", "secret_key": "ISPubKey_live_hunter2"}
    assert not [fault for fault in folder.faults(changed(INTASEND, mixed)) if "hunter2" in fault]


# ------------------------------------------------------------------------------------------------------------- whatever is written

WORDS = st.sampled_from(sorted(set(all_keys(CONFIG)))) | st.text(max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["${A}", "$${", "${", "1h", "50", "*"])
)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12)
whatever = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _places(table: Table, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for name, entry in table.items():
        yield (*path, name)
        if isinstance(entry, SectionKey):
            yield from _places(entry.table, (*path, name))
        if isinstance(entry, SectionsKey):
            yield from _places(entry.table, (*path, name, 0))


def _attempt(folder: Folder, content: Any) -> None:
    try:
        folder.load(content, {"A": "x"})
    except ConfigError as error:
        assert error.faults  # noqa: PT017 - either outcome is right, an empty list is not
        assert all(" - " in fault and "\n" not in fault for fault in error.faults)  # noqa: PT017 - likewise


@whatever
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_configuration_or_a_config_error(folder, content):
    _attempt(folder, content)


@whatever
@given(tree=TREES)
def test_any_tree_is_a_configuration_or_a_config_error(folder, tree):
    _attempt(folder, tree)


@whatever
@given(place=st.sampled_from(sorted(_places(CONFIG), key=str)), value=TREES)
def test_any_value_at_any_key_is_a_configuration_or_a_config_error(folder, place, value):
    _attempt(folder, changed(place, value, changed(INTASEND, dict(KEYS))))
