"""What a minion permits, and that nothing unclear is taken for permission."""

import pytest

from transferworker.policy import Policy

EVERYTHING = ("setuid", "capabilities", "fifos", "devices")


def reasons(config, role="destination", path=b"/srv/data", peers=("beta",), special=()):
    return Policy.read(config).reasons(role, (path,), peers, special)


def test_without_a_policy_everything_but_devices_is_permitted():
    assert reasons(None) == []
    assert reasons({}, special=("setuid", "capabilities", "fifos")) == []
    assert reasons({}, special=EVERYTHING) == ["devices may not travel (transfer:policy:special)"]


@pytest.mark.parametrize("path", [b"/proc/x", b"/sys", b"/dev/shm/x"])
def test_the_kernels_own_file_systems_are_never_permitted(path):
    assert reasons({"destinations": ["/"]}, path=path)
    assert reasons({"sources": ["/"]}, role="source", path=path)


@pytest.mark.parametrize(
    ("path", "permitted"),
    [
        (b"/srv", True),
        (b"/srv/a", True),
        (b"/srvother", False),
        (b"/", False),
        (b"/srv/secret", False),
        (b"/srv/secret/x", False),
        (b"/srv/secrets", True),
    ],
)
def test_prefixes_count_whole_names(path, permitted):
    config = {"destinations": {"allow": ["/srv/"], "deny": ["/srv/secret"]}}
    assert (reasons(config, path=path) == []) == (permitted and path != b"/srv")


def test_a_tree_that_holds_a_denied_place_is_denied():
    config = {"sources": {"deny": ["/srv/secret"]}}
    assert reasons(config, role="source", path=b"/srv") == ["/srv may not be read (transfer:policy:sources)"]


def test_sources_and_destinations_have_rules_of_their_own():
    config = {"sources": ["/data"], "destinations": ["/srv"]}
    assert reasons(config, role="source", path=b"/data/x") == []
    assert reasons(config, role="destination", path=b"/data/x") != []


def test_the_path_as_named_and_as_it_is_must_both_be_permitted():
    policy = Policy.read({"destinations": ["/srv"]})
    assert policy.reasons("destination", (b"/srv/link", b"/etc/shadow"), (), ()) == [
        "/etc/shadow may not be written (transfer:policy:destinations)"
    ]


def test_peers_are_told_by_globs():
    assert reasons({"peers": ["db*"]}, peers=("db1", "web1")) == ["web1 may not take part (transfer:policy:peers)"]


def test_special_entries_are_those_that_are_named():
    assert reasons({"special": ["devices"]}, special=("devices", "setuid")) == [
        "setuid may not travel (transfer:policy:special)"
    ]
    assert reasons({"special": []}, special=("fifos",)) != []


@pytest.mark.parametrize(
    "config",
    [
        "everything",
        {"destinations": "/srv"},
        {"destinations": ["srv"]},
        {"destinations": {"permit": ["/srv"]}},
        {"destinatoins": ["/srv"]},
        {"special": ["everything"]},
        {"peers": "db*"},
        {"peers": 7},
        {"sources": None},
    ],
)
def test_what_cannot_be_read_forbids_everything_in_words(config):
    assert any("transfer:policy" in sentence for sentence in reasons(config))


def test_all_reasons_come_at_once():
    config = {"destinations": ["/srv"], "peers": ["db*"], "special": []}
    assert len(reasons(config, path=b"/etc", peers=("web1",), special=("setuid",))) == 3


def test_a_path_that_is_no_text_is_shown_safely():
    assert reasons({"destinations": ["/srv"]}, path=b"/etc/\xff\x1b") == [
        "/etc/%FF%1B may not be written (transfer:policy:destinations)"
    ]


@pytest.mark.parametrize("role", ["source", "destination"])
@pytest.mark.parametrize("path", [b"/var/lib/salt-transfer", b"/var/lib/salt-transfer/x"])
def test_a_minions_own_books_are_never_permitted(role, path):
    policy = Policy.read({}, "/var/lib/salt-transfer")
    assert len(policy.reasons(role, (path,), (), ())) == 1
    assert policy.reasons(role, (b"/var/lib/salt-transfers",), (), ()) == []
