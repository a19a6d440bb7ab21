"""The runner, loaded by Salt's loader, against minions in memory: what is asked, told and returned, whatever comes."""

import io
import os
import signal

import pytest
import salt.loader

import saltface
from datamover.errors import OutOfTurn
from tests.support.fleet import FakeFleet
from tests.unit.transferplan import samples
from transferplan.options import OPTIONS
from transferplan.request import Member

TRANSFER = samples.TRANSFER


def names(answer):
    return [reason["name"] for reason in answer["reasons"]]


def told(fleet):
    return [tag.rpartition("/")[2] for tag, _ in fleet.told]


PLACES = {"src": "alpha:/srv/data", "dst": "beta:/srv/data"}


# --- a copy ----------------------------------------------------------------------------------------------------------


def test_a_copy_goes_from_facts_to_the_receipt(run, minions):
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["retcode"], answer["reasons"]) == ("ok", 0, [])
    assert answer["receipt"]["proved"] and answer["receipt"]["root"] == samples.ROOT
    assert minions["alpha"].asked() == ["facts", "prepare", "arm", "go", "follow"]
    assert minions["beta"].asked() == ["facts", "prepare", "arm", "follow"]


def test_every_transfer_has_an_id_of_its_own(run):
    first, second = (run("copy", **PLACES)["transfer"] for _ in range(2))
    assert first != second
    assert len(first) == 32 and int(first, 16) >= 0


def test_an_id_is_never_a_number_to_the_command_line(run, monkeypatch):
    drawn = iter(["0" * 32, "12" * 16, "a" * 32])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(drawn, "b" * 32))
    assert run("plan", **PLACES)["transfer"] == "a" * 32


def test_the_bus_is_told_each_step_in_order_under_one_tag(run, fleet):
    answer = run("copy", **PLACES)
    assert told(fleet)[:2] == ["asked", "planned"]
    assert told(fleet)[-1] == "finished"
    assert {tag.rpartition("/")[0] for tag, _ in fleet.told} == {f"salt/transfer/{answer['transfer']}"}
    assert [data["seq"] for _, data in fleet.told] == list(range(1, len(fleet.told) + 1))
    assert fleet.told[-1][1]["retcode"] == 0


def test_the_phases_are_told_in_seconds(run):
    phases = run("copy", **PLACES)["phases"]
    assert list(phases)[:5] == ["asking", "deciding", "preparing", "arming", "starting"]
    assert "to_first_byte" in phases


@pytest.mark.parametrize("test", [True, "True", "yes"])
def test_a_test_run_asks_for_facts_and_changes_nothing(run, fleet, minions, test):
    answer = run("copy", **PLACES, test=test)
    assert (answer["result"], answer["retcode"]) == ("planned", 0)
    assert answer["plan"]["bytes"] == 10 * samples.GIB
    assert minions["alpha"].asked() == minions["beta"].asked() == ["facts"]
    assert fleet.told == []


def test_plan_is_a_copy_that_stops_before_the_first_change(run, minions):
    assert run("plan", **PLACES)["result"] == "planned"
    assert minions["beta"].asked() == ["facts"]


def test_the_masters_configuration_counts_below_the_command_line(opts, run):
    opts["transfer"] = {"streams": 4, "digest": "sha256"}
    assert run("plan", **PLACES, streams=2)["plan"]["streams"] == 2
    assert run("plan", **PLACES, streams=2)["plan"]["digest"] == "sha256"


def test_who_asked_travels_in_the_spec_and_is_told_on_the_bus(run, minions, fleet):
    run("copy", **PLACES, __pub_user="ann")
    (spec,) = [arguments["spec"] for name, arguments in minions["beta"].calls if name == "prepare"]
    assert spec["asked_by"] == fleet.told[0][1]["asked_by"] == {"user": "ann", "via": "salt-run"}


# --- refusals --------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_with_a_request_is_told_at_once_and_nobody_is_asked(run, minions):
    answer = run("copy", src="alpha", dst="beta:relative", stremas=2, port=99999, verify="maybe")
    assert (answer["result"], answer["retcode"]) == ("refused", 3)
    texts = " | ".join(reason["text"] for reason in answer["reasons"])
    for part in ("src=alpha has no path", "dst=beta:rel", "did you mean streams", "port (from", "verify (from"):
        assert part in texts
    assert minions["alpha"].calls == minions["beta"].calls == []


@pytest.mark.parametrize("places", [{}, {"src": None, "dst": ""}, {"src": 7, "dst": ["beta:/x", None]}, {"src": {}}])
def test_missing_or_mistyped_places_are_refused_in_words(run, places):
    answer = run("copy", **places)
    assert answer["result"] == "refused"
    assert all(reason["text"] for reason in answer["reasons"])


def test_a_refusal_by_the_facts_changes_nothing_and_names_every_reason(run, minions, fleet):
    minions["alpha"].says["facts"] = samples.alpha(samples.source(exists=False))
    minions["beta"].says["facts"] = samples.beta(samples.destination(exists=True, kind="directory", empty=False))
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["retcode"]) == ("refused", 3)
    assert {"source-missing", "destination-exists"} <= set(names(answer))
    assert minions["alpha"].asked() == minions["beta"].asked() == ["facts"]
    assert told(fleet) == ["asked", "refused", "finished"]


def test_an_unknown_minion_and_a_silent_one_are_told_together(run, minions):
    minions["alpha"].says["facts"] = lambda ask: FakeFleet.SILENT
    answer = run("copy", src="alpha:/srv/data", dst="zorro:/srv/")
    assert names(answer) == ["minion-silent", "minion-silent"]
    assert "zorro" in str(answer["reasons"])


@pytest.mark.parametrize("test", ["perhaps", 7, None])
def test_a_test_that_is_neither_true_nor_false_is_refused(run, minions, test):
    answer = run("copy", **PLACES, test=test)
    assert (answer["result"], names(answer)) == ("refused", ["bad-option"])
    assert minions["alpha"].asked() == minions["beta"].asked() == ["facts"]


@pytest.mark.parametrize("wrong", [{"port": 70000}, {"fooo": 1}, {"test": "maybe"}, {"quiet": True, "verbose": True}])
def test_a_wrong_option_hides_no_other_reason_and_nothing_is_prepared(opts, run, minions, wrong):
    opts["transfer"] = {"streams": "many"}
    minions["alpha"].says["facts"] = samples.alpha(samples.source(exists=False))
    answer = run("copy", src="alpha:/srv/none", dst="zeta:/srv/x", **wrong)
    assert (answer["result"], answer["retcode"]) == ("refused", 3)
    assert sorted(names(answer)) == ["bad-option", "bad-option", "minion-silent", "source-missing"]
    assert minions["alpha"].asked() == ["facts"]


def test_a_wrong_option_alone_is_enough_to_prepare_nothing(run, minions):
    assert names(run("copy", **PLACES, port=70000)) == ["bad-option"]
    assert minions["alpha"].asked() == minions["beta"].asked() == ["facts"]


# --- arguments that python would refuse ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, args, kwargs, said",
    [
        ("copy", ("alpha:/a", "beta:/b", "gamma:/c"), {}, "write dst='beta:/b,gamma:/c'"),
        ("status", (), {}, "'transfer'"),
        ("status", (TRANSFER,), {"minion": "alpha"}, "'minion'"),
        ("list", (), {"all": True}, "'all'"),
        ("log", (TRANSFER, "alpha", 0, 0), {}, "too many positional arguments"),
        ("cancel", (), {"minions": "alpha"}, "'transfer'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_a_true_status(run, minions, name, args, kwargs, said):
    answer = run(name, *args, **kwargs)
    assert (answer["result"], answer["retcode"], names(answer)) == ("refused", 3, ["bad-option"])
    assert said in answer["reasons"][0]["text"]


def test_what_salt_adds_to_the_arguments_is_no_option(run):
    assert run("plan", **PLACES, __pub_user="root", __pub_jid="1")["result"] == "planned"


def test_an_option_with_underscores_that_salt_does_not_add_is_refused(run):
    answer = run("plan", **PLACES, __overwrite=True, __kwarg__=True)
    assert names(answer) == ["bad-option"]
    assert "'__overwrite'" in answer["reasons"][0]["text"]


def test_a_path_is_taken_with_the_white_space_that_was_typed(opts, run, minions):
    opts.update(fun="transfer.plan", arg=["src=alpha:/srv/t ", "dst=beta:/srv/x\ny"])
    run("plan", "dst=beta:/srv/x\ny", src="alpha:/srv/t")
    assert [minions[name].calls[0][1]["ask"]["path"] for name in ("alpha", "beta")] == ["/srv/t ", "/srv/x%0Ay"]


# --- trouble on the way ----------------------------------------------------------------------------------------------


def fail(code=101, name="start-failed", text="no luck"):
    return {"error": {"code": code, "name": name, "retryable": False, "text": text, "evidence": {}}}


@pytest.mark.parametrize("function", ["prepare", "arm"])
def test_trouble_before_go_withdraws_everywhere(run, minions, function):
    minions["beta"].says[function] = fail()
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["retcode"]) == ("failed", 2)
    assert "beta: no luck" in str(answer["reasons"])
    assert minions["alpha"].asked()[-1] == minions["beta"].asked()[-1] == "cancel"
    assert "go" not in minions["alpha"].asked()


def struck_by(number, payload):
    """An answer, and just before it a signal to the runner."""

    def strike(**_):
        os.kill(os.getpid(), number)
        return payload

    return strike


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_go_undoes_what_was_prepared(run, minions, fleet, number):
    minions["beta"].says["arm"] = struck_by(number, {"phase": "armed"})
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["retcode"]) == ("cancelled", 4)
    assert minions["alpha"].asked()[-1] == minions["beta"].asked()[-1] == "cancel"
    assert told(fleet)[-1] == "finished"


def test_a_signal_while_facts_are_asked_ends_at_once(run, minions):
    minions["alpha"].says["facts"] = struck_by(signal.SIGTERM, samples.alpha())
    assert run("copy", **PLACES)["result"] == "cancelled"
    assert minions["alpha"].asked() == minions["beta"].asked() == ["facts"]


def test_a_signal_after_go_leaves_the_transfer_alone_and_says_how_to_find_it(run, minions):
    moving = samples.status(Member("beta", "destination"))
    minions["beta"].says["follow"] = struck_by(signal.SIGINT, moving)
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["retcode"]) == ("unknown", 6)
    assert f"transfer.cancel {answer['transfer']}" in answer["reasons"][0]["text"]
    assert "cancel" not in minions["alpha"].asked() + minions["beta"].asked()


def test_a_signal_with_the_last_answer_before_go_finds_go_said_or_not_said(run, minions):
    minions["beta"].says["arm"] = {"phase": "armed"}
    minions["alpha"].says["go"] = struck_by(signal.SIGINT, {"phase": "connecting"})
    assert run("copy", **PLACES)["result"] == "unknown"
    assert minions["alpha"].asked()[-1] in {"go", "follow"}
    assert "cancel" not in minions["alpha"].asked()


def test_a_second_signal_does_not_wait_for_the_undoing(run, minions):
    minions["beta"].says["arm"] = struck_by(signal.SIGTERM, {"phase": "armed"})
    minions["alpha"].says["cancel"] = struck_by(signal.SIGTERM, {"phase": "cancelled"})
    minions["beta"].says["cancel"] = lambda **_: FakeFleet.SILENT
    assert run("copy", **PLACES)["result"] == "cancelled"


def test_signals_are_as_they_were_afterwards(run):
    before = [signal.getsignal(number) for number in saltface.Signals.NUMBERS]
    run("copy", **PLACES)
    assert [signal.getsignal(number) for number in saltface.Signals.NUMBERS] == before


@pytest.fixture
def broken():
    def broken(*_, **_named):
        raise ZeroDivisionError("by mistake")

    return broken


def test_a_bug_becomes_a_result_and_undoes_what_was_prepared(run, minions, monkeypatch, broken):
    monkeypatch.setattr("transferplan.plan.roster", broken)
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["retcode"], names(answer)) == ("failed", 2, ["internal-error"])
    assert "ZeroDivisionError('by mistake')" in answer["reasons"][0]["text"]
    assert minions["alpha"].asked()[-1] == minions["beta"].asked()[-1] == "cancel"


def test_a_bug_after_go_names_the_transfer_that_goes_on(run, minions, monkeypatch, broken):
    monkeypatch.setattr("transferplan.status.Status.from_payload", broken)
    answer = run("copy", **PLACES)
    assert (answer["result"], answer["retcode"], names(answer)) == ("unknown", 6, ["internal-error", "out-of-sight"])
    assert answer["transfer"] in answer["reasons"][1]["text"]
    assert "cancel" not in minions["alpha"].asked()


def test_a_bug_after_the_end_does_not_spoil_the_result(run, fleet, monkeypatch, broken):
    monkeypatch.setattr("transferplan.display.result_lines", broken)
    assert run("copy", **PLACES)["result"] == "ok"


def test_a_bug_anywhere_else_has_a_result_too(run, monkeypatch, broken):
    monkeypatch.setattr("saltface.everyone", broken)
    assert names(run("list")) == ["internal-error"]


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_who_interrupts_a_look_gets_a_result(run, minions, signal):
    def strike(**_):
        raise signal

    minions["beta"].says["status"] = strike
    answer = run("status", TRANSFER)
    assert (answer["result"], names(answer)) == ("unknown", ["out-of-sight"])


def test_a_source_without_the_roots_of_the_destination_is_no_proof(run, minions):
    other = samples.verdict(root="cd" * 32)
    minions["beta"].says["follow"] = samples.status(Member("beta", "destination"), verdict=other)
    answer = run("copy", **PLACES)
    assert (answer["result"], names(answer)) == ("failed", ["unproved"])


def test_a_failed_follow_is_asked_again(run, minions):
    answers = iter([FakeFleet.SILENT, FakeFleet.SILENT])
    verdict = samples.status(Member("alpha", "source"), verdict=samples.verdict())
    minions["alpha"].says["follow"] = lambda **_: next(answers, verdict)
    assert run("copy", **PLACES)["result"] == "ok"
    assert minions["alpha"].asked().count("follow") == 3


# --- trust -----------------------------------------------------------------------------------------------------------


def test_an_answer_signed_with_another_minions_key_is_not_believed(run, minions, fleet):
    forge(fleet, minions, "transfer.prepare")
    answer = run("copy", **PLACES)
    assert answer["result"] == "failed"
    assert "statement-mismatch" in names(answer)
    assert "go" not in minions["alpha"].asked()


def forge(fleet, minions, function):
    """Alpha answers for beta."""

    def forged(nonce, spec):
        payload = {"certificate": "mine", "port": 1, "addresses": {}}
        return minions["alpha"].signed(payload, nonce, spec["transfer"], spec["role"], name="beta")

    fleet.minions["beta"] = {**fleet.minions["beta"], function: forged}


@pytest.mark.parametrize(
    "returned",
    [
        None,
        7,
        [],
        {},
        {"statement": {}, "signature": ""},
        {"statement": {"payload": float("nan")}, "signature": "AAAA"},
        {"statement": {"payload": b"\xff"}, "signature": "AAAA"},
        {"certificate": "unsigned", "port": 4401, "addresses": {}},
    ],
)
def test_what_is_no_signed_statement_is_not_believed(run, fleet, minions, returned):
    fleet.minions["beta"] = {**fleet.minions["beta"], "transfer.prepare": lambda nonce, spec: returned}
    answer = run("copy", **PLACES)
    assert answer["result"] == "failed"
    assert "go" not in minions["alpha"].asked()
    assert "internal-error" not in names(answer)


def test_an_old_answer_is_not_taken_for_a_new_one(run, fleet, minions):
    old = {}

    def replayed(nonce, spec):
        return old.setdefault("answer", fleet_prepare(nonce=nonce, spec=spec))

    fleet_prepare = fleet.minions["beta"]["transfer.prepare"]
    fleet.minions["beta"] = {**fleet.minions["beta"], "transfer.prepare": replayed}
    assert run("copy", **PLACES)["result"] == "ok"
    answer = run("copy", **PLACES)
    assert (answer["result"], "statement-mismatch" in names(answer)) == ("failed", True)


# --- looking at transfers --------------------------------------------------------------------------------------------


def test_status_shows_the_ends_side_by_side(run):
    answer = run("status", TRANSFER)
    assert [(end["host"], end["role"], end["phase"]) for end in answer["ends"]] == [
        ("alpha", "source", "moving"),
        ("beta", "destination", "moving"),
    ]
    assert (answer["result"], answer["silent"]) == ("ok", [])


@pytest.mark.parametrize("function", ["status", "cancel"])
def test_when_an_end_may_be_with_a_silent_minion_the_result_is_unknown(run, minions, function):
    minions["beta"].says[function] = lambda **_: FakeFleet.SILENT
    minions["alpha"].says[function] = lambda role, **_: (
        samples.status(Member("alpha", role)) if role == "source" else fail(102, "unknown-transfer")
    )
    answer = run(function, TRANSFER)
    assert (answer["result"], answer["retcode"], answer["silent"], len(answer["ends"])) == ("unknown", 6, ["beta"], 1)
    assert "the source alpha has told, and beta did not answer" in answer["reasons"][0]["text"]


def test_when_all_are_silent_nothing_is_known(run, minions):
    for minion in minions.values():
        minion.says["status"] = lambda **_: FakeFleet.SILENT
    answer = run("status", TRANSFER)
    assert (answer["result"], names(answer)) == ("unknown", ["out-of-sight"])
    assert "nobody has told, and alpha, beta did not answer" in answer["reasons"][0]["text"]


def test_a_silent_minion_does_not_matter_where_both_ends_have_told(run, monkeypatch):
    monkeypatch.setattr(saltface, "everyone", lambda opts: ["alpha", "beta", "gamma"])
    answer = run("status", TRANSFER)
    assert (answer["result"], answer["silent"], len(answer["ends"])) == ("ok", ["gamma"], 2)


@pytest.mark.parametrize("function", ["list", "sweep"])
def test_who_is_silent_is_listed_where_everyone_was_asked_for_what_they_know(run, minions, function):
    minions["beta"].says[function] = lambda **_: FakeFleet.SILENT
    answer = run(function)
    assert (answer["result"], answer["silent"]) == ("ok", ["beta"])


@pytest.mark.parametrize("minions_named", ["alpha,beta", ["alpha", "beta"], " beta , alpha"])
def test_a_minion_that_was_named_must_answer(run, minions, minions_named):
    minions["beta"].says["status"] = lambda **_: FakeFleet.SILENT
    answer = run("status", TRANSFER, minions=minions_named)
    assert (answer["result"], names(answer), len(answer["ends"])) == ("failed", ["minion-silent"], 1)


def test_a_transfer_that_nobody_knows_is_told_as_such(run, minions):
    for minion in minions.values():
        minion.says["status"] = fail(102, "unknown-transfer")
    answer = run("status", TRANSFER)
    assert (answer["retcode"], names(answer)) == (2, ["unknown-transfer"])


@pytest.mark.parametrize("transfer", ["", "abc", TRANSFER.upper(), f"{TRANSFER}0", 7, None, "../../etc"])
def test_what_is_no_transfer_id_is_refused(run, minions, transfer):
    assert names(run("status", transfer)) == ["bad-option"]
    assert minions["alpha"].calls == []


def test_list_joins_the_ends_of_a_transfer(run):
    answer = run("list")
    assert [entry["transfer"] for entry in answer["transfers"]] == [TRANSFER]
    assert {end["host"] for end in answer["transfers"][0]["ends"]} == {"alpha", "beta"}
    assert answer["more"] == 2


def test_log_shows_lines_by_end(run):
    answer = run("log", TRANSFER, minions="alpha", after=1)
    assert {end["host"]: end["lines"] for end in answer["ends"]} == {"alpha": ["one", "two"]}


def test_cancel_asks_both_ends_of_every_minion(run, minions):
    assert run("cancel", TRANSFER)["result"] == "ok"
    assert {arguments["role"] for _, arguments in minions["beta"].calls} == {"source", "destination"}


@pytest.mark.parametrize(("rate", "told"), [("50MB/s", 50_000_000), ("1Gbit/s", 125_000_000), ("none", 0), (0, 0)])
def test_a_limit_goes_to_the_source_alone(run, minions, rate, told):
    minions["alpha"].says["limit"] = lambda rate, **_: {"phase": "moving", "limit": rate}
    minions["beta"].says["limit"] = fail(102, "unknown-transfer")
    answer = run("limit", TRANSFER, rate)
    assert answer["result"] == "ok"
    assert answer["ends"] == [{"host": "alpha", "role": "source", "phase": "moving", "limit": told}]
    assert {arguments["role"] for minion in minions.values() for _, arguments in minion.calls} == {"source"}


CHAIN = [{"host": name, "role": "destination"} for name in ("beta", "gamma", "delta")]


@pytest.mark.parametrize("names", [("alpha", "beta", "gamma", "delta")])
def test_in_a_chain_a_limit_goes_to_all_who_pass_on_what_comes_and_still_run(run, minions):
    """Beta has ended, and sends nothing any more."""
    for name, minion in minions.items():
        told = {"chain": CHAIN} if name == "alpha" else {}
        minion.says["limit"] = limits(minion, {"phase": "moving", "limit": 0, "before": 5, **told})
    minions["beta"].says["limit"] = limits(minions["beta"], fail(OutOfTurn.code, "out-of-turn"))
    answer = run("limit", TRANSFER, "none", minions="alpha")
    assert answer["result"] == "ok"
    assert answer["ends"] == [
        {"host": host, "role": role, "phase": "moving", "limit": 0, "before": 5}
        for host, role in (("alpha", "source"), ("delta", "destination"), ("gamma", "destination"))
    ]


@pytest.mark.parametrize("names", [("alpha", "beta", "gamma", "delta")])
def test_who_of_a_chain_did_not_hear_of_a_limit_is_named(run, minions):
    for minion in minions.values():
        minion.says["limit"] = limits(minion, {"phase": "moving", "limit": 0, "before": 5, "chain": CHAIN})
    minions["gamma"].says["limit"] = limits(minions["gamma"], FakeFleet.SILENT)
    answer = run("limit", TRANSFER, "none")
    assert (answer["result"], answer["silent"]) == ("failed", ["gamma"])
    assert [end["host"] for end in answer["ends"]] == ["alpha", "beta", "delta"]


def limits(minion, answer):
    """What an end makes of another limit, if it is asked in its own role."""
    return lambda role, **_: answer if role == minion.role else fail(102, "unknown-transfer")


@pytest.mark.parametrize("rate", ["fast", "-1", "1KB/s", True, None])
def test_what_is_no_limit_is_refused_before_anybody_is_asked(run, minions, rate):
    assert names(run("limit", TRANSFER, rate)) == ["bad-option"]
    assert minions["alpha"].calls == []


def test_a_limit_for_a_transfer_that_nobody_knows_or_who_does_is_silent(run, minions):
    for minion in minions.values():
        minion.says["limit"] = fail(102, "unknown-transfer")
    assert names(run("limit", TRANSFER, 0)) == ["unknown-transfer"]
    minions["beta"].says["limit"] = lambda **_: FakeFleet.SILENT
    assert run("limit", TRANSFER, 0)["result"] == "unknown"


def test_sweep_passes_on_whether_it_is_a_test(run, minions):
    answer = run("sweep", test=True)
    assert answer["hosts"]["alpha"]["found"] == [{"what": "pinhole"}]
    assert minions["alpha"].calls == [("sweep", {"test": True, "partial": False})]


# --- verifying later -------------------------------------------------------------------------------------------------


@pytest.fixture
def ended(minions):
    """A transfer from alpha to beta that both ends tell as published."""
    mine = {"alpha": "source", "beta": "destination"}

    def says(name):
        def status(transfer, role, **_):
            if mine[name] != role:
                return fail(102, "unknown-transfer")
            return samples.status(Member(name, role), verdict=samples.verdict())

        return status

    for name, minion in minions.items():
        minion.says["status"] = says(name)
    return minions


def test_the_destination_reads_again_and_the_roots_are_compared(run, ended):
    answer = run("verify", TRANSFER)
    assert (answer["result"], answer["retcode"], answer["source_root"]) == ("ok", 0, samples.ROOT)
    assert [(end["host"], end["role"]) for end in answer["ends"]] == [("beta", "destination")]
    assert "verify" not in ended["alpha"].asked()


def test_the_source_is_read_again_when_asked(run, ended):
    answer = run("verify", TRANSFER, source=True, timeout="2h")
    assert {end["host"] for end in answer["ends"]} == {"alpha", "beta"}


def test_what_differs_is_a_failure_with_counts_and_the_first_name(run, ended):
    trouble = {"path": "sub/x", "what": "missing", "why": "it is not there"}
    ended["beta"].says["verify"] = lambda role, **_: samples.verified(
        Member("beta", role), counts={"missing": 1200, "content": 1}, troubles=[trouble], root=None
    )
    answer = run("verify", TRANSFER)
    assert (answer["result"], answer["retcode"], names(answer)) == ("failed", 2, ["copy-differs"])
    assert answer["reasons"][0]["text"] == (
        "beta:/srv/data is no longer what was proved: 1,200 missing, 1 content; the first is sub/x: it is not there"
    )


def test_a_root_that_the_source_did_not_seal_is_a_failure(run, ended):
    ended["beta"].says["verify"] = lambda role, **_: samples.verified(Member("beta", role), root="cd" * 32)
    assert names(run("verify", TRANSFER)) == ["copy-differs"]


def test_without_the_destinations_record_nothing_is_verified(run, ended):
    ended["beta"].says["status"] = fail(102, "unknown-transfer")
    assert names(run("verify", TRANSFER)) == ["out-of-sight"]
    ended["alpha"].says["status"] = fail(102, "unknown-transfer")
    assert names(run("verify", TRANSFER)) == ["unknown-transfer"]


def test_a_timeout_that_is_no_time_is_refused(run, ended):
    assert run("verify", TRANSFER, timeout="soon")["result"] == "refused"
    assert ended["beta"].calls == []


# --- what people see -------------------------------------------------------------------------------------------------


def test_stdout_stays_empty_and_stderr_tells_the_plan_and_the_result(run, capsys):
    run("copy", **PLACES)
    out, err = capsys.readouterr()
    assert out == ""
    assert "alpha:/srv/data" in err and "proved by readback" in err


def test_quiet_says_nothing(run, capsys):
    run("copy", **PLACES, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_a_runner_that_the_master_runs_has_no_screen(opts, run, capsys):
    opts["__cli"] = "salt-master"
    run("copy", **PLACES)
    assert capsys.readouterr() == ("", "")


def test_the_documentation_lists_every_option_of_the_table(opts):
    doc = salt.loader.runner(opts)["transfer.copy"].__doc__
    for option in OPTIONS:
        assert (f"\n    {option.name}\n" in doc) == (option.scope != "minion")
        assert (f"{option.name}={option.example}" in doc) == (option.scope != "minion")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def typed(opts, fleet, context, monkeypatch):
    """typed(name, ...) -> what Salt gets from a function typed at a terminal, and what the terminal shows of it."""

    def typed(name, *args, **kwargs):
        opts.setdefault("fun", f"transfer.{name}")
        screen = Terminal()
        monkeypatch.setattr("sys.stdout", Terminal())
        monkeypatch.setattr("sys.stderr", screen)
        return salt.loader.runner(opts, context=context)[f"transfer.{name}"](*args, **kwargs), screen.getvalue()

    return typed


def test_what_a_terminal_was_told_in_words_is_not_printed_there_as_a_document_too(typed):
    answer, screen = typed("copy", **PLACES)
    assert (answer["outputter"], answer["result"], answer["retcode"]) == ("already_told", "ok", 0)
    assert "data" not in answer, "Salt would take it for states, and the run for no success"
    assert screen.count("ok: alpha:/srv/data to beta:/srv/data\n") == 1


def test_a_plan_on_a_terminal_is_a_plan_and_no_document(typed):
    answer, screen = typed("plan", **PLACES)
    assert answer["result"] == "planned" and "    copy  alpha:/srv/data" in screen


@pytest.mark.parametrize("asked", [{"output": "json"}, {"output_file": "/x"}, {"async": True}, {"fun": "state.orch"}])
def test_who_asks_for_a_document_gets_it(opts, typed, asked):
    opts.update(asked)
    assert "outputter" not in typed("copy", **PLACES)[0]


def test_a_list_is_lines_on_a_terminal(typed, minions):
    for minion in minions.values():
        minion.says["list"] = {"runs": [], "more": 0}
    answer, screen = typed("list")
    assert (answer["transfers"], screen.splitlines()[-1].strip("\r\x1b[K")) == ([], "no transfer to tell of")


def test_a_list_that_is_asked_for_as_a_document_is_only_that(opts, typed, minions):
    for minion in minions.values():
        minion.says["list"] = {"runs": [], "more": 0}
    opts["output"] = "json"
    answer, screen = typed("list")
    assert ("outputter" in answer, screen) == (False, "")


LOOKED = {
    "sweep": "alpha: pinhole: removed",
    "audit": "alpha: then  begun",
    "overview": f"{TRANSFER}  orphaned   alpha to beta  0 B",
    "watch": "nothing runs",
}


@pytest.fixture
def swept(minions):
    """Minions that have something to tell."""
    for minion in minions.values():
        minion.says["sweep"] = {"found": [{"what": "pinhole"}], "removed": [{"what": "pinhole"}], "trouble": []}
        minion.says["list"] = {"runs": minion.list()["runs"], "more": 0}


@pytest.mark.parametrize(("name", "line"), LOOKED.items())
def test_what_was_done_or_found_is_told_in_words(typed, swept, name, line):
    answer, screen = typed(name)
    assert line in screen and (answer["result"], answer["outputter"]) == ("ok", "already_told")


def test_a_log_is_told_in_words(typed):
    assert "alpha (source): one\n" in typed("log", TRANSFER)[1]


@pytest.mark.parametrize("name", LOOKED)
def test_who_wants_quiet_is_told_nothing(opts, typed, swept, name):
    opts["transfer"] = {"quiet": True}
    assert typed(name)[1] == ""


def test_every_function_tells_in_words(opts):
    runner = salt.loader.runner(opts)
    told = runner["transfer.copy"].__globals__
    functions = {name.removeprefix("transfer.") for name in runner if name.startswith("transfer.")}
    assert functions == {*told["ENDINGS"], *told["LOOKS"]}


def test_quietly_the_document_is_all(typed):
    answer, screen = typed("copy", **PLACES, quiet=True)
    assert ("outputter" in answer, screen) == (False, "")


def test_a_mistake_that_ends_it_at_once_is_told_in_words_too(typed):
    answer, screen = typed("resume", TRANSFER)
    assert answer["result"] == "refused"
    assert "refused\n" in screen and "unknown-transfer" in screen


def test_places_that_cannot_be_read_are_told_in_words_too(typed):
    answer, screen = typed("copy", src="alpha", dst="beta:/srv/", targets="b*")
    assert answer["retcode"] == 3 and screen.count("refused") == 1 and "src=alpha has no path" in screen


def test_on_a_terminal_progress_is_one_line_that_changes():
    stream = Terminal()
    screen = saltface.Screen(stream)
    screen.show("1 %")
    screen.show("2 %")
    screen.say(["done"])
    assert stream.getvalue() == "\r\x1b[K1 %\r\x1b[K2 %\r\x1b[Kdone\n"


def test_elsewhere_progress_is_a_line_now_and_then():
    now = iter([0.0, 0.0, 1.0, 20.0, 20.0])
    stream = io.StringIO()
    screen = saltface.Screen(stream, clock=lambda: next(now))
    for line in ("1 %", "2 %", "3 %"):
        screen.show(line)
    assert stream.getvalue() == "1 %\n3 %\n"


def test_a_screen_that_went_away_stops_nothing():
    stream = io.StringIO()
    screen = saltface.Screen(stream)
    stream.close()
    screen.say(["nobody reads this"])
