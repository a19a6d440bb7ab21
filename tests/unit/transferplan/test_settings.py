"""The table of options: what values it takes, from where, and what it says to all others."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import errors, settings
from transferplan.options import COMMAND, MASTER, MINION, OPTIONS, PILLAR, TABLE, Settings, describe
from transferplan.settings import resolve

from .samples import asked, unhurried


def told(layers):
    with pytest.raises(errors.Refused) as refused:
        resolve(layers)
    assert {reason.name for reason in refused.value.reasons} == {"bad-option"}
    return [reason.text for reason in refused.value.reasons]


def test_settings_mirror_the_table():
    assert [field.name for field in fields(Settings) if field.name != "origins"] == [option.name for option in OPTIONS]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_takes_its_own_default_and_example(option):
    assert option.kind.read(resolve([]).values()[option.name]) == option.default
    assert option.kind.read(option.example) is not None
    assert option.meaning.endswith(".")


def test_without_any_layer_the_defaults_are_in_force():
    values = resolve([])
    assert (values.encrypt, values.verify, values.lease, values.ports) == (True, "readback", 30, (4400, 4499))
    assert values.origins == {}


VALUES = [
    ("encrypt", False, False),
    ("encrypt", "no", False),
    ("encrypt", "True", True),
    ("encrypt", " on ", True),
    ("verify", "Flight", "flight"),
    ("port", 4444, 4444),
    ("port", "4444", 4444),
    ("ports", "4400-4410", (4400, 4410)),
    ("ports", " 4400 - 4410 ", (4400, 4410)),
    ("ports", [4400, 4410], (4400, 4410)),
    ("ports", 4400, (4400, 4400)),
    ("ports", "4400", (4400, 4400)),
    ("streams", 16, 16),
    ("streams", "2", 2),
    ("streams", " Auto", "auto"),
    ("special", "setuid,fifos", ("setuid", "fifos")),
    ("special", ["fifos", "setuid", "fifos"], ("setuid", "fifos")),
    ("special", "setuid,capabilities,fifos,devices", ("setuid", "capabilities", "fifos", "devices")),
    ("special", "", ()),
    ("special", [], ()),
    ("include", "*.ibd, /conf/", ("*.ibd", "/conf/")),
    ("include", ["a,b", " c"], ("a,b", " c")),
    ("include", r"a\,b,c", (r"a\,b", "c")),
    ("include", "", ()),
    ("exclude", "!*.log,*", ("!*.log", "*")),
    ("exclude", "größe", ("größe",)),
    ("exclude", ["a\n\udcff\\\t"], (r"a\x0a\xff\x09",)),
    ("exclude", r"a\x2fb\/c", ("a/b/c",)),
    ("lease", 45, 45),
    ("lease", 45.0, 45),
    ("lease", "1m", 60),
    ("lease", "0.5h", 1800),
    ("stall_timeout", "1d", 86400),
    ("reserve", "AUTO", "auto"),
    ("reserve", "10GiB", 10 * 1024**3),
    ("reserve", "5 %", "5%"),
    ("reserve", "2.50%", "2.5%"),
    ("reserve", 0, 0),
    ("delete_limit", "100 %", "100%"),
    ("delete_limit", "2.50%", "2.5%"),
    ("delete_limit", 30, 30),
    ("delete_limit", "30", 30),
    ("delete_limit", 0, 0),
    ("network", "10.20.0.0/16", "10.20.0.0/16"),
    ("network", "10.20.3.4/16", "10.20.3.4/16"),
    ("network", "fd77::12", "fd77::12"),
    ("network", "bond0.7", "bond0.7"),
    ("network", "", ""),
]


@pytest.mark.parametrize("name, value, read", VALUES)
def test_a_value_is_read_into_its_one_form(name, value, read):
    found = getattr(resolve([(COMMAND, {name: value})]), name)
    assert found == read
    assert type(found) is type(read)


WRONG = [
    ("encrypt", 0),
    ("encrypt", 1),
    ("encrypt", "maybe"),
    ("encrypt", []),
    ("verify", "trust"),
    ("verify", True),
    ("port", True),
    ("port", -1),
    ("port", 65536),
    ("port", 44.0),
    ("port", "http"),
    ("port", "٤٤٤٤"),
    ("port", "9" * 5000),
    ("ports", "4499-4400"),
    ("ports", "0-10"),
    ("ports", "4400-70000"),
    ("ports", [1, 2, 3]),
    ("ports", [True, 4400]),
    ("ports", True),
    ("ports", {"low": 1}),
    ("ports", "4400-"),
    ("streams", 0),
    ("streams", 17),
    ("streams", "2.0"),
    ("special", "suid"),
    ("special", ["setuid", 7]),
    ("special", True),
    ("include", ["!"]),
    ("include", [7]),
    ("include", True),
    ("include", "a,,b"),
    ("exclude", ["!"]),
    ("exclude", ["/"]),
    ("exclude", ["a//b"]),
    ("exclude", ["a/../b"]),
    ("exclude", ["./a"]),
    ("exclude", ["a\0"]),
    ("exclude", [r"a\x00"]),
    ("exclude", ["\ud800"]),
    ("exclude", ["a"] * 501),
    ("exclude", ["a" * 20_000]),
    ("lease", 5),
    ("lease", "2h"),
    ("lease", 10.5),
    ("lease", True),
    ("lease", float("nan")),
    ("lease", float("inf")),
    ("lease", "soon"),
    ("reserve", "100%"),
    ("delete_limit", "101%"),
    ("delete_limit", "-1%"),
    ("delete_limit", -1),
    ("delete_limit", "many"),
    ("delete_limit", True),
    ("reserve", "-5%"),
    ("reserve", True),
    ("reserve", -1),
    ("reserve", 1.5),
    ("reserve", "plenty"),
    ("network", "10.20.0.0/33"),
    ("network", "eth 0"),
    ("network", "an-interface-name-too-long"),
    ("network", 10),
    ("type", "rsync"),
]


@pytest.mark.parametrize("name, value", WRONG)
def test_a_wrong_value_is_refused_with_what_would_be_right(name, value):
    (text,) = told([(COMMAND, {name: value})])
    assert text.startswith(f"{name} (from the command line) must be {TABLE[name].kind.takes}, not ")
    assert text.isprintable() and len(text) < 300


@pytest.mark.parametrize("value", ["srv", "/", "/srv/../x", "/srv/\n", 7, ""])
def test_a_state_dir_must_be_a_plain_absolute_path(value):
    assert "must be an absolute path" in told([(MINION, {"state_dir": value})])[0]


def test_a_state_dir_is_normal():
    assert resolve([(MINION, {"state_dir": "//data//transfer/"})]).state_dir == "/data/transfer"


def test_all_troubles_are_told_at_once_with_their_layer():
    texts = told([(MASTER, {"encript": False, "lease": "x"}), (COMMAND, {"port": "http", "Verify": "flight"})])
    assert texts == [
        "'encript' (from the master's configuration) is no option; did you mean encrypt?",
        f"lease (from the master's configuration) must be {TABLE['lease'].kind.takes}, not 'x'",
        "port (from the command line) must be a whole number from 0 to 65535, not 'http'",
        "'Verify' (from the command line) is no option; did you mean verify?",
    ]


@pytest.mark.parametrize(
    "value, wrong",
    [
        ("setuid,bogus", "'bogus'"),
        (["setuid", "bogus", "mist", "fifos"], "'bogus' and 'mist'"),
        (["setuid", 7], "7"),
        (["setuid", {"a": 1}], "{'a': 1}"),
        ("setuid, Bogus ", "' Bogus '"),
        (True, "True"),
    ],
)
def test_of_several_words_those_are_named_that_are_wrong_and_those_that_may_be(value, wrong):
    takes = "a list or comma-separated words of setuid, capabilities, fifos, devices"
    assert told([(COMMAND, {"special": value})]) == [f"special (from the command line) must be {takes}, not {wrong}"]


def test_a_name_that_resembles_nothing_points_to_the_list():
    assert told([(COMMAND, {"zzz": 1})]) == [
        "'zzz' (from the command line) is no option; salt-run -d transfer.copy lists all of them"
    ]


def test_hostile_names_and_values_are_shown_tame():
    texts = told([(COMMAND, {"\x1b[2J": 1, 7: 2, "network": "\x1b" * 5000})])
    assert all(text.isprintable() and len(text) < 300 for text in texts)
    assert len(texts) == 3


@pytest.mark.parametrize("section", [[], "encrypt=False", 7, True])
def test_a_section_that_is_no_mapping_is_refused(section):
    (text,) = told([(MASTER, section)])
    assert text.startswith("transfer (in the master's configuration) must hold options with their values, not ")


def test_an_empty_section_or_value_is_as_good_as_none():
    assert resolve([(MASTER, None), (COMMAND, {"lease": None})]) == resolve([])


def test_the_later_layer_wins_and_is_remembered():
    values = resolve([(MASTER, {"lease": 60, "streams": 2}), (COMMAND, {"lease": 90})])
    assert (values.lease, values.streams) == (90, 2)
    assert values.origins == {"lease": COMMAND, "streams": MASTER}


def test_one_host_cannot_set_what_is_one_for_all():
    (text,) = told([(PILLAR, {"encrypt": False})])
    assert text == (
        "encrypt cannot be set from the minion's pillar, only from the master's configuration or the command line"
    )


def test_the_master_cannot_set_what_is_a_minions_own():
    assert len(told([(MASTER, {"state_dir": "/x"}), (COMMAND, {"keep_runs": "1d"})])) == 2


def test_policy_stands_in_the_minions_own_configuration_alone():
    resolve([(MINION, {"policy": {"read": ["/srv"]}})])
    for layer in (MASTER, PILLAR, COMMAND):
        (text,) = told([(layer, {"policy": {}})])
        assert text == f"policy cannot be set from {layer}, only from the minion's own configuration"


def test_quiet_and_verbose_exclude_each_other():
    assert told([(MASTER, {"quiet": True}), (COMMAND, {"verbose": True})]) == [
        "quiet and verbose exclude each other: give one of them"
    ]


def test_what_is_sound_counts_beside_what_is_not():
    values, troubles = settings.sound([(MASTER, {"lease": 60, "port": "x"}), (COMMAND, {"streams": 2, "fooo": 1})])
    assert (values.lease, values.streams, values.port) == (60, 2, 0)
    assert len(troubles) == 2


# A host's own configuration.


def on_host(request, pillar=None, config=None):
    (question, *_) = request.asks().values()
    return settings.on_host(question["settings"], question["given"], pillar, config)


def test_a_hosts_own_configuration_wins_over_the_masters():
    values = on_host(asked(), pillar={"port": 5000, "reserve": "1GiB"}, config={"port": 6000, "state_dir": "/data/t"})
    assert (values.port, values.reserve, values.state_dir) == (6000, 1024**3, "/data/t")


def test_the_command_line_wins_over_a_hosts_own_configuration():
    assert on_host(asked(port=7000), config={"port": 6000}).port == 7000


def test_a_host_is_asked_with_the_transfers_own_settings():
    assert on_host(asked(verify="flight", special="fifos")).verify == "flight"


def test_a_host_does_not_mind_options_of_another_version():
    assert settings.on_host({"warp": 9, "verify": "flight"}, ["warp"], None, None).verify == "flight"


def test_a_wrong_configuration_of_a_host_is_refused_there():
    with pytest.raises(errors.Refused, match="port \\(from the minion's own configuration\\) must be"):
        on_host(asked(), config={"port": "x"})


def test_what_a_host_tells_to_be_in_force_is_taken_over():
    told_by_host = {"port": 5000, "reserve": "2GiB", "encrypt": False, "x": 1}
    values = settings.as_told(asked(reserve="1GiB").settings, told_by_host)
    assert (values.port, values.reserve, values.encrypt) == (5000, 1024**3, True)


def test_what_a_host_tells_is_checked_too():
    with pytest.raises(errors.Refused, match="ports \\(from the minion's own configuration\\) must be"):
        settings.as_told(asked().settings, {"ports": "none"})


# The table as text.


def test_the_description_names_every_option_of_the_command_line():
    text = describe()
    for option in OPTIONS:
        assert (f"    {option.name}\n" in text) is (option.scope != "minion")
    assert "Default: 4400-4499. Example: ports=5000-5099" in text


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text() | st.integers())


@unhurried
@given(st.dictionaries(st.sampled_from(sorted(TABLE)) | st.text(), ANYTHING))
def test_whatever_is_given_ends_in_settings_or_a_refusal(options):
    try:
        resolve([(COMMAND, options)])
    except errors.Refused as refused:
        assert all(reason.text.isprintable() for reason in refused.reasons)
