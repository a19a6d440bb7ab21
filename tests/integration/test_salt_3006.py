"""What must also work on the oldest Salt that is supported: a core of the suite, in a lab of its own."""

import hashlib

import pytest
from lab import Lab

from tests.support.browser import Browser
from tests.support.copying import SLOW_BYTES, Copying, digest, heal, plant_random, restart_minions, slowed, worker
from tests.support.live_page import open_page, open_transfer, sign_in
from tests.support.runs import ENTRY, assert_ok, assert_shown_in_words, differences, names, outcome
from tests.support.salt_api import salt_api
from transferplan.options import OPTIONS

OLDEST = "3006"


@pytest.fixture(scope="module")
def lab():
    """In place of the lab that the whole session shares: `clean_lab` and all that builds on it mean this one here."""
    permitted = {"peer_run": {"beta": ["transfer.pull"]}}
    with Lab(minions=("alpha", "beta"), salt=OLDEST, master_config=permitted) as lab:
        yield lab


def test_it_is_the_oldest_salt(lab):
    told = lab.run_module("*", "test.version").data
    assert set(told) == {"alpha", "beta"}
    assert all(version.startswith(f"{OLDEST}.") for version in told.values())


def test_a_tree_arrives_and_is_proved_and_remembered(run, alpha, beta):
    alpha.run(["cp", "-a", "/usr/lib/python3", "/srv/data"])
    done = run(src="alpha:/srv/data", dst="beta:/srv/")
    assert_ok(done)
    assert differences(alpha, beta) == []
    assert_remembered(run, done.data["transfer"])


def assert_remembered(run, transfer):
    told = {name: run(name, transfer=transfer) for name in ("status", "log")}
    assert {end["phase"] for end in told["status"].data["ends"]} == {"published"}
    assert {end["host"] for end in told["log"].data["ends"]} == {"alpha", "beta"}
    assert run("list").data["transfers"][0]["transfer"] == transfer


@pytest.mark.slow
def test_a_state_begins_a_copy_in_the_background_and_waits_for_it(clean_lab, data, alpha, beta):
    declared = {"name": "/srv/data", "source": "alpha:/srv/data"}
    (told,) = clean_lab.call_local("beta", "state.single", "transfer.copied", **declared).data["local"].values()
    assert (told["result"], told["changes"]["files"], differences(alpha, beta)) == (True, 3, []), told["comment"]


def test_a_plan_changes_nothing(run, data, beta):
    done = run("plan", src="alpha:/srv/data", dst="beta:/srv/")
    assert outcome(done) == (0, "planned")
    assert done.data["plan"]["bytes"] == data.joinpath("more/big").stat().st_size + len(ENTRY["file"])
    assert list(beta.disk("/srv").iterdir()) == []


def test_a_refusal_tells_every_reason_and_ends_with_its_own_status(run, data):
    done = run(src="alpha:/srv/none", dst="beta:/srv/none/here", network="192.0.2.0/24")
    assert (outcome(done), names(done)) == ((3, "refused"), {"source-missing", "destination-parent", "no-address"})


def test_a_minion_that_is_none_is_refused(run, data):
    done = run(src="alpha:/srv/data", dst="zorro:/srv/")
    assert (outcome(done), names(done)) == ((3, "refused"), {"minion-silent"})


@pytest.mark.slow
def test_stdout_is_json_when_people_are_told_on_stderr(clean_lab, data):
    done = clean_lab.run_runner("transfer.copy", src="alpha:/srv/data", dst="beta:/srv/", verbose=True)
    assert_ok(done)
    assert "beta:/srv/data" in done.stderr


@pytest.mark.slow
def test_a_terminal_shows_words_and_no_document(clean_lab, data):
    assert_shown_in_words(clean_lab)


def test_the_documentation_lists_every_option(clean_lab):
    told = clean_lab.master.output("salt-run", "-d", "transfer.copy")
    asked = [option.name for option in OPTIONS if option.scope != "minion"]
    assert [name for name in asked if f"    {name}\n" not in told] == []


@pytest.mark.slow
def test_a_cancel_in_the_middle_leaves_nothing(clean_lab, run, alpha, beta):
    plant_random(alpha, "/srv/big", SLOW_BYTES)
    with slowed(beta), Copying(clean_lab, "alpha:/srv/big", "beta:/srv/copy") as copying:
        copying.await_moving()
        ended = run("cancel", transfer=copying.transfer)
        done = copying.finish()
    assert {end["phase"] for end in ended.data["ends"]} == {"cancelled"}
    assert outcome(done) == (4, "cancelled")
    assert list(beta.disk("/srv").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("killed", [True, False], ids=["kill", "term"])
def test_a_restart_of_the_minion_in_the_middle_is_no_event(clean_lab, alpha, beta, killed):
    """Nothing resumes here: a copy that ends well was not interrupted. Asked to end, this Salt takes up to a minute."""
    plant_random(alpha, "/srv/big", SLOW_BYTES)
    with slowed(beta), Copying(clean_lab, "alpha:/srv/big", "beta:/srv/copy") as copying:
        copying.await_moving()
        _, _, control_group = worker(beta, copying.transfer, "destination")
        assert "salt-minion" not in control_group
        restart_minions(clean_lab, [beta], killed=killed)
        heal(clean_lab)
        done = copying.finish()
    assert_ok(done)
    assert digest(alpha, "/srv/big") == digest(beta, "/srv/copy")


def test_the_execution_modules_answer(clean_lab, data):
    asked = {
        "portfinder.free": ["4400-4499", "count=1"],
        "headroom.check": ["/srv", "bytes=1MiB"],
        "checksum.digest": ["/srv/data/file"],
        "pinhole.survey": [],
        "pinhole.list": [],
        "transfer.list": [],
    }
    words = [word for words in asked.values() for word in (*words, ",")][:-1]
    told = clean_lab.run_module("alpha", ",".join(asked), *words).data["alpha"]
    assert told["portfinder.free"] == [4400]
    assert told["headroom.check"]["fits"] is True
    assert hashlib.sha256(ENTRY["file"]).hexdigest() in str(told["checksum.digest"])
    assert told["pinhole.survey"]["backend"] == "nft"
    assert told["pinhole.list"] == []
    assert "runs" in told["transfer.list"]


@pytest.mark.slow
def test_a_tree_synced_from_the_file_server_copies():
    with Lab(minions=("alpha", "beta"), salt=OLDEST, install="file_roots") as lab:
        lab.run_module("*", "saltutil.sync_all")
        lab.run_runner("saltutil.sync_all")
        lab.machine("alpha").run(["sh", "-c", "mkdir /srv/data && echo hello >/srv/data/file"])
        assert_ok(lab.run_runner("transfer.copy", src="alpha:/srv/data", dst="beta:/srv/"))
        assert lab.machine("beta").output("cat", "/srv/data/file") == "hello"


@pytest.mark.slow
def test_its_salt_api_serves_the_live_page(clean_lab, run, data, tmp_path):
    copied = run(src="alpha:/srv/data", dst="beta:/srv/")
    with salt_api(clean_lab, ["ann"], transfer_viewers={"ann": ["*"]}) as api, Browser(tmp_path) as page:
        open_page(page, api)
        sign_in(page, "ann")
        page.await_text("alpha:/srv/data")
        open_transfer(page, copied.data["transfer"])
        page.await_text("ok: what arrived is proved")
        assert page.said == []
