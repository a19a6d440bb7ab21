"""`salt-run transfer.copy` between real minions: what arrives, what is refused, what stays open (nothing)."""

import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.datamover.places import plant
from tests.functional.datamover.test_copy import HOSTILE
from tests.support.copying import SLOW_BYTES, Copying, digest, plant_random, slowed
from tests.support.runs import ENTRY, assert_ok, assert_shown_in_words, differences, names, plant_at

CHECKOUT = Path(__file__).parents[2]


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


# --- what arrives ----------------------------------------------------------------------------------------------------


def test_a_tree_with_everything_in_it_arrives_equal(run, alpha, beta):
    tree = plant_at(alpha, "/srv/data", dict.fromkeys(HOSTILE, b"hostile") | ENTRY | {"link": "more/big"})
    demand(tree)
    assert_ok(run(src="alpha:/srv/data", dst="beta:/srv/"))
    arrived = beta.disk("/srv/data")
    assert differences(alpha, beta) == []
    assert os.stat(arrived / "sparse").st_blocks * 512 < 1_000_000
    assert os.stat(arrived / "file").st_ino == os.stat(arrived / "twin").st_ino


def demand(tree):
    """Whatever else a file system can hold: links, holes, owners, times, ACLs, attributes, empty directories."""
    os.link(tree / "file", tree / "twin")
    os.truncate(plant(tree, {"sparse": b"begin"}) / "sparse", 50_000_000)
    (tree / "empty").mkdir(mode=0o1777)
    os.chown(tree / "file", 33, 44)
    os.symlink("/nowhere", tree / "dangling")
    os.setxattr(tree / "file", "user.note", b"\0binary\xff")
    subprocess.run(["setfacl", "-m", "u:33:r,d:g:44:rwx", tree / "more"], check=True)
    os.utime(tree / "more", ns=(1, 1_234_567_891_234_567_891))
    os.chmod(tree / "more", stat.S_IMODE(os.stat(tree / "more").st_mode) | 0o070)


@pytest.mark.slow
def test_a_file_gets_the_name_it_is_given(run, data, beta):
    assert_ok(run(src="alpha:/srv/data/more/big", dst="beta:/srv/copy of big"))
    assert beta.disk("/srv/copy of big").read_bytes() == ENTRY["more"]["big"]


@pytest.mark.slow
def test_a_destination_right_below_the_root(run, data, beta):
    try:
        assert_ok(run(src="alpha:/srv/data", dst="beta:/newtop"))
    finally:
        beta.run(["rm", "-rf", "/newtop"])


def test_a_path_in_a_shells_language_is_only_a_name(run, alpha, beta):
    plant_at(alpha, "/srv/$(touch pwned);`id`&x 'y' --", {"file": b"1"})
    plant_at(beta, "/srv/ -rf $HOME", {})
    assert_ok(run(src="alpha:/srv/$(touch pwned);`id`&x 'y' --", dst="beta:/srv/ -rf $HOME/"))
    assert beta.disk("/srv/ -rf $HOME/$(touch pwned);`id`&x 'y' --/file").read_bytes() == b"1"
    assert beta.run(["find", "/", "-xdev", "-name", "pwned"]).stdout == ""


@pytest.mark.parametrize(
    "options",
    [
        {"encrypt": False, "verify": "flight", "digest": "sha256", "streams": 2},
        {"type": "file", "port": 4777, "streams": 4, "owners": "numbers", "lease": "20s", "reserve": "1%"},
    ],
    ids=str,
)
def test_options_do_what_they_say(run, data, alpha, beta, options):
    done = run(src="alpha:/srv/data", dst="beta:/srv/", **options)
    assert_ok(done)
    assert differences(alpha, beta) == []
    assert done.data["receipt"]["level"] == options.get("verify", "readback")
    assert done.data["receipt"]["algorithm"] == options.get("digest", "blake3")


@pytest.mark.parametrize("side, version", [slow("front", 1), slow("back", 0), ("back", 1)])
def test_the_network_can_be_chosen(run, data, beta, side, version):
    address = beta.addresses[side][version]
    network = f"{address}/64" if version else f"{address}/24"
    plan = run("plan", src="alpha:/srv/data", dst="beta:/srv/", network=network).data["plan"]
    assert plan["hops"][0]["addresses"]["destination"] == address
    assert_ok(run(src="alpha:/srv/data", dst="beta:/srv/", network=network))


@pytest.mark.slow
def test_both_ends_can_be_one_minion(run, data, alpha):
    assert_ok(run(src="alpha:/srv/data", dst="alpha:/srv/copy"))
    assert differences(alpha, alpha, copy="/srv/copy") == []


@pytest.mark.slow
def test_overwrite_replaces_only_when_asked(run, data, alpha, beta):
    plant_at(beta, "/srv/data", {"old": b"old"})
    refused = run(src="alpha:/srv/data", dst="beta:/srv/")
    assert (refused.returncode, names(refused)) == (3, {"destination-exists"})
    assert os.listdir(beta.disk("/srv/data")) == ["old"]
    assert_ok(run(src="alpha:/srv/data", dst="beta:/srv/", overwrite=True))
    assert differences(alpha, beta) == []


def test_a_test_run_changes_nothing(run, data, beta):
    done = run(src="alpha:/srv/data", dst="beta:/srv/", test=True)
    assert (done.returncode, done.data["result"]) == (0, "planned")
    assert done.data["plan"]["files"] == 3
    assert os.listdir(beta.disk("/srv")) == []


# --- what is refused, in words and without a trace -------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, reasons",
    [
        ({"src": "zorro:/srv/data"}, {"minion-silent"}),
        ({"src": "alpha:srv/data", "dst": "beta", "streams": "many", "compres": 1}, {"bad-place", "bad-option"}),
        slow({"dst": "alpha:/srv/data"}, {"places-overlap"}),
        slow({"dst": "alpha:/srv/data/more/deep"}, {"places-overlap"}),
        slow({"dst": "alpha:/srv/data/"}, {"places-overlap"}),
        slow({"dst": "beta:/srv/no/such/place/"}, {"destination-parent"}),
        ({"dst": "beta:/proc/data"}, {"policy-forbids"}),
        ({"dst": "beta:/run"}, {"mount-point"}),
        ({"reserve": "99%"}, {"no-space"}),
        slow({"network": "192.0.2.0/24"}, {"no-address"}),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_in_words(run, data, options, reasons):
    done = run(**{"src": "alpha:/srv/data", "dst": "beta:/srv/", **options})
    assert (done.returncode, done.data["result"]) == (3, "refused")
    assert reasons <= names(done)


def test_all_reasons_come_at_once(run, beta):
    plant_at(beta, "/srv/none", {"old": b""})
    done = run(src="alpha:/srv/none", dst="beta:/srv/", network="192.0.2.0/24")
    assert {"source-missing", "destination-exists"} <= names(done)


def test_a_port_that_is_taken_is_refused(run, data, beta):
    listener = beta.popen(["socat", "TCP-LISTEN:4778,fork", "SYSTEM:true"])
    try:
        beta.run(["sh", "-c", "until ss -Hltn sport = 4778 | grep -q .; do sleep 0.1; done"])
        done = run(src="alpha:/srv/data", dst="beta:/srv/", port=4778)
    finally:
        listener.terminate()
        listener.wait()
    assert (done.returncode, names(done)) == (3, {"no-port"})
    assert "port 4778 (taken)" in str(done.data["reasons"])


def test_a_firewall_that_may_not_be_opened_keeps_the_way_shut_and_says_so(run, data):
    done = run(src="alpha:/srv/data", dst="beta:/srv/", firewall="none", lease="30s")
    assert (done.returncode, done.data["result"]) in {(2, "failed"), (3, "refused")}
    assert "firewall" in str(done.data["reasons"])


@pytest.mark.slow
def test_a_minion_that_stands_still_is_told_long_before_the_timeout(run, data, beta):
    beta.run(["systemctl", "kill", "--signal=STOP", "salt-minion"])
    try:
        done = run(src="alpha:/srv/data", dst="beta:/srv/", job_timeout="10m")
    finally:
        beta.run(["systemctl", "kill", "--signal=CONT", "salt-minion"])
    assert (done.returncode, names(done)) == (3, {"minion-silent"})
    assert done.data["phases"]["asking"] < 60


# --- several at once, and ended by hand ------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_copy_asked_for_twice_at_once_is_made_once(run, data, alpha, beta):
    """The other one is refused, or, when it comes late enough to see the first one run, attaches to it."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: run(src="alpha:/srv/data", dst="beta:/srv/"), range(2)))
    assert len({each.data["transfer"] for each in done if each.data["result"] == "ok"}) == 1
    assert differences(alpha, beta) == []


def test_of_two_copies_to_one_place_exactly_one_gets_it(run, data, alpha, beta):
    with ThreadPoolExecutor(2) as pool:
        verify = ("flight", "readback")
        done = list(pool.map(lambda level: run(src="alpha:/srv/data", dst="beta:/srv/", verify=level), verify))
    assert sorted(each.data["result"] == "ok" for each in done) == [False, True]
    assert differences(alpha, beta) == []


@pytest.mark.slow
def test_four_at_once_between_two_minions(run, data, alpha, beta):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: run(src="alpha:/srv/data", dst=f"beta:/srv/copy{n}"), range(4)))
    for number, each in enumerate(done):
        assert_ok(each)
        assert differences(alpha, beta, copy=f"/srv/copy{number}") == []


@pytest.mark.slow
def test_twenty_in_a_row(run, data, beta):
    for number in range(20):
        assert_ok(run(src="alpha:/srv/data", dst=f"beta:/srv/copy{number}"))
    assert len(os.listdir(beta.disk("/srv"))) == 20


@pytest.mark.slow
def test_a_cancel_in_the_middle_leaves_nothing(clean_lab, run, alpha, beta):
    plant_random(alpha, "/srv/big", SLOW_BYTES)
    with slowed(beta), Copying(clean_lab, "alpha:/srv/big", "beta:/srv/copy") as copying:
        copying.await_moving()
        ended = run("cancel", transfer=copying.transfer)
        done = copying.finish()
    assert (ended.returncode, {end["phase"] for end in ended.data["ends"]}) == (0, {"cancelled"})
    assert (done.returncode, done.data["result"]) == (4, "cancelled")
    assert os.listdir(beta.disk("/srv")) == []
    assert run("cancel", transfer=copying.transfer).returncode == 0


# --- what is told ----------------------------------------------------------------------------------------------------


def test_the_bus_hears_the_story(clean_lab, data):
    with Copying(clean_lab, "alpha:/srv/data", "beta:/srv/") as copying:
        events = [data for _, data in transfer_events(copying.bus)]
        assert_ok(copying.finish())
    heard = [event["what"] for event in events]
    assert heard[:2] == ["asked", "planned"]
    assert heard[-1] == "finished"
    assert {"prepared", "armed", "started", "phase"} <= set(heard)
    assert events[0]["asked_by"] == {"user": "root", "via": "salt-run"}
    pinholes = [(event["host"], event["change"], event["port"]) for event in events if event["what"] == "pinhole"]
    port = pinholes[0][2]
    assert pinholes == [("beta", "opened", port), ("beta", "closed", port)] and 4400 <= port <= 4499
    receipt = events[-1]["receipt"]
    assert receipt["proved"] and receipt["bytes"] and len(receipt["root"]) == 64


def transfer_events(bus):
    for tag, data in bus.events(180):
        if tag.startswith("salt/transfer/"):
            yield tag, data
            if data["what"] == "finished":
                return


def test_afterwards_status_list_and_log_tell_of_it(run, data):
    transfer = run(src="alpha:/srv/data", dst="beta:/srv/").data["transfer"]
    status = run("status", transfer=transfer)
    assert status.returncode == 0
    assert {end["host"]: end["phase"] for end in status.data["ends"]} == {"alpha": "published", "beta": "published"}
    assert run("list").data["transfers"][0]["transfer"] == transfer
    logs = {end["host"]: "\n".join(end["lines"]) for end in run("log", transfer=transfer).data["ends"]}
    assert all('verdict {"result": "published"}' in logs[host] for host in ("alpha", "beta"))


@pytest.mark.slow
def test_an_unknown_transfer_has_a_status_too(run):
    done = run("status", transfer="f" * 32)
    assert (done.returncode, names(done)) == (2, {"unknown-transfer"})


@pytest.mark.slow
def test_the_fixed_cost_is_told_by_phase(run, data):
    phases = run(src="alpha:/srv/data", dst="beta:/srv/").data["phases"]
    assert {"asking", "preparing", "arming", "starting", "following", "to_first_byte"} <= set(phases)


def test_a_terminal_shows_words_and_no_document(clean_lab, data):
    assert_shown_in_words(clean_lab)


def test_an_orchestration_sees_success_and_failure_as_they_are(clean_lab, data):
    shutil.copytree(CHECKOUT / "orch", clean_lab.master.path("/srv/salt/orch"), dirs_exist_ok=True)
    good = orchestrate(clean_lab, "beta:/srv/")
    bad = orchestrate(clean_lab, "beta:/srv/no/such/place/")
    assert (good.returncode, outcome(good)) == (0, True)
    assert (bad.returncode != 0, outcome(bad)) == (True, False)


def orchestrate(lab, dst):
    pillar = {"source": "alpha:/srv/data", "destination": dst, "options": {"verify": "flight", "special": ["setuid"]}}
    return lab.run_runner("state.orchestrate", "orch.copy_tree", pillar=pillar)


def outcome(done):
    (states,) = done.data["data"].values()
    (state,) = states.values()
    return state["result"]


def test_a_digest_of_another_tool_agrees(run, alpha, beta):
    plant_random(alpha, "/srv/file", 3_000_000)
    assert_ok(run(src="alpha:/srv/file", dst="beta:/srv/"))
    assert digest(alpha, "/srv/file") == digest(beta, "/srv/file")
