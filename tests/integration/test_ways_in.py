"""The ways into a transfer that Salt offers beside `salt-run`: state, reactor, salt-api, scheduler. One lab for all."""

import json
import shutil

import pytest
from lab import Lab

from tests.conftest import CHECKOUT
from tests.support.copying import SLOW_BYTES, heal, plant_random, slowed
from tests.support.runs import ENTRY, differences, plant_at
from tests.support.waiting import eventually

SECRET = "the lab's own"
MASTER_CONFIG = {
    "peer_run": {"beta": ["transfer.pull"]},
    "reactor": [{"dataset/ready": ["salt://reactor/copy_when_ready.sls"]}],
    "netapi_enable_clients": ["runner"],
    "rest_cherrypy": {"host": "127.0.0.1", "port": 8000, "disable_ssl": True},
    "sharedsecret": SECRET,
    "external_auth": {"sharedsecret": {"deployer": [{"@runner": ["transfer.start", "transfer.status"]}]}},
    "transfer": {"profiles": {"careful": {"streams": 1, "digest": "sha256"}}},
    "schedule": {
        "keep": {
            "function": "transfer.copy",
            "seconds": 15,
            "maxrunning": 1,
            "kwargs": {"src": "alpha:/srv/nightly", "dst": "beta:/srv/", "update": True, "quiet": True},
        }
    },
}
TOP = {"base": {"beta": ["provision"]}}
FROM_ALPHA = {"source": "alpha:/srv/data"}
PROVISION = {
    "/srv/data": {"transfer.copied": [FROM_ALPHA]},
    "/srv/fresh/": {"transfer.copied": [FROM_ALPHA, {"update": True}, {"require": [{"file": "/srv/fresh"}]}]},
    "/srv/fresh": {"file.directory": []},
}


@pytest.fixture(scope="module")
def lab():
    """In place of the lab that the whole session shares."""
    with Lab(minions=("alpha", "beta"), master_config=MASTER_CONFIG) as lab:
        serve(lab, "top.sls", json.dumps(TOP))
        serve(lab, "provision.sls", json.dumps(PROVISION))
        serve(lab, "reactor/copy_when_ready.sls", as_in_the_lab(CHECKOUT / "reactor/copy_when_ready.sls"))
        yield lab


def serve(lab, name, text):
    path = lab.master.path(f"/srv/salt/{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def as_in_the_lab(example):
    return example.read_text().replace("db1:", "alpha:").replace("report1:", "beta:")


# --- a state ---------------------------------------------------------------------------------------------------------


def highstate(lab, test):
    """{place: (result, changes, comment)} of the states of ours in a highstate of beta."""
    (told,) = lab.call_local("beta", "state.apply", test=test).data.values()
    assert isinstance(told, dict), told
    ours = {name: state for name, state in told.items() if name.startswith("transfer_")}
    return {state["name"]: (state["result"], state["changes"], state["comment"]) for state in ours.values()}


@pytest.mark.slow
def test_a_fresh_minion_is_provisioned_and_stays_so(clean_lab, data, alpha, beta):
    size = sum(len(each) for each in (ENTRY["file"], *ENTRY["more"].values()))
    first = highstate(clean_lab, test=True)
    assert {name: result for name, (result, _, _) in first.items()} == {"/srv/data": None, "/srv/fresh/": None}
    assert first["/srv/data"][1] == {"source": "alpha:/srv/data", "files": 3, "bytes": size}
    assert not beta.disk("/srv/data").exists()

    second = highstate(clean_lab, test=False)
    result, changes, comment = second["/srv/data"]
    assert (result, comment) == (True, "copied from alpha:/srv/data, proved by readback")
    assert {name: changes[name] for name in first["/srv/data"][1]} == first["/srv/data"][1]
    assert changes["level"] == "readback" and len(changes["transfer"]) == 32 and ":" in changes["root"]
    assert second["/srv/fresh/"][0] is True and second["/srv/fresh/"][1]["files"] == 3
    assert differences(alpha, beta) == differences(alpha, beta, copy="/srv/fresh/data") == []

    for name, (result, changes, comment) in highstate(clean_lab, test=False).items():
        assert (name, result, changes) == (name, True, {}), comment
    last = highstate(clean_lab, test=True)
    assert last["/srv/data"][:2] == (True, {})
    assert f"transfer {second['/srv/data'][1]['transfer']} brought it from alpha" in last["/srv/data"][2]
    assert last["/srv/fresh/"][:2] == (None, {}), "only comparing tells whether an update has anything to do"


@pytest.mark.slow
def test_an_update_in_a_state_tells_what_it_changed(clean_lab, data, alpha, beta):
    copied(clean_lab, "/srv/data", source="alpha:/srv/data", update=True, profile="careful")
    (data / "file").write_bytes(b"other")
    (data / "more/new").write_bytes(b"new")
    result, changes, _ = copied(clean_lab, "/srv/data", source="alpha:/srv/data", update=True)
    assert (result, changes["created"], changes["changed"]) == (True, 1, 2), "the directory of the new one changes too"
    assert differences(alpha, beta) == []


def copied(lab, name, **options):
    """(result, changes, comment) of one state by itself, on beta."""
    return single(lab, "beta", name=name, **options)


def single(lab, minion, **options):
    (told,) = lab.call_local(minion, "state.single", "transfer.copied", **options).data.values()
    (state,) = told.values()
    return state["result"], state["changes"], state["comment"]


@pytest.mark.slow
def test_a_state_that_cannot_be_fulfilled_says_every_reason(clean_lab, data):
    result, changes, comment = copied(clean_lab, "/srv/no/place", source="alpha:/srv/none")
    assert (result, changes) == (False, {})
    assert "source-missing" in comment and "destination-parent" in comment


def test_a_mistyped_option_is_refused_though_there_would_be_nothing_to_do(clean_lab, data, beta):
    plant_at(beta, "/srv/data", {"file": b"old"})
    result, _, comment = copied(clean_lab, "/srv/data", source="alpha:/srv/data", updat=True)
    assert (result, "did you mean update?" in comment) == (False, True)


def test_a_minion_that_the_master_does_not_permit_is_told_what_is_missing(clean_lab, data):
    result, _, comment = single(clean_lab, "alpha", name="/srv/copy", source="alpha:/srv/data")
    assert (result, "peer_run" in comment) == (False, True)


@pytest.mark.slow
def test_a_minion_gets_copies_to_itself_alone(clean_lab, data):
    arguments = ["src=alpha:/srv/data", "path=/srv/copy", "dst=alpha:/srv/copy", "key=k"]
    told = clean_lab.call_local("beta", "publish.runner", "transfer.pull", json.dumps(arguments)).data["local"]
    assert (told["result"], told["reasons"][0]["name"]) == ("refused", "bad-option")
    refused = clean_lab.call_local("beta", "publish.runner", "transfer.copy", json.dumps(arguments[:1]))
    assert refused.data["local"] == {}


# --- in the background -----------------------------------------------------------------------------------------------


def test_a_key_begins_one_copy_however_often_it_is_given(clean_lab, run, data, alpha, beta):
    def start():
        return run("start", src="alpha:/srv/data", dst="beta:/srv/", key="one edition").data

    first, again = start(), start()
    assert (first["result"], again["transfer"]) == ("running", first["transfer"])
    told = eventually(lambda: (told := start())["result"] != "running" and told)
    assert (told["result"], told["transfer"], told["receipt"]["proved"]) == ("ok", first["transfer"], True)
    assert run("copy", src="alpha:/srv/data", dst="beta:/srv/", key="one edition").data == told
    other = run("start", src="alpha:/srv/data", dst="beta:/srv/other", key="one edition")
    assert (other.returncode, "began another copy" in str(other.data["reasons"])) == (3, True)
    assert differences(alpha, beta) == []


def finished(bus, source):
    """The data of the next event that ends a transfer of this place."""
    ours = (data for tag, data in bus.events(180) if tag.startswith("salt/transfer/"))
    return next(data for data in ours if data["what"] == "finished" and data["source"] == source)


@pytest.mark.slow
def test_a_follower_that_is_killed_has_a_successor(clean_lab, copying_by_key):
    """Nothing is copied anew: whoever asks by the key follows the transfer that runs."""
    lab, start = clean_lab, copying_by_key
    transfer = start()["transfer"]
    assert eventually(lambda: phases(lab, transfer) == {"moving"})
    lab.master.run(["pkill", "-9", "-f", "ProcessFunc.*transfer.copy"])
    assert start()["result"] == "running"
    heal(lab)
    ended = eventually(lambda: (told := start())["result"] != "running" and told)
    assert (ended["result"], ended["transfer"], ended["attempt"]) == ("ok", transfer, 1)


@pytest.fixture
def copying_by_key(clean_lab, run, alpha, beta):
    plant_random(alpha, "/srv/big", SLOW_BYTES)
    with slowed(beta):
        yield lambda: run("start", src="alpha:/srv/big", dst="beta:/srv/", key="big").data


def phases(lab, transfer):
    return {end["phase"] for end in lab.run_runner("transfer.status", transfer=transfer).data.get("ends", ())}


# --- a reactor -------------------------------------------------------------------------------------------------------


def test_a_reactor_copies_what_is_said_to_be_ready_once(clean_lab, alpha, beta):
    plant_at(alpha, "/srv/orders", ENTRY)
    with clean_lab.bus() as bus:
        for _ in range(2):
            clean_lab.call_local("alpha", "event.send", "dataset/ready", dataset="orders", edition="7")
        clean_lab.call_local("alpha", "event.send", "dataset/ready", dataset="secrets", edition="7")
        told = finished(bus, "alpha:/srv/orders")
    assert told["result"] == "ok"
    assert differences(alpha, beta, "/srv/orders", "/srv/orders") == []
    (listed,) = [each for each in clean_lab.run_runner("transfer.list").data["transfers"] if orders(each)]
    assert listed["asked_by"]["via"] == "reactor"


def orders(transfer):
    return any(end["path"] == "/srv/orders" for end in transfer["ends"])


# --- salt-api --------------------------------------------------------------------------------------------------------

ASK = """
import json, sys, urllib.request
low = json.loads(sys.argv[1])
kind = {"Content-Type": "application/json"}
request = urllib.request.Request("http://127.0.0.1:8000/run", json.dumps([low]).encode(), kind)
try:
    print(urllib.request.urlopen(request, timeout=120).read().decode())
except urllib.error.HTTPError as error:
    print(json.dumps({"status": error.code}))
"""


@pytest.fixture
def ask(clean_lab):
    """ask(function, **arguments) -> what salt-api answers to a user who may start and look, and nothing else."""
    api = clean_lab.master.popen(["salt-api", "--config-dir=/etc/salt"])
    clean_lab.master.run(["sh", "-c", "until ss -Hltn sport = 8000 | grep -q .; do sleep 0.1; done"])

    def ask(function, password=SECRET, **arguments):
        who = {"client": "runner", "eauth": "sharedsecret", "username": "deployer", "password": password}
        done = clean_lab.master.run(["python3", "-c", ASK, json.dumps({**who, "fun": function, "kwarg": arguments})])
        return json.loads(done.stdout)

    yield ask
    api.terminate()
    api.wait()


def test_salt_api_starts_and_looks_within_its_permissions(clean_lab, ask, data, alpha, beta):
    with clean_lab.bus() as bus:
        (started,) = ask("transfer.start", src="alpha:/srv/data", dst="beta:/srv/", profile="careful")["return"]
        assert started["result"] == "running", started
        assert finished(bus, "alpha:/srv/data")["result"] == "ok"
    (status,) = ask("transfer.status", transfer=started["transfer"])["return"]
    assert {end["phase"] for end in status["ends"]} == {"published"}
    assert {end["asked_by"]["user"] for end in status["ends"]} == {"deployer"}
    assert differences(alpha, beta) == []
    assert ask("transfer.cancel", transfer=started["transfer"]) == {"status": 401}
    assert ask("transfer.start", password="guessed", src="alpha:/srv/data", dst="beta:/srv/x") == {"status": 401}


# --- the scheduler ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_masters_scheduler_keeps_a_copy_up_to_date(clean_lab, alpha, beta):
    source = plant_at(alpha, "/srv/nightly", ENTRY)
    copied = beta.disk("/srv/nightly/file")
    assert eventually(copied.exists)
    (source / "file").write_bytes(b"newer")
    assert eventually(lambda: copied.read_bytes() == b"newer")
    shutil.rmtree(source)
    assert eventually(lambda: not clean_lab.run_runner("transfer.list", state="running").data["transfers"])
