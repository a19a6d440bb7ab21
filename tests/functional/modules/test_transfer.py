"""The execution module in Salt's real loader, with real workers and without any daemon."""

import base64
import contextlib
import json
import secrets

import pytest
import salt.loader
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from salt.exceptions import CommandExecutionError

import saltface
from tests.functional.worker.minions import Network
from tests.unit.transferworker.samples import TRANSFER, spec
from transferplan.facts import Facts
from transferplan.records import Record
from transferplan.statement import LARGEST_PAYLOAD, Question, Signed
from transferplan.status import Status

NONCE = "n" * 32


@pytest.fixture
def network():
    with contextlib.closing(Network()) as network:
        yield network


@pytest.fixture
def srv(tmp_path):
    (tmp_path / "srv").mkdir()
    return tmp_path / "srv"


@pytest.fixture
def opts(minion_opts, tmp_path):
    """A minion's opts with a key of its own and a configuration to change."""
    pki = tmp_path / "pki"
    pki.mkdir()
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (pki / "minion.pem").write_bytes(private)
    config = {"state_dir": str(tmp_path / "state")}
    grains = {"saltversion": "3008.3"}
    return {**minion_opts, "pki_dir": str(pki), "transfer": config, "grains": grains, "pillar": {}, "key": key}


@pytest.fixture
def call(opts, network):
    """call("name", ...) runs transfer.name in the minion's network."""
    loaded = []

    def call(name, *args, **kwargs):
        if not loaded:
            loaded.append(salt.loader.minion_mods({name: value for name, value in opts.items() if name != "key"}))
        return network.do(lambda: loaded[0][f"transfer.{name}"](*args, **kwargs))

    yield call
    with contextlib.suppress(CommandExecutionError):
        call("cancel", TRANSFER)


def payload_of(opts, returned, role="", transfer=TRANSFER, attempt=0):
    """What a signed answer says, checked as the runner checks it."""
    signed = Signed.from_return(json.loads(json.dumps(returned)), "minion")
    public = opts["key"].public_key()
    public.verify(base64.b64decode(signed.signature), signed.signed_bytes(), saltface._PADDING, saltface._HASH)
    return Question("minion", NONCE, transfer, attempt, role).payload_of(signed.statement)


def own_spec(srv, **changes):
    return spec(host="minion", path=str(srv / "data"), **changes)


def test_a_worker_can_be_prepared_followed_and_cancelled(call, srv):
    prepared = call("prepare", own_spec(srv))
    assert prepared["phase"] == "prepared" and 4400 <= prepared["port"] <= 4499
    assert call("list")["runs"][0]["transfer"] == TRANSFER
    assert call("list", transfers=TRANSFER)["runs"] and call("list", after=1) == {"runs": [], "more": 0}
    status = Status.from_payload(call("follow", TRANSFER, after_seq=0, wait=10), "minion")
    assert status.phase == "prepared" and status.alive
    assert any('phase {"phase": "prepared"}' in line for line in call("log", TRANSFER)["lines"])
    assert call("cancel", TRANSFER)["phase"] == "cancelled"
    assert Status.from_payload(call("status", TRANSFER), "minion").verdict.result == "cancelled"
    assert call("sweep", test=True) == {"found": [], "removed": [], "trouble": []}


def test_answers_are_signed_over_the_question(call, opts, srv):
    prepared = payload_of(opts, call("prepare", own_spec(srv), nonce=NONCE), "destination", attempt=1)
    assert prepared["certificate"].startswith("-----BEGIN")
    status = payload_of(opts, call("status", TRANSFER, role="destination", nonce=NONCE), "destination")
    asked = {"role": "destination", "attempt": 1, "nonce": NONCE}
    assert payload_of(opts, call("follow", TRANSFER, **asked), "destination", attempt=1)["attempt"] == 1
    other = payload_of(opts, call("follow", TRANSFER, **{**asked, "attempt": 2}), "destination", attempt=2)
    assert "is at attempt 1 on this host, not 2" in other["error"]["text"]
    assert status["phase"] == "prepared"
    assert payload_of(opts, call("list", nonce=NONCE), transfer="", attempt=0)["more"] == 0


def test_an_error_travels_signed_when_a_nonce_asks_and_is_raised_for_a_person(call, opts):
    told = payload_of(opts, call("status", TRANSFER, nonce=NONCE))
    assert (told["error"]["name"], told["error"]["code"]) == ("unknown-transfer", 102)
    with pytest.raises(CommandExecutionError, match="knows no transfer"):
        call("status", TRANSFER)


@pytest.mark.parametrize("function", ["arm", "go", "cancel", "log", "follow"])
def test_no_function_turns_an_odd_id_into_a_path(call, function):
    arguments = [{}] if function == "arm" else []
    with pytest.raises(CommandExecutionError, match="transfer id"):
        call(function, "../../../../etc/salt", *arguments)


def test_facts_of_a_source_are_of_the_agreed_form(call, opts, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("12345")
    ask = {"transfer": TRANSFER, "role": "source", "path": str(tmp_path / "data"), "peers": [{"host": "beta"}]}
    facts = Facts.from_payload(payload_of(opts, call("facts", ask, nonce=NONCE), "source"), "minion")
    assert (facts.host, facts.version, facts.uid) == ("minion", "0.1.0", 0)
    assert (facts.source.files, facts.source.bytes, facts.source.estimated) == (1, 5, False)
    assert facts.destination is None and facts.policy.reasons == () and facts.trouble == ()


def test_facts_of_a_destination_are_of_the_agreed_form(call, srv):
    facts = Facts.from_payload(call("facts", {"role": "destination", "path": str(srv / "data")}), "minion")
    assert facts.destination.parent_exists and not facts.destination.exists
    assert facts.destination.bytes_free > 0 and facts.destination.locked_by is None
    assert facts.ports.free and facts.settings["ports"] == [4400, 4499]


def test_facts_tell_who_holds_a_place_and_what_is_promised(call, srv):
    call("prepare", own_spec(srv, expect__bytes=12345))
    facts = call("facts", {"role": "destination", "path": str(srv / "data")})
    assert facts["destination"]["locked_by"] == TRANSFER
    assert facts["destination"]["reserved_bytes"] == 12345
    assert facts["running"] == [TRANSFER]


def test_facts_change_nothing(call, srv, opts, tmp_path):
    call("facts", {"role": "destination", "path": str(srv / "data")})
    assert list(srv.iterdir()) == []
    assert not (tmp_path / "state").exists()


def test_one_bad_setting_hides_none_of_the_others(call, opts, srv):
    opts["transfer"].update(port=4444, lease="soon", keep_runs="never", policy={"sources": 7, "peers": ["a*"]})
    ask = {"role": "source", "path": str(srv), "peers": [{"host": "beta"}]}
    facts = call("facts", ask)
    assert facts["settings"]["port"] == 4444 and facts["source"]["exists"]
    assert [name for name in ("lease", "keep_runs") if any(name in each for each in facts["trouble"])] == [
        "lease",
        "keep_runs",
    ]
    assert len(facts["policy"]["reasons"]) == 2


@pytest.mark.parametrize("config", [["a list"], "a text", 7])
def test_a_configuration_that_is_no_mapping_hides_no_facts(call, opts, srv, config):
    opts["transfer"] = config
    facts = call("facts", {"role": "source", "path": str(srv)})
    assert facts["source"]["exists"] and "must hold options" in facts["trouble"][0]


def test_a_bad_setting_begins_nothing_and_keeps_nothing_from_being_ended(call, opts, srv):
    call("prepare", own_spec(srv))
    opts["transfer"]["keep_runs"] = "never"
    again = salt.loader.minion_mods({name: value for name, value in opts.items() if name != "key"})
    assert again["transfer.cancel"](TRANSFER)["phase"] == "cancelled"
    with pytest.raises(CommandExecutionError, match="keep_runs .* must be"):
        again["transfer.prepare"](own_spec(srv, transfer="f" * 32))


def test_a_host_takes_part_in_no_more_transfers_than_it_allows(call, opts, srv):
    opts["transfer"]["max_transfers"] = 1
    call("prepare", own_spec(srv))
    assert call("facts", {"role": "source", "path": str(srv)})["max_transfers"] == 1
    with pytest.raises(CommandExecutionError, match=f"1 transfers already .{TRANSFER}. and its max_transfers is 1"):
        call("prepare", spec(host="minion", path=str(srv / "other"), transfer="f" * 32))
    assert call("status", "f" * 32)["verdict"]["error"]["name"] == "busy"
    assert call("cancel", TRANSFER)["phase"] == "cancelled"
    assert not call("prepare", own_spec(srv, transfer="e" * 32))["attached"]
    call("cancel", "e" * 32)


def test_the_record_of_an_end_is_its_spec_and_how_far_it_came(call, srv):
    call("prepare", own_spec(srv))
    record = Record.from_payload(call("record", TRANSFER), "minion")
    assert record.spec.path == bytes(srv / "data") and record.runs
    call("cancel", TRANSFER)
    assert Record.from_payload(call("record", TRANSFER), "minion").result == "cancelled"


def test_withdrawn_it_can_be_gone_on_with_and_cancelled_it_cannot(call, srv):
    call("prepare", own_spec(srv))
    assert call("cancel", TRANSFER, keep=True)["phase"] == "failed"
    assert not call("record", TRANSFER)["given_up"] and list(srv.iterdir()) == []
    assert call("list")["runs"][0]["rests"] is False
    assert call("doctor")["findings"] == []
    call("cancel", TRANSFER)
    assert call("record", TRANSFER)["given_up"]


def test_facts_of_a_place_whose_parent_is_missing_are_told(call, srv):
    found = call("facts", {"role": "destination", "path": str(srv / "a/b/c")})["destination"]
    assert not found["parent_exists"] and found["nearest"] == str(srv)


def test_the_minions_own_policy_is_told_and_enforced(call, opts, srv):
    opts["transfer"]["policy"] = {"destinations": ["/elsewhere"], "peers": ["db*"]}
    ask = {"role": "destination", "path": str(srv / "data"), "peers": [{"host": "beta"}]}
    assert len(call("facts", ask)["policy"]["reasons"]) == 2
    with pytest.raises(CommandExecutionError, match="own policy"):
        call("prepare", own_spec(srv))
    assert list(srv.iterdir()) == []


def test_a_policy_in_the_pillar_counts_for_nothing(call, opts, srv):
    opts["transfer"]["policy"] = {"destinations": ["/elsewhere"]}
    opts["pillar"] = {"transfer": {"policy": {"destinations": ["/"]}}}
    told = call("facts", {"role": "destination", "path": str(srv / "data")})
    assert told["policy"]["reasons"] and any("policy" in sentence for sentence in told["trouble"])


def test_a_minions_unreadable_settings_are_trouble_in_words(call, opts, srv):
    opts["transfer"]["ports"] = "many"
    told = call("facts", {"role": "destination", "path": str(srv / "data")})
    assert len(told["trouble"]) == 1 and "ports" in told["trouble"][0]


def test_a_minion_tells_which_of_its_layers_says_what(call, opts, srv):
    opts["transfer"] = {"nice": "low", "port": "x", "policy": {"destinations": ["/srv"]}}
    told = call("settings")
    assert told["settings"]["nice"] == {"value": "low", "from": "the minion's own configuration"}
    assert told["settings"]["keep_runs"] == {"value": "14d", "from": "the default"}
    assert (told["policy"], len(told["trouble"])) == ({"destinations": ["/srv"]}, 1)


def test_a_minions_own_port_range_is_in_force(call, opts, srv):
    opts["transfer"]["ports"] = "5000-5009"
    told = call("facts", {"role": "destination", "path": str(srv / "data"), "settings": {"ports": [4400, 4499]}})
    assert told["settings"]["ports"] == [5000, 5009]


@pytest.mark.parametrize(
    "ask", [{}, "role", None, {"role": "destination"}, {"role": "x", "path": "/"}, {"role": "source", "path": "%"}]
)
def test_a_question_that_is_none_is_refused_in_words(call, ask):
    with pytest.raises(CommandExecutionError, match="question"):
        call("facts", ask)


def test_every_answer_fits_into_one_return(call, opts, srv, tmp_path):
    call("prepare", own_spec(srv))
    state = tmp_path / "state" / "runs" / f"{TRANSFER}-destination"
    (state / "log").write_text("a line that is rather long; " * 40 + "\n" * 3000 + "y" * 10**6 + "\n")
    first = call("log", TRANSFER)
    assert first["more"] and len(json.dumps(first)) < LARGEST_PAYLOAD
    rest = call("log", TRANSFER, after=len(first["lines"]))
    assert rest["lines"]


def test_a_state_directory_that_cannot_be_made_is_told(call, opts, srv):
    (srv / "file").touch()
    opts["transfer"]["state_dir"] = str(srv / "file/state")
    with pytest.raises(CommandExecutionError, match="Not a directory"):
        call("prepare", own_spec(srv))
    opts["transfer"]["state_dir"] = str(srv / "state")


def test_a_tampered_spec_is_refused(call, srv):
    with pytest.raises(CommandExecutionError, match="path must be"):
        call("prepare", own_spec(srv) | {"path": f"{srv}/../data"})
    with pytest.raises(CommandExecutionError, match="host must be"):
        call("prepare", own_spec(srv) | {"host": secrets.token_hex(4)})
