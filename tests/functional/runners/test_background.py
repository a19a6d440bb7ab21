"""Copies by a key: begun once, followed by one, told to everybody who asks again."""

import time

import pytest

import saltface
from transfermaster.background import CALL, Asked, Book, Ways, once
from transferplan import request

from .test_transfer import PLACES, fail, names
from .world import UNKNOWN


@pytest.fixture(autouse=True)
def own_cache(opts, tmp_path):
    opts["cachedir"] = str(tmp_path / "cache")


@pytest.fixture
def called(monkeypatch):
    """What was to be run in the background: (function, arguments)."""
    called = []
    monkeypatch.setattr(saltface, "in_background", lambda _, function, told, user: called.append((function, told)))
    return called


@pytest.fixture
def follow(run, called):
    """Run what was called last, as its own process would."""
    return lambda: run("copy", **called[-1][1])


def test_a_start_returns_at_once_and_tells_its_end_to_who_asks_again(run, minions, called, follow):
    first = run("start", **PLACES, key="nightly", streams=2)
    assert (first["result"], first["retcode"], minions["alpha"].calls) == ("running", 0, [])
    done = follow()
    assert (done["result"], done["transfer"]) == ("ok", first["transfer"])
    assert run("start", **PLACES, key="nightly", streams=2) == done == run("copy", **PLACES, key="nightly", streams=2)
    assert minions["alpha"].asked().count("prepare") == 1 and len(called) == 1


def test_a_key_that_is_an_id_becomes_the_id(run, called):
    assert run("start", **PLACES, key="a" * 32)["transfer"] == "a" * 32


def test_without_a_key_every_start_is_another(run, called):
    assert run("start", **PLACES)["transfer"] != run("start", **PLACES)["transfer"]


def test_a_key_stands_for_one_request(run, minions, called):
    run("start", **PLACES, key="k")
    other = run("start", **PLACES, key="k", streams=3)
    assert (other["result"], names(other)) == ("refused", ["bad-option"])
    assert "began another copy" in other["reasons"][0]["text"]


def test_who_gives_a_key_that_is_taken_is_not_told_what_it_was_taken_for(run, called):
    run("start", **PLACES, key="k")
    other = run("start", src="beta:/srv/mine", dst="alpha:/srv/", key="k")
    assert names(other) == ["bad-option"]
    assert PLACES["src"] not in str(other) and "/srv/mine" in str(other)


def test_what_is_wrong_with_the_words_is_told_at_once(run, called):
    refused = run("start", src="alpha", dst="beta:/srv/", key="k", stremas=1)
    assert (refused["result"], called) == ("refused", [])


@pytest.mark.parametrize("key", ["", "x" * 201, {"a": 1}, True])
def test_a_key_that_is_none_is_refused(run, called, key):
    assert names(run("start", **PLACES, key=key)) == ["bad-option"]


def test_a_refusal_by_the_facts_is_told_to_who_asks_again(run, minions, called, follow):
    minions["alpha"].says["facts"] = {"error": {"code": 20, "name": "policy-forbids", "text": "no", "retryable": False}}
    run("start", **PLACES, key="k")
    follow()
    assert run("start", **PLACES, key="k")["result"] == "refused"


def test_a_plan_and_a_copy_may_have_the_same_key(run, minions, called, follow):
    run("start", **PLACES, key="k", test=True)
    assert follow()["result"] == "planned"
    assert run("start", **PLACES, key="k", test=True)["result"] == "planned"
    assert "prepare" not in minions["alpha"].asked()
    assert run("start", **PLACES, key="k")["result"] == "running"


def test_a_follower_on_its_way_is_waited_for_and_one_that_never_came_is_replaced(run, opts, called, monkeypatch):
    run("start", **PLACES, key="a" * 32)
    run("start", **PLACES, key="a" * 32)
    assert len(called) == 1
    assert Book(opts).calls("a" * 32, time.time() + CALL + 1) is True


def test_whoever_follows_after_another_died_attaches_and_begins_nothing_anew(run, opts, minions, called, follow):
    run("start", **PLACES, key="a" * 32)
    follow()
    book = Book(opts)
    (place,) = book._places()
    (place / "result.json").unlink()
    done = follow()
    assert (done["result"], done["transfer"]) == ("ok", "a" * 32)
    assert minions["alpha"].asked().count("prepare") == 1
    assert book.followers("a" * 32) == 2


def test_only_the_named_hosts_are_asked_whether_it_runs(run, opts, minions, called, follow, monkeypatch):
    monkeypatch.setattr(saltface, "everyone", lambda opts: ["alpha", "beta", "gamma"])
    run("start", **PLACES, key="a" * 32)
    follow()
    (place,) = Book(opts)._places()
    (place / "result.json").unlink()
    minions["alpha"].specs, minions["alpha"].says["record"] = {}, fail(102, "unknown-transfer")
    minions["beta"].specs, minions["beta"].says["record"] = {}, fail(102, "unknown-transfer")
    assert follow()["result"] == "ok"  # gamma is silent, and begins nothing that it could hinder


def test_who_waits_for_one_that_still_plans_asks_less_and_less_often(opts, monkeypatch):
    nobody = {"reasons": [{"name": "unknown-transfer"}]}
    asked, pauses, asks = Asked("a" * 32, "alpha:/a", "beta:/b", {}, {}), [], []
    monkeypatch.setattr(Book, "follow", lambda _self, _transfer, pause: pauses.append(pause))
    answers = iter([nobody] * 6 + [{"result": "ok", "reasons": []}])
    ways = Ways(begin=None, attach=lambda transfer: asks.append(transfer) or next(answers), take_back=None)
    told = once(opts, asked, ways)
    assert (told["result"], len(asks)) == ("ok", 7)
    assert pauses == [1, 2, 4, 8, 15, 15, 15]


def test_who_follows_an_attempt_that_another_runner_replaces_follows_the_next_one(opts, monkeypatch):
    replaced = {"result": "unknown", "reasons": [{"name": "out-of-turn"}, {"name": "out-of-turn"}]}
    answers = iter([replaced, {"result": "ok", "reasons": []}])
    monkeypatch.setattr(Book, "follow", lambda *_: None)
    ways = Ways(begin=None, attach=lambda _: next(answers), take_back=None)
    assert once(opts, Asked("a" * 32, "alpha:/a", "beta:/b", {}, {}), ways)["result"] == "ok"


@pytest.fixture
def nobody_knows(minions):
    """Hosts that have not heard of it so far."""
    for minion in minions.values():
        minion.says["status"] = minion.says["record"] = {"error": UNKNOWN}


def test_the_status_of_what_was_just_started_is_that_it_is_being_prepared(run, called, nobody_knows):
    run("start", **PLACES, key="a" * 32)
    told = run("status", "a" * 32)
    assert (told["result"], told["reasons"], told["ends"]) == ("ok", [], [])
    preparing = told["preparing"]
    assert (preparing["src"], preparing["dst"], preparing["followed"]) == (*PLACES.values(), True)
    assert "is being prepared" in preparing["text"]


def test_the_status_of_what_is_prepared_holds_as_long_as_its_runner_lives(run, opts, called, nobody_knows, later):
    run("start", **PLACES, key="a" * 32)
    later(CALL + 1)
    with Book(opts).follow("a" * 32):
        assert run("status", "a" * 32)["preparing"]["followed"] is True


def test_the_status_of_what_was_never_begun_is_that_its_runner_is_dead(run, called, nobody_knows, later):
    run("start", **PLACES, key="a" * 32)
    later(CALL + 1)
    preparing = run("status", "a" * 32)["preparing"]
    assert preparing["followed"] is False and "ask for it again" in preparing["text"]


@pytest.fixture
def later(monkeypatch):
    """later(seconds): so much time passes for the master."""
    now = time.time
    return lambda seconds: monkeypatch.setattr(time, "time", lambda: now() + seconds)


def test_what_hosts_or_records_tell_is_not_being_prepared(run, minions, called, follow):
    run("start", **PLACES, key="a" * 32)
    assert "preparing" not in run("status", "a" * 32), "its hosts know it"
    follow()
    for minion in minions.values():
        minion.says["status"] = {"error": UNKNOWN}
    told = run("status", "a" * 32)
    assert (told["outcome"]["result"], "preparing" in told) == ("ok", False)


def test_who_attaches_to_what_is_being_prepared_is_told_so(run, called, nobody_knows):
    run("start", **PLACES, key="a" * 32)
    told = run("attach", "a" * 32)
    assert names(told) == ["unknown-transfer"] and "is being prepared" in told["reasons"][0]["text"]


# --- for minions -----------------------------------------------------------------------------------------------------


def test_a_minion_gets_copies_to_itself_in_its_own_name(run, opts, minions, called, follow):
    opts["id"] = "beta"
    run("pull", src="alpha:/srv/data", path="/srv/data", key="k")
    assert called[0][1]["dst"] == ["beta:/srv/data"]
    follow()
    (spec,) = [arguments["spec"] for name, arguments in minions["beta"].calls if name == "prepare"]
    assert spec["asked_by"] == {"user": "beta", "via": "peer_run"}


@pytest.mark.parametrize("path", ["b:/x", "srv/x", "", None, ["/srv/x"], "gamma:/srv/x"])
def test_a_minion_names_a_path_of_its_own_and_nothing_else(run, opts, called, path):
    opts["id"] = "beta"
    refused = run("pull", src="alpha:/srv/data", path=path, key="k")
    assert (refused["result"], names(refused), called) == ("refused", ["bad-place"], [])


@pytest.mark.parametrize("path", ["/srv/x,victim:/etc", "/srv/b:/x", "/srv/x:/y,z", "//victim:/etc"])
def test_commas_and_colons_in_a_path_lead_a_minion_to_no_other_host(run, opts, minions, called, follow, path):
    opts["id"] = "beta"
    assert run("pull", src="alpha:/srv/data", path=path, key="k")["result"] == "running"
    assert called[0][1]["dst"] == [f"beta:{path}"]
    found = request.read(called[0][1]["src"], called[0][1]["dst"], {}, (), "a" * 32)
    assert [place.host for place in found.destinations] == ["beta"]


def test_keys_of_minions_never_meet(run, opts, called):
    ids = set()
    for minion in ("alpha", "beta"):
        opts["id"] = minion
        ids.add(run("pull", src="alpha:/srv/data", path="/srv/copy", key="a" * 32)["transfer"])
    assert len(ids) == 2 and "a" * 32 not in ids


def test_nobody_else_can_pull(run, called):
    refused = run("pull", src="alpha:/srv/data", path="/srv/data", key="k")
    assert (refused["result"], called) == ("refused", [])


def test_a_minion_that_asks_for_more_and_more_is_stopped(run, opts, called):
    opts["id"] = "beta"
    results = [run("pull", src="alpha:/srv/data", path=f"/srv/{n}", key=str(n))["result"] for n in range(10)]
    assert results == ["running"] * 8 + ["refused"] * 2
    assert run("pull", src="alpha:/srv/data", path="/srv/0", key="0")["result"] == "running"


def test_old_records_are_forgotten(opts, tmp_path):
    book, asked = Book(opts), Asked("a" * 32, "alpha:/a", "beta:/b", {}, {})
    book.note(asked)
    (tmp_path / "cache/salt-transfer/asked/.half made").mkdir()
    book.forget_old(time.time())
    assert len(list(book._places())) == 1
    book.forget_old(time.time() + 8 * 86400)
    assert list((tmp_path / "cache/salt-transfer/asked").iterdir()) == []
