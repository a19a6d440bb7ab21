import pytest

from hosttools.errors import BadUnit
from hosttools.units import Unit, speakable, start, unit_name

UNIT = Unit("salt-transfer-x-1-source", "a copy", ("/bin/work", "run"), ("/bin/work", "undo"), (b"/srv",), "/v/log", 30)


def changed(**changes):
    return Unit(**{**vars(UNIT), **changes})


def properties(unit):
    """The properties on the command line, by name."""
    words = [word.removeprefix("--property=") for word in start(unit).argv if word.startswith("--property=")]
    return dict(word.split("=", 1) for word in words)


def test_the_name_tells_transfer_attempt_and_role():
    assert unit_name("a" * 32, 2, "destination") == f"salt-transfer-{'a' * 32}-2-destination"


def test_the_worker_is_what_comes_last():
    argv = start(UNIT).argv
    assert argv[:2] == ("systemd-run", "--collect")
    assert argv[argv.index("--") + 1 :] == ("/bin/work", "run")


def test_the_whole_group_ends_and_then_it_is_undone():
    found = properties(UNIT)
    assert found["KillMode"] == "control-group"
    assert found["ExecStopPost"] == '"/bin/work" "undo"'


def test_a_unit_claims_as_much_as_it_was_given():
    assert [properties(changed(weight=10))[name] for name in ("CPUWeight", "IOWeight")] == ["10", "10"]


def test_only_declared_paths_and_the_lock_of_iptables_can_be_written():
    found = properties(changed(writable=(b"/srv/my data", b"/var/lib/x", b"/srv/my data")))
    assert found["ProtectSystem"] == "strict"
    assert found["ReadWritePaths"] == '"/srv/my data" "/var/lib/x" -/run/xtables.lock'


def test_no_word_is_taken_for_a_variable_or_a_quote():
    found = start(changed(argv=("/bin/$HOME", "%n"), undo=("/bin/u", '$X "q" \\'))).argv
    assert found[-2:] == ("/bin/$$HOME", "%n")
    assert '--property=ExecStopPost="/bin/u" "$$X \\"q\\" \\\\"' in found


@pytest.mark.parametrize(
    ("path", "spoken"),
    [
        (b"/srv/plain", "/srv/plain"),
        (b"/srv/with space %n $HOME 'q'", "/srv/with space %n $HOME 'q'"),
        ("/srv/ü".encode(), "/srv/ü"),
        (b'/srv/data/a "quoted" name/below', "/srv/data"),
        (b"/srv/back\\slash", "/srv"),
        (b"/srv/two\nlines", "/srv"),
        (b"/\xff/x", "/"),
    ],
)
def test_a_path_that_a_unit_cannot_name_is_declared_by_the_directory_above(path, spoken):
    assert speakable(path) == spoken


@pytest.mark.parametrize("name", ["", "a b", "../x", "a\n"])
def test_a_strange_name_is_refused(name):
    with pytest.raises(BadUnit, match="is no name for a unit"):
        start(changed(name=name))


def test_an_undo_of_several_lines_is_refused():
    with pytest.raises(BadUnit, match="more than one line"):
        start(changed(undo=("a\nb",)))
