"""Copies that wait for busy hosts, and outlive the runner that waits."""

import json
import os
import signal

import pytest
import salt.loader

import saltface
from tests.support.fleet import FakeFleet
from tests.unit.transferplan import samples
from transfermaster.background import Book
from transferplan.request import Member

from .test_transfer import PLACES, names
from .world import UNKNOWN

BUSY = {"turn": False, "running": [samples.OTHER], "waiting": [], "at": 1.0, "most": 1}


@pytest.fixture(autouse=True)
def at_a_command_line(opts, tmp_path):
    opts["cachedir"] = str(tmp_path / "cache")
    opts["fun"] = "transfer.copy"


@pytest.fixture
def called(monkeypatch):
    """What was to be run in the background: its arguments."""
    called = []
    monkeypatch.setattr(saltface, "in_background", lambda _opts, _function, told, _user: called.append(told))
    return called


@pytest.fixture
def book(opts):
    return Book(opts)


@pytest.fixture
def beta(minions):
    """A host that is busy, until `free`."""
    busy = [True]
    beta = minions["beta"]
    beta.says["facts"] = lambda ask: samples.beta(**({"running": [samples.OTHER], "max_transfers": 1} if busy else {}))
    beta.says["queue"] = lambda at, **_: {**BUSY, "turn": not busy, "at": at}
    beta.free = busy.clear
    return beta


def die(**_):
    """Nothing that could be told any more is told."""
    raise KeyboardInterrupt


@pytest.fixture
def died(run, beta):
    """The id of a copy whose runner died while it waited."""
    answer, beta.says["queue"] = beta.says["queue"], die
    run("copy", **PLACES, wait="1h")
    beta.says["queue"] = answer
    (transfer,) = {arguments["transfer"] for name, arguments in beta.calls if name == "queue"}
    return transfer


@pytest.fixture
def heard(run, beta, book):
    """The id of a copy whose runner died when it had heard once how long it has to wait."""
    heard_once(run, beta)
    (waiting,) = book.waiting()
    return waiting.transfer


def heard_once(run, beta, **options):
    answers = iter([{**BUSY, "waiting": [samples.OTHER]}])
    answer, beta.says["queue"] = beta.says["queue"], lambda **_: next(answers, None) or die()
    run("copy", **PLACES, wait="1h", **options)
    beta.says["queue"] = answer


@pytest.fixture
def nobody_knows(minions):
    """Hosts that know of no transfer."""
    for minion in minions.values():
        for function in ("status", "record", "cancel"):
            minion.says[function] = {"error": UNKNOWN}


@pytest.fixture
def begun(run, minions, beta, book):
    """The id of a copy whose runner died when it had just told the source to go."""
    minions["alpha"].says["go"] = die
    beta.says["queue"] = lambda **_: beta.free() or {**BUSY, "turn": True}
    run("copy", **PLACES, wait="1h")
    (waiting,) = book.waiting()
    return waiting.transfer


def places(minion):
    return [arguments["at"] for name, arguments in minion.calls if name == "queue"]


def in_the_background(run, opts, arguments):
    """Run what was called, as a process of its own would."""
    del opts["fun"]
    return run("copy", **arguments)


def test_a_copy_whose_runner_died_is_gone_on_with_at_its_place(run, opts, beta, died, called):
    told = run("tend")
    assert (told["result"], told["waiting"], told["taken_up"]) == ("ok", [died], [died])
    beta.says["queue"] = lambda **_: beta.free() or {**BUSY, "turn": True}
    done = in_the_background(run, opts, called[0])
    assert (done["result"], done["transfer"]) == ("ok", died)
    assert len(places(beta)) == 2 and len({*places(beta)}) == 1
    assert beta.asked().count("prepare") == 1
    assert run("tend")["waiting"] == []


def test_who_follows_such_a_copy_goes_on_with_it(run, beta, died, called):
    beta.free()
    done = run("attach", died)
    assert (done["result"], done["transfer"], called) == ("ok", died, [])


def test_a_host_that_is_not_back_yet_costs_it_nothing(run, minions, beta, book, died):
    """As after a boot of the master, before its minions have come back."""
    beta.free()
    alpha = minions["alpha"]
    away = [FakeFleet.SILENT]
    alpha.says["facts"] = lambda ask: away.pop() if away else alpha.facts(ask)
    done = run("attach", died)
    assert (done["result"], done["transfer"], away) == ("ok", died, [])


def test_the_same_command_given_again_goes_on_with_it(run, beta, died):
    beta.free()
    assert run("copy", **PLACES, wait="1h")["transfer"] == died


def test_another_command_does_not(run, beta, died):
    beta.free()
    assert run("copy", **PLACES, wait="1h", streams=2)["transfer"] != died
    assert run("tend")["waiting"] == [died]


def let_its_time_be_over(book, transfer):
    file = book._place(transfer) / "waits.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "since": 0.0}))


def test_the_same_command_given_again_after_its_time_is_a_copy_of_its_own(run, book, beta, died):
    beta.free()
    let_its_time_be_over(book, died)
    done = run("copy", **PLACES, wait="1h")
    assert done["result"] == "ok" and done["transfer"] != died


@pytest.mark.parametrize("name", ["asked.json", "waits.json"])
def test_a_record_of_another_version_is_passed_over(run, book, beta, died, name):
    (book._place(died) / name).write_text(json.dumps({"more": 1}))
    beta.free()
    assert run("list")["waiting"] == run("tend")["waiting"] == []
    assert run("copy", **PLACES, wait="1h")["result"] == "ok"


def test_after_its_time_a_copy_is_not_begun_any_more(run, book, beta, died):
    beta.free()
    let_its_time_be_over(book, died)
    told = run("attach", died)
    assert (told["result"], names(told)) == ("refused", ["too-many-transfers"])
    assert "prepare" not in beta.asked()
    assert run("tend")["waiting"] == []


def test_what_is_followed_is_left_alone(run, book, died, called):
    with book.follow(died):
        told = run("tend")
    assert (told["waiting"], told["taken_up"], called) == ([died], [], [])


def test_two_who_tend_at_once_call_nobody_twice(run, book, died, called):
    with book.tending():
        assert run("tend")["taken_up"] == []
    assert run("tend")["taken_up"] == [died] and run("tend")["taken_up"] == []
    assert len(called) == 1


def test_of_many_that_wait_for_one_host_only_as_many_are_taken_up_as_may_begin_and_one_more(
    run, beta, book, called
):
    for number in range(2, 6):
        heard_once(run, beta, streams=number)
    first, second, third, fourth = (each.transfer for each in book.waiting())
    told = run("tend")
    assert (told["waiting"], told["taken_up"]) == ([first, second, third, fourth], [first, second])
    book.place(first).leave()
    assert run("tend")["taken_up"] == [third], "the second has just been called"


def test_the_list_tells_of_what_waits(run, died):
    (told,) = run("list")["waiting"]
    assert (told["transfer"], told["src"], told["dst"], told["seconds"]) == (died, *PLACES.values(), 3600)
    assert (told["asked_at"] <= told["since"], told["followed"]) == (True, False)


def test_the_status_of_what_waits_tells_for_what_since_when_and_what_to_do(run, heard, nobody_knows):
    told = run("status", heard)
    assert (told["result"], told["ends"]) == ("ok", [])
    waits = told["waiting"]
    assert waits["queues"] == [{"host": "beta", "role": "destination", "running": 1, "waiting": 1, "most": 1}]
    assert (waits["transfer"], waits["followed"]) == (heard, False) and waits["asked_at"] <= waits["since"]
    assert "beta takes part in 1 transfer, 1 waits before this one" in waits["text"]
    assert "runner is dead" in waits["text"] and f"salt-run transfer.attach {heard}" in waits["advice"]


def test_the_status_of_what_waits_tells_whether_its_runner_lives(run, book, heard, nobody_knows):
    with book.follow(heard):
        assert run("status", heard)["waiting"]["followed"] is True


def test_the_status_of_what_waits_asks_only_those_who_can_have_begun_it(run, minions, heard, nobody_knows, monkeypatch):
    monkeypatch.setattr(saltface, "everyone", lambda opts: ["alpha", "beta", "gamma"])
    assert run("status", heard)["result"] == "ok"
    minions["alpha"].says["status"] = FakeFleet.SILENT
    told = run("status", heard)
    assert (told["result"], told["silent"], told["waiting"]["transfer"]) == ("unknown", ["alpha"], heard)


def test_the_status_of_what_has_begun_is_told_by_its_hosts(run, begun):
    told = run("status", begun)
    assert len(told["ends"]) == 2 and "waiting" not in told


def test_what_waited_and_was_cancelled_is_known_afterwards(run, died, nobody_knows):
    run("cancel", died)
    assert (run("status", died)["result"], run("status", died)["outcome"]["result"]) == ("ok", "cancelled")
    assert run("attach", died)["result"] == "cancelled"


def test_what_waited_until_its_time_was_over_is_known_afterwards(run, book, died, nobody_knows):
    let_its_time_be_over(book, died)
    assert "are over" in run("status", died)["waiting"]["text"]
    refused = run("attach", died)
    told = run("status", died)
    assert (told["result"], told["outcome"], "waiting" in told) == ("ok", refused, False)
    assert run("attach", died) == refused


def test_what_waited_and_was_refused_is_known_afterwards(run, beta, died, nobody_knows):
    beta.says["facts"] = {"error": {"code": 20, "name": "policy-forbids", "text": "no", "retryable": False}}
    assert names(run("attach", died)) == ["policy-forbids"]
    assert names(run("status", died)["outcome"]) == names(run("attach", died)) == ["policy-forbids"]


def test_what_is_noted_nowhere_is_unknown_as_before(run, nobody_knows):
    assert names(run("status", samples.TRANSFER)) == names(run("attach", samples.TRANSFER)) == ["unknown-transfer"]


@pytest.mark.parametrize("function", ["status", "attach"])
def test_what_is_no_transfer_is_not_looked_for(run, died, function):
    assert names(run(function, "../../etc")) == ["bad-option"]


def test_who_follows_what_another_runner_waits_with_sees_its_place(run, book, heard, nobody_knows, monkeypatch, capsys):
    held = iter([None, book.follow(heard)])
    monkeypatch.setattr(Book, "follow", lambda *_: next(held))
    let_its_time_be_over(book, heard)
    run("attach", heard)
    assert "beta takes part in 1 transfer, 1 waits before this one" in capsys.readouterr().err


@pytest.mark.parametrize(("function", "waits"), [("prepare", True), ("arm", True), ("go", True), ("follow", False)])
def test_a_place_is_kept_until_the_source_is_told_to_go(run, minions, beta, book, function, waits):
    minions["alpha"].says[function] = beta.says[function] = die
    beta.says["queue"] = lambda **_: beta.free() or {**BUSY, "turn": True}
    run("copy", **PLACES, wait="1h")
    assert bool(book.waiting()) is waits


def test_what_began_in_the_last_moments_of_its_runner_is_followed_and_not_begun_anew(run, beta, book, begun):
    done = run("attach", begun)
    assert (done["result"], done["transfer"]) == ("ok", begun)
    assert beta.asked().count("prepare") == 1 and not book.waiting()


def dies_at(function, run, minions, beta, book):
    """The id of a copy whose runner died when it said this to beta; by then its ends live, and have not begun."""
    beta.says[function] = die
    beta.says["queue"] = lambda **_: beta.free() or {**BUSY, "turn": True}
    run("copy", **PLACES, wait="1h")
    del beta.says[function]
    for minion in minions.values():
        minion.says["follow"] = lambda role, own=minion, **_: own.follow(role) | first_attempt(own, role)
    (waiting,) = book.waiting()
    return waiting.transfer


def first_attempt(minion, role):
    """Prepared, and taken back as soon as that is asked for; what comes after it goes well."""
    if minion.specs and max(spec["attempt"] for spec in minion.specs.values()) > 1:
        return {}
    told = samples.status(Member(minion.name, role), "prepared", phases={"prepared": 0.0})
    return told if "cancel" not in minion.asked() else {**told, "alive": False, "phase": "failed", "verdict": NO_GO}


NO_GO = samples.failure(98, "no-go", "the source was prepared but never armed within its lease of 30 s; try again")


def test_a_copy_whose_runner_died_when_one_end_was_prepared_is_begun_again(run, minions, beta, book):
    transfer = dies_at("prepare", run, minions, beta, book)
    done = run("attach", transfer)
    assert (done["result"], done["transfer"], done["attempt"], book.waiting()) == ("ok", transfer, 2, [])
    (taken_back,) = [arguments for name, arguments in minions["alpha"].calls if name == "cancel"]
    assert taken_back["keep"] is True and "cancel" not in beta.asked()


def test_a_copy_whose_runner_died_when_both_ends_were_prepared_is_begun_again_when_they_have_ended(
    run, minions, beta, book
):
    transfer = dies_at("arm", run, minions, beta, book)
    for minion in minions.values():
        minion.calls.append(("cancel", {}))  # their leases have ended
    done = run("attach", transfer)
    assert (done["result"], done["transfer"], done["attempt"], book.waiting()) == ("ok", transfer, 2, [])


def test_who_follows_meanwhile_is_told_how_the_next_attempt_ends(run, minions, beta, book, monkeypatch):
    transfer = dies_at("prepare", run, minions, beta, book)
    held = iter([None, book.follow(transfer)])
    monkeypatch.setattr(Book, "follow", lambda *_: next(held))
    done = run("attach", transfer)
    assert (done["result"], done["attempt"]) == ("ok", 2)


def test_what_has_moved_and_failed_is_not_begun_again(run, minions, beta, begun):
    for minion in minions.values():
        minion.says["follow"] = lambda role, own=minion, **_: samples.status(
            Member(own.name, role), verdict=samples.failure()
        )
    assert (run("attach", begun)["result"], beta.asked().count("prepare")) == ("failed", 1)


def test_what_somebody_has_cancelled_is_not_begun_again(run, minions, beta, book):
    transfer = dies_at("prepare", run, minions, beta, book)
    told = minions["alpha"].record
    minions["alpha"].says["record"] = lambda **asked: {**told(**asked), "given_up": True}
    assert run("attach", transfer)["result"] == "refused" and "prepare" not in beta.asked()[-2:]


def test_what_is_part_of_something_greater_does_not_happen_without_that(run, opts, beta, book):
    opts["fun"] = "state.orchestrate"
    beta.says["queue"] = die
    run("copy", **PLACES, wait="1h")
    assert book.waiting() == []


def test_who_does_not_wait_leaves_no_record(run, book):
    run("copy", **PLACES)
    assert not book._root.exists()


def test_one_after_the_other_waits_only_as_long_as_its_runner_lives(run, beta, book):
    run("copy", src=PLACES["src"], dst="beta:/srv/,alpha:/srv/x", fanout="serial", wait="1h")
    assert book.waiting() == []


@pytest.fixture
def joins(run, minions, beta):
    """The id of the same copy, by another command, that whoever waits finds running when its turn comes."""
    busy, beta.says["facts"] = beta.says["facts"], lambda ask: samples.beta()
    other = run("copy", **PLACES)["transfer"]
    beta.says["facts"] = busy
    for minion in minions.values():
        minion.calls = []
        minion.says["record"] = lambda transfer, role, own=minion, **_: (
            samples.record(own.specs[transfer, role]) if (transfer, role) in own.specs else {"error": UNKNOWN}
        )

    def turn(leave, **_):
        beta.says["facts"] = samples.beta(samples.destination(locked_by=other))
        return {**BUSY, "turn": not leave}

    beta.says["queue"] = turn
    return other


def left(minion):
    """The transfers whose places on this host were given back."""
    return {arguments["transfer"] for name, arguments in minion.calls if name == "queue" and arguments["leave"]}


def test_a_copy_that_joins_the_same_one_waits_no_more_and_gives_its_places_back(run, minions, beta, book, joins):
    waiting = []
    beta.says["follow"] = lambda role, **_: waiting.extend(book.waiting()) or beta.follow(role)
    done = run("copy", **PLACES, wait="1h")
    assert (done["result"], done["transfer"], done["joined"], waiting) == ("ok", joins, "attached", [])
    (own,) = left(beta)
    assert left(minions["alpha"]) == {own} and own != joins
    assert run("attach", own) == done


def test_a_hand_that_ends_the_following_of_the_same_copy_leaves_nothing_waiting(run, beta, book, joins):
    beta.says["follow"] = lambda role, **_: os.kill(os.getpid(), signal.SIGINT) or samples.status(
        Member("beta", role)
    )
    told = run("copy", **PLACES, wait="1h")
    assert (told["result"], told["transfer"], book.waiting()) == ("unknown", joins, [])
    assert run("tend")["waiting"] == []


def test_a_copy_that_waits_and_meets_another_one_at_its_place_is_refused_and_waits_no_more(run, beta, book, joins):
    told = run("copy", **PLACES, wait="1h", verify="flight")
    assert (told["result"], book.waiting(), len(left(beta))) == ("refused", [], 1)


# --- on the pages that show all ---------------------------------------------------------------------------------------


def test_the_page_of_all_transfers_shows_what_waits_as_a_state_of_its_own(run, heard):
    (entry,) = [each for each in run("overview")["transfers"] if each["state"] == "waiting"]
    ends = [(end["host"], end["role"], end["path"]) for end in entry["ends"]]
    assert ends == [("alpha", "source", "/srv/data"), ("beta", "destination", "/srv/data")]
    assert (entry["transfer"], entry["began"], entry["waits"]["followed"]) == (heard, None, False)
    assert entry["waits"]["queues"][0]["waiting"] == 1 and entry["waits"]["since"] > 0
    assert "beta takes part in 1 transfer" in entry["waits"]["text"]


def test_what_waits_is_shown_closely_with_what_can_be_done(run, heard):
    shown = run("overview", heard)["shown"]
    assert (shown["state"], shown["outcome"], shown["missing"]) == ("waiting", None, [])
    assert len(shown["ends"]) == 2 and f"transfer.attach {heard}" in shown["waits"]["advice"]


def test_what_has_begun_is_shown_once_as_its_hosts_tell_it(run, minions, begun):
    for minion in minions.values():
        minion.says["list"] = {"runs": [{**minion.list()["runs"][0], "transfer": begun}], "more": 0}
    assert [each["state"] for each in run("overview")["transfers"] if each["transfer"] == begun] == ["orphaned"]


@pytest.fixture
def shown_to(opts, fleet, context, monkeypatch):
    """The transfers that are shown as waiting to this user of external authentication."""

    def shown_to(user, table):
        opts.update({"__cli": "salt-master", "transfer_viewers": table})
        overview = salt.loader.runner(opts, context=context)["transfer.overview"]
        monkeypatch.setitem(overview.__globals__, "__user__", user)  # as Salt does it for each call
        return [each["transfer"] for each in overview()["transfers"] if each["state"] == "waiting"]

    return shown_to


@pytest.mark.parametrize(("user", "table", "seen"), [
    ("eve", {}, False), ("eve", {"eve": ["beta"]}, False), ("eve", {"eve": ["*a"]}, True), ("root", {}, True),
])  # fmt: skip
def test_what_waits_is_shown_to_whom_its_hosts_are_opened_and_to_who_asked(shown_to, heard, user, table, seen):
    assert shown_to(user, table) == [heard] * seen


def test_what_was_asked_for_in_words_that_are_not_understood_any_more_is_nobodys_but_the_masters(
    run, shown_to, book, heard
):
    file = book._place(heard) / "asked.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "src": "nowhere", "asked_by": {}}))
    assert [each["ends"] for each in run("overview")["transfers"] if each["state"] == "waiting"] == [[]]
    assert shown_to("eve", {"eve": ["alpha", "beta"]}) == []


@pytest.fixture
def nothing_runs(minions):
    for minion in minions.values():
        minion.says["list"] = {"runs": [], "more": 0}


def test_who_watches_sees_what_waits_and_is_not_held_up_by_what_nobody_follows(run, heard, nothing_runs, capsys):
    capsys.readouterr()
    told = run("watch")
    assert [each["transfer"] for each in told["waiting"]] == [heard] and told["transfers"] == {}
    err = capsys.readouterr().err
    assert f"{heard}\n  waits for" in err and "beta takes part in 1 transfer" in err


def test_who_watches_minions_is_told_of_what_waits_for_these(run, heard, nothing_runs):
    assert run("watch", minions="gamma")["waiting"] == []
    assert len(run("watch", minions="alpha")["waiting"]) == 1


def test_who_watches_stays_until_what_waits_has_begun_and_ended(run, minions, book, begun, nothing_runs):
    def listed(**_):
        runner.release()
        book.place(begun).leave()
        peers = [{"host": "beta", "role": "destination"}]
        run = {**minions["alpha"].list()["runs"][0], "transfer": begun, "alive": True, "peers": peers}
        return {"runs": [run], "more": 0}

    looks = iter([{"runs": [], "more": 0}])
    minions["alpha"].says["list"] = lambda **_: next(looks, None) or listed()
    runner = book.follow(begun)
    told = run("watch")
    assert (told["transfers"][begun]["result"], told["waiting"]) == ("ok", [])


# --- ending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "result", "waits"),
    [(signal.SIGINT, "cancelled", 0), (signal.SIGTERM, "unknown", 1), (signal.SIGHUP, "unknown", 1)],
)
def test_a_hand_on_the_terminal_ends_the_waiting_and_nothing_else_does(run, beta, book, number, result, waits):
    def interrupted(leave, **_):
        if not leave:
            os.kill(os.getpid(), number)
        return BUSY

    beta.says["queue"] = interrupted
    told = run("copy", **PLACES, wait="1h")
    assert (told["result"], len(book.waiting())) == (result, waits)
    left = [arguments for name, arguments in beta.calls if name == "queue" and arguments["leave"]]
    assert bool(left) is not bool(waits), "the place on the host is given back, or kept"


def test_what_was_taken_up_by_another_is_not_ended_by_a_hand(run, opts, beta, book, died):
    opts["fun"] = "transfer.attach"
    beta.says["queue"] = lambda **_: os.kill(os.getpid(), signal.SIGINT) or BUSY
    told = run("attach", died)
    assert (told["result"], [each.transfer for each in book.waiting()]) == ("unknown", [died])
    assert f"transfer.cancel {died}" in told["reasons"][0]["text"]


def test_a_copy_that_waits_without_a_runner_is_cancelled(run, minions, book, died, called):
    for minion in minions.values():
        minion.says["cancel"] = {"error": UNKNOWN}
    told = run("cancel", died)
    assert (told["result"], told["ends"]) == ("ok", [])
    assert run("tend")["taken_up"] == [] and book.result(died)["result"] == "cancelled"
    assert run("cancel", died)["result"] == "ok", "a second cancel is harmless"


def test_what_was_published_in_the_last_moments_of_its_runner_is_not_noted_as_cancelled(run, minions, book, begun):
    for minion in minions.values():
        minion.says["cancel"] = {"phase": "published", "peers": []}
    run("cancel", begun)
    assert book.result(begun) is None


def test_what_a_runner_began_in_its_last_moments_is_cancelled_too(run, book, begun):
    told = run("cancel", begun)
    assert {(end["host"], end["phase"]) for end in told["ends"]} >= {("alpha", "cancelled"), ("beta", "cancelled")}
    assert book.waiting() == []


def test_a_copy_that_waits_in_the_background_hears_that_it_is_cancelled(run, beta, book):
    def cancelled(transfer, leave, **_):
        book.place(transfer).give_up()
        return {**BUSY, "turn": leave}

    beta.says["queue"] = cancelled
    told = run("copy", **PLACES, wait="1h")
    assert (told["result"], book.waiting(), beta.asked()[-1]) == ("cancelled", [], "queue")


@pytest.mark.parametrize("transfer", ["../../etc", "", "x" * 32])
def test_what_is_no_transfer_is_not_cancelled(run, died, transfer):
    assert run("cancel", transfer)["result"] == "refused"
