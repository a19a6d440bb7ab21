"""What is left after an attempt is found by looking at hosts and files, each kind of it, at both ends."""

import contextlib
import fcntl
import json
import socket
import time

import pytest

from tests.faults import world as worlds

pytestmark = pytest.mark.root

TRANSFER = "5" * 32


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with worlds.World(tmp_path_factory.mktemp("world")) as world:
        (world.home / "srv").mkdir()
        yield world


@pytest.fixture(params=["source", "destination"])
def end(request, world):
    """(role, its state directory, a run directory of it)."""
    state = world.minions[request.param].state_dir
    run = state / "runs" / f"{TRANSFER}-{request.param}"
    run.mkdir(parents=True)
    (state / "register").mkdir()
    yield request.param, state, run
    worlds.empty(state)


def left(world, *kept):
    return list(world._left_now(TRANSFER, kept))


def test_nothing_is_left_where_records_are(world, end):
    _, _, run = end
    (run / "lock").touch()
    (run / "undo.log").write_text('{"seq": 1, "what": "place", "with": {}}\n\n{"seq": 1, "done": true}\n{"seq": 2, "w')
    assert left(world) == []


def test_a_lock_that_is_held_is_found(world, end):
    role, _, run = end
    with open(run / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert left(world) == [f"{role}: somebody holds a lock on {run}/lock"]
    assert left(world) == []


def test_a_claim_in_the_register_is_found(world, end):
    role, state, _ = end
    entry = {"transfer": TRANSFER, "place": {"path": "/srv/data"}}
    (state / "register/register.json").write_text(json.dumps({"entries": [entry]}))
    assert left(world) == [f"{role}: the register says that {TRANSFER} writes /srv/data and was promised room"]


@pytest.mark.parametrize(("seconds", "found"), [(60, 1), (-1, 0)])
def test_a_ticket_is_found_as_long_as_it_counts(world, end, seconds, found):
    role, state, _ = end
    until = time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
    boot = worlds.held.BOOT_ID.read_text().strip()
    (state / "register/seats.json").write_text(
        json.dumps({"tickets": [{"transfer": TRANSFER, "boot": boot, "until": until}]})
    )
    assert left(world) == [f"{role}: {TRANSFER} waits for a seat"] * found


def test_a_change_that_nobody_has_undone_is_found(world, end):
    role, _, run = end
    (run / "undo.log").write_text('{"seq": 1, "what": "pinhole", "with": {"tag": "x"}}\n')
    assert left(world) == [f"{role}: {run.name} has not undone: pinhole"]


def test_staging_may_be_left_to_undo_only_where_it_may_rest(world, end):
    role, _, run = end
    (run / "undo.log").write_text('{"seq": 1, "what": "staging", "with": {}}\n')
    sentence = f"{role}: {run.name} has not undone: staging"
    assert left(world) == [sentence]
    assert left(world, f".salt-transfer-{TRANSFER}") == ([] if role == "destination" else [sentence])


def test_a_control_socket_and_a_login_are_found(world, end, monkeypatch):
    role, _, run = end
    monkeypatch.chdir(run)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("control")
    (run / "login.cnf").touch()
    assert left(world) == [f"{role}: there is a socket {run}/control", f"{role}: there is {run}/login.cnf"]


@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_rule_is_found_on_either_host(world, role):
    with contextlib.ExitStack() as undo:
        world._hosts[role].call("nft", "add", "table", "inet", "planted")
        undo.callback(world._hosts[role].call, "nft", "delete", "table", "inet", "planted")
        assert [sentence.partition(" the rules")[0] for sentence in left(world)] == [f"{role}:"] * 2
    assert left(world) == []
