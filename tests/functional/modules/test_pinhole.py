"""pinhole through Salt's loader, as a minion on a guarded host would run it."""

import json
import threading
import time

import pytest
import salt.loader
from salt.exceptions import CommandExecutionError

from tests.functional.hosttools.guards import GUARDS, snapshot
from tests.functional.hosttools.hosts import ADDRESSES, OTHER_PORT, PATIENCE, PORT, hosts

pytestmark = pytest.mark.root

BY_HAND = f"salt-transfer:by-hand:{PORT}"
SOURCE, SOURCE6 = ADDRESSES["source"].values()
TICK = threading.Event()


@pytest.fixture
def net():
    with hosts() as found:
        yield found


@pytest.fixture(params=[guard for guard in GUARDS if guard.backend != "mixed"], ids=lambda guard: guard.name)
def guard(request):
    return request.param


@pytest.fixture
def host(net, guard):
    guard.install(net["destination"])
    with net["destination"].listening(PORT, OTHER_PORT):
        yield net["destination"]


@pytest.fixture
def pinhole(minion_opts, net, tmp_path):
    """Calls a function of the module on the destination host."""
    opts = {**minion_opts, "transfer": {"state_dir": str(tmp_path / "state")}, "grains": {}, "pillar": {}}
    modules = salt.loader.minion_mods(opts)

    def call(name, *args, **options):
        return net["destination"].inside(modules[f"pinhole.{name}"], *args, **options)

    return call


def test_what_is_opened_by_hand_is_listed_renewed_and_closed(pinhole, net, host, guard):
    before = snapshot(host)
    opened = pinhole("open", f"{SOURCE}, {SOURCE6}", PORT, lease=100)
    assert (opened["tag"], opened["sources"], opened["port"]) == (BY_HAND, [SOURCE, SOURCE6], PORT)
    assert len(opened["chains"]) == len(guard.chains)
    assert net["source"].reaches(host, "ip")
    assert net["source"].reaches(host, "ip6")
    listed = pinhole("list")
    assert {(row["tag"], row["source"], row["port"]) for row in listed} == {
        (BY_HAND, SOURCE, PORT),
        (BY_HAND, SOURCE6, PORT),
    }
    pinhole("renew", BY_HAND, lease=900)
    assert all(row["remaining"] > 100 for row in pinhole("list"))
    assert pinhole("close", BY_HAND) == {"tag": BY_HAND, "closed": True}
    assert pinhole("close", BY_HAND) == {"tag": BY_HAND, "closed": False}
    assert snapshot(host) == before
    assert json.loads(json.dumps([opened, listed])) == [opened, listed]


def test_what_is_over_is_swept_and_what_is_open_is_not(pinhole, net, host):
    kept = "salt-transfer:kept:1"
    pinhole("open", SOURCE, PORT, lease=3)
    pinhole("open", SOURCE, OTHER_PORT, lease=600, tag=kept)
    deadline = time.monotonic() + PATIENCE
    while pinhole("sweep", test=True)["found"] != [BY_HAND]:
        assert time.monotonic() < deadline
        TICK.wait(0.1)
    assert pinhole("sweep", test=True)["removed"] == []
    assert pinhole("sweep") == {"found": [BY_HAND], "removed": [BY_HAND]}
    assert {row["tag"] for row in pinhole("list")} == {kept}
    assert net["source"].reaches(host, "ip", OTHER_PORT)


def test_what_is_not_open_cannot_be_renewed(pinhole, host):
    with pytest.raises(CommandExecutionError, match=f"No pinhole {BY_HAND} is open"):
        pinhole("renew", BY_HAND)


def test_what_an_administrator_forbids_is_not_opened_until_it_is_lifted(pinhole, net, host):
    pinhole("forbid", source="10.9.0.0/24", ports=f"{PORT}-{PORT}", reason="not from here")
    with pytest.raises(CommandExecutionError, match="10.9.0.0/24 on this host: not from here"):
        pinhole("open", SOURCE, PORT)
    assert pinhole("list") == []
    assert pinhole("allowed", SOURCE, PORT)["reasons"]
    assert pinhole("allowed", SOURCE, OTHER_PORT) == {"allowed": True, "reasons": []}
    assert pinhole("lift", source="10.9.0.0/24", ports=f"{PORT}-{PORT}") == []
    pinhole("open", SOURCE, PORT)
    assert net["source"].reaches(host, "ip")


def test_what_is_forbidden_later_is_not_renewed(pinhole, host):
    pinhole("open", SOURCE, PORT)
    pinhole("forbid", ports=PORT)
    with pytest.raises(CommandExecutionError, match=f"ports {PORT} for every source"):
        pinhole("renew", BY_HAND)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("beta", PORT), "'beta' is no IP address"),
        ((SOURCE, 0), "0 is no port"),
        ((SOURCE, PORT, 0), "0 is no lease"),
        ((SOURCE, PORT, 60, "mine"), "'mine' is no tag"),
    ],
)
def test_nonsense_is_refused_in_one_sentence_and_opens_nothing(pinhole, net, words, sentence):
    GUARDS[0].install(net["destination"])
    with pytest.raises(CommandExecutionError, match=sentence):
        pinhole("open", *words)
    assert pinhole("list") == []


def test_a_state_directory_that_cannot_be_made_is_one_sentence(pinhole, tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(CommandExecutionError, match=f"^{tmp_path}/state: "):
        pinhole("forbid", ports=PORT)


def test_on_an_open_host_there_is_nothing_to_open(pinhole):
    assert pinhole("open", SOURCE, PORT)["chains"] == []
    assert pinhole("list") == []


def test_a_firewalld_that_does_not_answer_is_not_taken_for_an_open_host(pinhole, net):
    rules = "table inet firewalld {\nchain filter_INPUT {\ntype filter hook input priority 10; policy drop;\n}\n}\n"
    net["destination"].call("nft", "-f", "-", stdin=rules)
    assert "does not answer" in str(pinhole("survey")["trouble"])
    with pytest.raises(CommandExecutionError, match="it does not answer on the system's bus"):
        pinhole("open", SOURCE, PORT)


def test_the_survey_is_what_json_can_carry(pinhole, host, guard):
    facts = pinhole("survey")
    assert facts["backend"] == guard.backend
    assert json.loads(json.dumps(facts)) == facts
