"""From prepare to go: attaching, refusals, races, leases, cancels. Real workers; no byte of data moves."""

import os
import socket
import threading
from pathlib import Path

import pytest

from datamover.errors import MoverError, PolicyRefused, SpecInvalid, SpecMismatch, UnknownTransfer, WorkerDied
from datamover.host import flock
from datamover.host.rundir import RunDirs
from tests.support.waiting import eventually
from tests.unit.transferworker import samples
from transferworker import verdicts
from transferworker.desk import Desk
from transferworker.limits import Limits
from transferworker.policy import Policy


def listens(minion, port):
    """Whether anything takes connections on the port."""

    def connects():
        with socket.socket() as probe:
            return probe.connect_ex((minion.address, port)) == 0

    return minion.network.do(connects)


def nothing_left(pair, srv):
    assert os.listdir(srv) == []
    assert eventually(lambda: not pair.run("destination").alive)
    assert eventually(lambda: pair.destination.ask("sweep", True)["found"] == [])


def error_of(refusal):
    return refusal.value.as_dict()["name"]


def test_prepared_ends_tell_what_the_others_need(transfer):
    pair = transfer().prepare()
    destination, source = pair.answers["destination"], pair.answers["source"]
    assert destination["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert 4400 <= destination["port"] <= 4499 and listens(pair.destination, destination["port"])
    assert source["port"] is None
    assert source["addresses"] == {"127.0.0.1": "127.0.0.1"}
    assert not source["attached"] and source["phase"] == "prepared" and source["unit"] is None
    assert pair.run("source").alive


def test_a_worker_is_nobodys_child_and_in_a_session_of_its_own(transfer):
    pair = transfer().prepare("destination")
    worker = pair.worker("destination")
    assert os.getsid(worker.pid) != os.getsid(0)
    assert os.getpid() not in [parent.pid for parent in worker.parents()]


def test_a_worker_shows_no_secret_and_runs_from_its_own_copy(transfer):
    pair = transfer().prepare("destination")
    worker = pair.worker("destination")
    assert worker.cmdline()[1:3] == ["-I", "-B"]
    assert worker.cmdline()[3].startswith(str(pair.run("destination").code))
    assert set(worker.environ()) <= {"PATH", "LC_ALL", "LC_CTYPE", "PWD"}
    loaded = {os.path.realpath(mapped.path) for mapped in worker.memory_maps() if mapped.path.endswith(".pyc")}
    assert loaded == set()
    assert os.readlink(f"/proc/{worker.pid}/fd/0") == "/dev/null"


def private_keys(*places):
    """Files below these places that hold a private key; our own program, which knows the words, is left out."""
    files = [path for place in places for path in place.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert files
    return [path for path in files if path.suffix != ".pyc" and b"PRIVATE KEY" in content(path)]


def content(path):
    """What is in a file; nothing if it went away meanwhile, as those do that are renamed when they are whole."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_the_private_key_is_nowhere_on_disk(transfer, srv):
    pair = transfer().prepare()
    places = [pair.run("source").path, pair.run("destination").path, srv]
    pair.source.network.limit("8mbit")
    for step in (lambda: None, pair.arm, pair.go):
        step()
        assert [key for place in places for key in private_keys(place)] == []
    pair.follow_until("destination", "moving")
    assert [key for place in places for key in private_keys(place)] == []
    for role in ("source", "destination"):
        opened = [Path(each.path) for each in pair.worker(role).open_files()]
        assert opened and not any(path.is_relative_to("/tmp") for path in opened if not path.is_relative_to(srv.parent))


def test_the_same_spec_attaches_and_another_one_is_refused(transfer):
    pair = transfer().prepare("destination")
    again = pair.destination.prepare(pair.spec("destination"))
    assert again == {**pair.answers["destination"], "attached": True}
    with pytest.raises(SpecMismatch):
        pair.destination.prepare(pair.spec("destination", settings__streams=2))


def test_of_many_prepares_at_once_one_starts_and_all_get_its_answer(transfer):
    pair = transfer()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(pair.destination.prepare(pair.spec("destination"))))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer["attached"] for answer in answers) == [False] + [True] * 5
    assert len({(answer["pid"], answer["certificate"]) for answer in answers}) == 1


def test_of_two_transfers_to_one_place_exactly_one_is_prepared(transfer):
    pairs = [transfer(), transfer()]
    outcomes = []

    def prepare(pair):
        try:
            outcomes.append(pair.prepare("destination") and "prepared")
        except MoverError as error:
            outcomes.append(error.as_dict()["name"])

    threads = [threading.Thread(target=prepare, args=(pair,)) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["busy", "prepared"]


@pytest.mark.parametrize(("first", "second"), [("data", "data/inner"), ("outer/data", "outer")])
def test_a_place_inside_or_around_a_held_one_is_refused_naming_the_holder(transfer, srv, first, second):
    for name in (first, second):
        (srv / name).parent.mkdir(exist_ok=True)
    holder = transfer(dst=srv / first).prepare("destination")
    with pytest.raises(MoverError, match=holder.transfer) as refusal:
        transfer(dst=srv / second).prepare("destination")
    assert error_of(refusal) == "busy"


def test_a_cancelled_transfer_frees_its_place(transfer):
    pair = transfer().prepare("destination")
    pair.destination.ask("cancel", pair.transfer)
    transfer().prepare("destination")


def test_what_is_promised_to_one_transfer_is_not_promised_to_the_next(transfer, srv):
    status = os.statvfs(srv)
    most = status.f_bavail * status.f_frsize * 9 // 10
    transfer(expect__bytes=most).prepare("destination")
    with pytest.raises(MoverError, match=f"{most:,} are promised") as refusal:
        transfer(dst=srv / "other", expect__bytes=most).prepare("destination")
    assert error_of(refusal) == "no-space"


def test_a_failed_start_tells_why_and_leaves_nothing(transfer, srv):
    pair = transfer()
    spec = pair.spec("destination", listen={"addresses": ["192.0.2.1"], "port": 0, "ports": [4400, 4499]})
    with pytest.raises(MoverError, match="192.0.2.1") as refusal:
        pair.destination.prepare(spec)
    assert error_of(refusal) == "port-unavailable"
    assert pair.verdict("destination")["error"]["name"] == "port-unavailable"
    nothing_left(pair, srv)
    with pytest.raises(MoverError, match="192.0.2.1"):
        pair.destination.prepare(spec)


def test_a_source_that_is_not_there_is_refused(transfer, tmp_path):
    pair = transfer(src=tmp_path / "nothing")
    with pytest.raises(MoverError) as refusal:
        pair.prepare("source")
    assert error_of(refusal) == "source-vanished"


def test_a_worker_that_cannot_even_load_is_told_with_its_own_words(transfer, monkeypatch):
    pair = transfer()
    monkeypatch.setattr("transferworker.launch.PACKAGES", ("transferworker",))
    with pytest.raises(MoverError, match="No module named 'datamover'") as refusal:
        pair.prepare("destination")
    assert error_of(refusal) == "start-failed"


def test_a_tampered_spec_is_refused_before_anything_is_touched(transfer, srv):
    pair = transfer()
    for path in (f"{srv}/../etc/x", "relative", "/"):
        with pytest.raises(SpecInvalid):
            pair.destination.prepare(pair.spec("destination", path=path))
    assert not pair.destination.state_dir.exists()


def test_policy_is_enforced_again_at_prepare(transfer, srv):
    pair = transfer()
    pair.destination.policy = Policy.read({"destinations": ["/elsewhere"], "peers": ["db*"]})
    with pytest.raises(PolicyRefused) as refusal:
        pair.prepare("destination")
    assert len(refusal.value.evidence["reasons"]) == 2
    assert os.listdir(pair.destination.state_dir) == ["audit"]


def test_a_link_does_not_get_around_the_policy(transfer, srv, tmp_path):
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed/link").symlink_to(srv)
    pair = transfer(dst=tmp_path / "allowed/link/data")
    pair.destination.policy = Policy.read({"destinations": [str(tmp_path / "allowed")]})
    with pytest.raises(PolicyRefused, match=str(srv)):
        pair.prepare("destination")


def test_a_final_name_that_is_a_link_to_a_forbidden_place_is_refused(transfer, srv, tmp_path):
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed/link").symlink_to(srv)
    pair = transfer(src=tmp_path / "allowed/link", dst=tmp_path / "allowed/link")
    for end in (pair.source, pair.destination):
        end.policy = Policy.read({places: [str(tmp_path / "allowed")] for places in ("sources", "destinations")})
    for role in ("source", "destination"):
        with pytest.raises(PolicyRefused, match=str(srv)):
            pair.prepare(role)


def test_with_the_next_transfer_goes_what_is_kept_no_longer(transfer):
    old = transfer().prepare("destination")
    old.destination.ask("cancel", old.transfer)
    old.destination.desk = Desk(old.destination.state_dir, "beta", Limits(keep_runs=0))
    transfer().prepare("destination")
    with pytest.raises(UnknownTransfer):
        old.destination.ask("status", old.transfer)


def test_a_roster_that_does_not_fit_is_refused_and_harmless(transfer):
    pair = transfer().prepare()
    good = pair.roster
    strangers = {**good, "members": [{**each, "host": "mallory"} for each in good["members"]]}
    swapped = {**good, "members": [{**each, "certificate": "another"} for each in good["members"]]}
    for bad in (strangers, swapped, {**good, "attempt": 2}, {**good, "members": good["members"][:1]}):
        with pytest.raises(MoverError) as refusal:
            pair.destination.ask("arm", pair.transfer, bad)
        assert error_of(refusal) == "roster-mismatch"
    pair.arm("destination").arm("destination")
    with pytest.raises(MoverError, match="armed with another one"):
        pair.destination.ask("arm", pair.transfer, {**good, "epoch": 1, "more": True})


def test_go_before_arm_and_go_to_a_destination_are_refused(transfer):
    pair = transfer().prepare()
    for role in ("source", "destination"):
        with pytest.raises(MoverError) as refusal:
            pair.minion(role).ask("go", pair.transfer, role)
        assert error_of(refusal) == "out-of-turn"


@pytest.mark.parametrize("role", ["source", "destination"])
@pytest.mark.parametrize("armed", [False, True])
def test_without_the_next_word_an_end_undoes_itself_within_its_lease(transfer, srv, role, armed):
    pair = transfer(settings__lease=6).prepare_alone(role)
    if armed:
        pair.arm(role)
    verdict = pair.verdict(role)
    assert (verdict["result"], verdict["error"]["name"]) == ("failed", "no-go")
    assert ("never armed" in verdict["error"]["text"]) != armed
    assert os.listdir(srv) == []
    assert eventually(lambda: not pair.run(role).alive)
    assert eventually(lambda: pair.minion(role).ask("sweep", True)["found"] == [])


@pytest.mark.parametrize("armed", [False, True])
def test_a_cancel_before_data_undoes_everything_and_can_be_repeated(transfer, srv, armed):
    pair = transfer().prepare()
    port = pair.answers["destination"]["port"]
    if armed:
        pair.arm()
    for role in ("destination", "source"):
        for _ in range(2):
            assert pair.minion(role).ask("cancel", pair.transfer, role)["phase"] == "cancelled"
    assert not listens(pair.destination, port)
    assert [verdict["error"]["name"] for verdict in pair.verdicts()] == ["cancelled"] * 2
    nothing_left(pair, srv)


def test_sigterm_is_a_cancel(transfer, srv):
    pair = transfer().prepare("destination")
    pair.worker("destination").terminate()
    assert pair.verdict("destination")["result"] == "cancelled"
    nothing_left(pair, srv)


def test_kill_minus_9_of_a_prepared_worker_leaves_nothing(transfer, srv):
    pair = transfer().prepare("destination")
    port = pair.answers["destination"]["port"]
    pair.kill("destination")
    verdict = pair.verdict("destination")
    assert (verdict["result"], verdict["error"]["name"]) == ("failed", "worker-died")
    assert verdict["error"]["evidence"] == {"phase": "prepared"}
    assert not listens(pair.destination, port)
    nothing_left(pair, srv)


def test_the_guardian_undoes_without_anybody_asking(transfer, srv):
    pair = transfer().prepare("destination")
    guardian = pair.worker("destination").parent()
    pair.kill("destination")
    guardian.wait(30)
    run = pair.run("destination")
    assert run.verdict["error"]["name"] == "worker-died"
    assert run.undo.pending() == []
    assert os.listdir(srv) == []


def test_kill_minus_9_of_the_guardian_does_not_disturb_the_worker(transfer, srv):
    pair = transfer().prepare("destination")
    guardian = pair.worker("destination").parent()
    guardian.kill()
    assert pair.destination.ask("status", pair.transfer)["phase"] == "prepared"
    assert pair.destination.ask("cancel", pair.transfer)["phase"] == "cancelled"
    nothing_left(pair, srv)


def test_when_both_are_killed_whoever_asks_undoes(transfer, srv):
    pair = transfer().prepare("destination")
    worker = pair.worker("destination")
    worker.parent().kill()
    worker.kill()
    flock.wait_free(pair.run("destination").lock, 30)
    assert os.listdir(srv) != []
    assert pair.destination.ask("status", pair.transfer)["verdict"]["error"]["name"] == "worker-died"
    nothing_left(pair, srv)


def test_when_both_are_killed_sweep_lists_and_then_undoes(transfer, srv):
    pair = transfer().prepare("destination")
    worker = pair.worker("destination")
    worker.parent().kill()
    worker.kill()
    flock.wait_free(pair.run("destination").lock, 30)
    listed = pair.destination.ask("sweep", True)
    assert {each["what"] for each in listed["found"]} == {"dead worker", "register entry"}
    assert listed["removed"] == [] and os.listdir(srv) != []
    assert {each["what"] for each in pair.destination.ask("sweep")["removed"]} >= {"dead worker"}
    nothing_left(pair, srv)


def test_sweep_leaves_the_living_alone(transfer, srv):
    pair = transfer().prepare("destination")
    assert pair.destination.ask("sweep") == {"found": [], "removed": [], "trouble": []}
    assert pair.destination.ask("status", pair.transfer)["phase"] == "prepared"


def test_old_records_are_removed_and_new_ones_stay(transfer, tmp_path):
    pair = transfer().prepare("destination")
    pair.destination.ask("cancel", pair.transfer)
    assert eventually(lambda: pair.destination.ask("sweep", True)["found"] == [])
    os.utime(pair.run("destination").path / "spec.json", (1, 1))
    pair.destination.desk._limits = Limits(3600)
    assert [each["what"] for each in pair.destination.ask("sweep")["removed"]] == ["old record"]
    with pytest.raises(UnknownTransfer):
        pair.destination.ask("status", pair.transfer)


def test_runs_are_listed(transfer):
    pair = transfer().prepare()
    listed = pair.destination.ask("runs")
    assert listed["more"] == 0
    assert [(run["transfer"], run["role"], run["phase"], run["alive"]) for run in listed["runs"]] == [
        (pair.transfer, "destination", "prepared", True)
    ]


def test_who_lives_is_listed_first_behind_any_number_of_newer_records(transfer, beta):
    pair = transfer().prepare("destination")
    for number in range(101):
        newer = samples.spec("destination", transfer=f"{number:032x}", host="beta")
        RunDirs(beta.state_dir).establish(newer).write("verdict", verdicts.died(newer, WorkerDied("it was killed")))
    page = beta.ask("runs")
    assert (page["runs"][0]["transfer"], page["runs"][0]["alive"]) == (pair.transfer, True)
    rest = beta.ask("runs", len(page["runs"]))
    assert len(page["runs"]) + len(rest["runs"]) == 102 and rest["more"] == 0


def test_one_host_can_be_both_ends(transfer, alpha):
    pair = transfer(source=alpha, destination=alpha).prepare()
    assert {run["role"] for run in alpha.ask("runs")["runs"]} == {"source", "destination"}
    with pytest.raises(MoverError, match="role=source or role=destination"):
        alpha.ask("status", pair.transfer)
    assert alpha.ask("status", pair.transfer, "source")["role"] == "source"


def test_an_unknown_transfer_is_told(alpha):
    for name in ("status", "cancel", "log", "go"):
        with pytest.raises(UnknownTransfer):
            alpha.ask(name, "f" * 32)
