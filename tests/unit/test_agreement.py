"""The packages do not know each other; here is held together what one writes and another reads."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import datamover.errors
import datamover.version
import hosttools.errors
import replicaplan.errors
import transferplan.errors
import transferplan.version
from datamover import errors, selection
from datamover.disk import destination, safepath, special, survey
from datamover.engine.outcome import Outcome
from datamover.engine.stages import STAGES
from datamover.engine.terms import Terms
from datamover.flow import compressed
from datamover.host import documents
from hosttools import firewall, hotbackup
from replicahost import settings as databases
from replicaplan.errors import ReplicaRefused
from replicaplan.settings import HOST
from tests.unit.datamover.strategies import relaxed
from tests.unit.transferplan import samples
from transferplan import bottleneck, facts, flows, paths, plan, probing, shapes, statement, status, streamed
from transferplan.options import OPTIONS, TABLE
from transferworker import attempts, chronicle, login, policy, probes, rosters, spec, verdicts
from transferworker import flows as worker_flows

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SPECS = json.loads((GOLDEN / "spec-1.json").read_text(encoding="utf-8"))
CHAIN = json.loads((GOLDEN / "chain-1.json").read_text(encoding="utf-8"))
SPEC = {**SPECS["destination"], "version": datamover.version.VERSION}
STANDING = {"entries": 9, "bytes": 9, "disk_bytes": 9, "estimated": False}


def test_there_is_one_version():
    assert datamover.version.VERSION == transferplan.version.VERSION


def test_errors_of_all_packages_are_told_alike():
    packages = (datamover.errors, hosttools.errors, replicaplan.errors, transferplan.errors)
    for error in (each for package in packages for each in package.ERRORS if each.__init__ is each.__base__.__init__):
        told = error("There it is.", host="alpha").as_dict()
        ours = {"code": error.code, "name": error.name, "retryable": error.retryable}
        assert told == {**ours, "text": "There it is.", "evidence": {"host": "alpha"}}


def test_streams_are_made_and_taken_by_the_same_tools_in_a_plan_and_on_a_host():
    assert flows.TOOLS == hotbackup.TOOLS and flows.UNPACKERS == hotbackup.UNPACKERS
    assert streamed.SUFFIXES == compressed.SUFFIXES
    offered = TABLE["type"].kind, TABLE["backup_tool"].kind
    assert {*offered[0].choices} == {"file", *worker_flows.TYPES}
    assert {*offered[1].choices} == {"auto", *hotbackup.NAMES}


def test_a_copy_reads_the_login_of_a_database_as_all_else_that_reaches_it():
    assert {*login.KEYS} <= {each.name for each in HOST.settings}
    assert all(getattr(login.Login(), name) == HOST.table.defaults[name] for name in login.KEYS)
    for name, value in ((name, value) for name in login.KEYS for value in (7, True, ["x"], "two\nlines", {"a": 1})):
        with pytest.raises(ReplicaRefused):
            databases.read({name: value})
        with pytest.raises(errors.SpecInvalid):
            login.Login.read({name: value})


@pytest.mark.parametrize("raw, text", json.loads((GOLDEN / "paths.json").read_text(encoding="utf-8"))["pairs"])
def test_both_packages_write_paths_alike(raw, text):
    path = bytes.fromhex(raw)
    assert safepath.encode_path(path) == paths.encode_path(path) == text
    assert safepath.decode_path(text) == paths.decode_path(text) == path


@pytest.mark.parametrize("role", ["source", "destination"])
def test_a_worker_takes_the_specs_of_a_plan(role):
    made = {**SPECS[role], "version": datamover.version.VERSION}
    spec.check(made, made["host"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"overwrite": True},
        {"update": True, "delete": True},
        {"exclude": "*.log", "include": "/conf/", "special": "setuid"},
        {"streams": 5, "encrypt": False, "limit": "1MB/s", "digest": "sha256", "compress": "none", "lease": "1h"},
    ],
)
def test_a_worker_takes_what_a_probe_of_any_plan_asks_of_it(options):
    whole = plan.make(samples.asked(**options), {samples.ALPHA: samples.alpha(), samples.BETA: samples.beta()})
    (way,) = probing.plans(whole)
    for member, made in way.specs().items():
        spec.check({**json.loads(json.dumps(made)), "version": datamover.version.VERSION}, member.host)
        assert probes.is_probe(made) and way.is_probe


@pytest.mark.parametrize("made", [CHAIN["source"], *CHAIN["destinations"]], ids=lambda made: made["host"])
def test_a_worker_takes_the_specs_and_the_roster_of_a_chain(made):
    made = {**made, "version": datamover.version.VERSION}
    spec.check(made, made["host"])
    rosters.check(CHAIN["roster"], made, f"PEM of {made['host']}", None)


@pytest.mark.parametrize("new", ["beta", "gamma"])
def test_all_ends_of_an_update_in_a_chain_compare_alike_also_where_nothing_stands_yet(new):
    members = (samples.ALPHA, samples.BETA, samples.GAMMA, samples.DELTA)
    there = samples.destination(exists=True, kind="directory", standing=STANDING)
    answers = {each: getattr(samples, each.host)(*[] if each.host in ("alpha", new) else [there]) for each in members}
    planned = plan.make(samples.asked(dst="beta:/srv/,gamma:/srv/,delta:/srv/", update=True), answers)
    specs = planned.specs()
    assert [each.host for each, made in specs.items() if not made["settings"]["in_place"]] == [new]
    assert len({Terms.of(made).features for made in specs.values()}) == 1
    assert all(Terms.of(made).considers for made in specs.values())


def test_a_plan_reads_what_is_found_at_a_source(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 5000)
    (tmp_path / "directory").mkdir()
    found = shapes.read(facts.Source, survey.survey(bytes(tmp_path), 3.0), "it")
    assert (found.kind, found.files, found.directories, found.bytes) == ("directory", 1, 2, 5000)


def test_a_plan_reads_that_nothing_is_at_a_source(tmp_path):
    assert not shapes.read(facts.Source, survey.survey(bytes(tmp_path / "no"), 3.0), "it").exists


@pytest.mark.parametrize("name", ["", "new", "new/deeper"])
def test_a_plan_reads_what_is_found_at_a_destination(tmp_path, name):
    told = {"reserved_bytes": 0, "reserved_inodes": 0, "locked_by": None}
    found = shapes.read(facts.Destination, {**destination.survey(bytes(tmp_path / name)), **told}, "it")
    assert (found.exists, found.parent_exists) == (not name, "/" not in name)


def test_a_plan_reads_what_is_found_of_a_firewall():
    found = firewall.facts(None, None, None, ["nobody knows"])
    assert shapes.read(facts.Firewall, found, "it").trouble == ("nobody knows",)


ENDS = {
    status.PUBLISHED: Outcome(root=b"\xab" * 32, files=1, skipped=((b"/s\n", "a socket"),), seconds={"total": 1.5}),
    status.FAILED: Outcome(errors.Stalled("nothing moved"), cleanup=("a pinhole stayed",)),
    status.CANCELLED: Outcome(errors.Cancelled("somebody ended it")),
}


@pytest.mark.parametrize("result", ENDS)
def test_a_report_reads_every_verdict_and_status(result):
    last = verdicts.verdict(SPEC, ENDS[result])
    told = chronicle.status(SPEC, chronicle.NEW, [], last, alive=False, after_seq=0)
    read = status.Status.from_payload(told, "beta")
    assert (read.phase, read.verdict.result) == (result, result)


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "wait"])
@pytest.mark.parametrize("level", ["flight", "readback"])
def test_a_report_can_name_every_stage_that_an_engine_accounts_and_say_what_to_try(stage, level):
    accounts = (bottleneck.End(host, {stage: 9.0}) for host in ("alpha", "beta"))
    found = bottleneck.find(*accounts, 1, level)
    assert found and found.stage == stage and found.text


def test_a_run_that_has_just_been_made_has_not_begun():
    told = chronicle.status(SPEC, chronicle.NEW, [], None, alive=True, after_seq=0)
    assert status.Status.from_payload(told, "beta").phase in status.UNSTARTED


def test_the_words_for_special_entries_are_the_same():
    choices = TABLE["special"].kind.choices
    assert policy.Policy(special=choices).reasons("source", [], [], choices) == []
    assert set(special.NAMES) == set(choices)


@relaxed
@given(st.text(max_size=30) | st.text("a/*!.\\[]x2f0,\n\udcff", max_size=12))
def test_the_master_takes_a_pattern_if_the_source_does(text):
    try:
        (pattern,) = TABLE["exclude"].kind.read([text])
    except ValueError:
        pattern = None
    try:
        selection.check(text if pattern is None else pattern, with_exceptions=True)
    except ValueError:
        assert pattern is None
    else:
        assert pattern is not None


@relaxed
@given(st.text("ab*?[]!\\\n\udcff", min_size=1, max_size=8), st.binary(max_size=8))
def test_a_pattern_means_the_same_in_the_form_in_which_it_travels(text, name):
    (pattern,) = TABLE["exclude"].kind.read([f"/{text}"])
    assert pattern.isprintable()
    one, other = (selection.Selection(exclude=[each]) for each in (f"/{text}", pattern))
    assert one.takes(name, False) == other.takes(name, False)


def test_options_may_change_between_attempts_on_the_master_and_on_the_minion_alike():
    options = [each for each in OPTIONS if each.name in SPEC["settings"]]
    changeable = {each.name for each in options if each.changeable}
    assert changeable == attempts.SETTINGS_THAT_MAY_CHANGE & {each.name for each in options}
    assert {"attempt", "asked_by", "given", "expect", "listen"} <= attempts.MAY_CHANGE


def test_documents_have_the_same_digest_on_both_sides():
    assert documents.digest(SPEC) == statement.digest(SPEC)
