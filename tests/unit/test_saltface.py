"""Keys as Salt keeps them, and the bookkeeping of questions under way. The bus is tested against a real master."""

import fcntl
import os
import shutil
import socket
import struct
import termios

import pytest
import salt.config
import salt.utils.user
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import saltface
from saltface import Inquiry, Question
from tests.support.fleet import FakeFleet, FleetConformance
from transferplan import errors
from transferplan.options import MASTER

# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys():
    """Key pairs of two minions as PEM: {id: (private, public)}."""
    return {name: make_pair() for name in ("alpha", "beta")}


def make_pair():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


@pytest.fixture
def minion(tmp_path, keys):
    """The opts of minion alpha."""
    pki = tmp_path / "minion"
    pki.mkdir()
    (pki / "minion.pem").write_bytes(keys["alpha"][0])
    return {"pki_dir": str(pki)}


@pytest.fixture(params=["3008", "3006"])
def master(request, tmp_path, keys):
    """The opts of a master that accepted alpha and beta, in each way Salt keeps keys."""
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "__role": "master", "id": "m_master"}
    opts |= {"pki_dir": str(tmp_path / "master"), "extension_modules": str(tmp_path / "extmods")}
    if request.param == "3006":
        opts.pop("keys.cache_driver", None)
    for state in ("minions", "minions_pre", "minions_rejected"):
        (tmp_path / "master" / state).mkdir(parents=True)
    for name, (_, public) in keys.items():
        (tmp_path / "master/minions" / name).write_bytes(public)
    return opts


def move_key(master, name, state):
    shutil.move(f"{master['pki_dir']}/minions/{name}", f"{master['pki_dir']}/{state}/{name}")


def test_a_minions_signature_is_good_under_its_own_name_alone(minion, master):
    signature = saltface.sign(minion, b"what was seen")
    assert saltface.check(master, "alpha", b"what was seen", signature)
    assert not saltface.check(master, "beta", b"what was seen", signature)
    assert not saltface.check(master, "alpha", b"what was not seen", signature)


@pytest.mark.parametrize("state", ["minions_pre", "minions_rejected"])
def test_a_key_that_is_not_accepted_proves_nothing(minion, master, state):
    move_key(master, "alpha", state)
    assert not saltface.check(master, "alpha", b"x", saltface.sign(minion, b"x"))


def test_keys_are_read_anew_each_time(minion, master):
    signature = saltface.sign(minion, b"x")
    assert saltface.check(master, "alpha", b"x", signature)
    move_key(master, "alpha", "minions_rejected")
    assert not saltface.check(master, "alpha", b"x", signature)


@pytest.mark.parametrize("signature", ["", "not base64!", "AAAA", "é", None, 7, ["AAAA"]])
def test_what_is_no_signature_is_a_bad_one(master, signature):
    assert saltface.check(master, "alpha", b"x", signature) is False


@pytest.mark.parametrize("name", ["zorro", "../minions/alpha", "alpha/../alpha", "", "a\0b", "*"])
def test_a_name_without_an_accepted_key_has_none(master, name):
    assert saltface.accepted_key(master, name) == ""


def test_a_broken_key_file_proves_nothing(minion, master):
    with open(f"{master['pki_dir']}/minions/alpha", "w") as file:
        file.write("-----BEGIN PUBLIC KEY-----\nnonsense\n")
    assert not saltface.check(master, "alpha", b"x", saltface.sign(minion, b"x"))


def test_a_mistyped_minion_is_met_with_the_nearest_name():
    assert saltface.unknown("alhpa", ["alpha", "beta"]).text.endswith("accepted; did you mean alpha?")
    assert saltface.unknown("DB1", ["db1", "db2"]).text.endswith("accepted; did you mean db1?")
    assert saltface.unknown("x", ["alpha"]).text.endswith("accepted; salt-key --list=accepted shows those that are")


def test_the_masters_settings_are_a_layer_below_the_command_line():
    assert saltface.master_layers({"transfer": {"lease": 60}}) == [(MASTER, {"lease": 60})]
    assert saltface.master_layers({}) == [(MASTER, None)]


# --- questions under way ---------------------------------------------------------------------------------------------

NOW = 1000.0
JID = "20261121053413904318"


def believe_numbers(nonce, returned):
    if not isinstance(returned, int):
        raise errors.BadAnswer(f"{returned} is no number")
    return returned


@pytest.fixture
def inquiry():
    inquiry = Inquiry()
    question = Question("alpha", "transfer.facts", {}, believe_numbers, timeout=60, patience=5)
    inquiry.begin("key", question, JID, "nonce", NOW)
    return inquiry


def heard(inquiry, returned, at, jid=JID, host="alpha"):
    return list(inquiry.heard(jid, host, {"return": returned, "success": True}, at))


def probe(inquiry, at):
    """What the driver does with a doubt; gives the job of the probe."""
    (asked,) = inquiry.doubted(at)
    inquiry.probe(asked, "probe", at)
    return "probe"


def end(inquiry, at):
    (pair,) = inquiry.ended(at)
    return pair


def test_a_believed_return_ends_the_question(inquiry):
    ((key, answer),) = heard(inquiry, 7, NOW + 1)
    assert (key, answer.host, answer.payload, answer.trouble) == ("key", "alpha", 7, None)
    assert not inquiry


@pytest.mark.parametrize("job, host", [("20990101000000000000", "alpha"), (JID, "beta")])
def test_a_return_of_another_job_or_host_is_ignored(inquiry, job, host):
    assert heard(inquiry, 7, NOW, jid=job, host=host) == []
    assert inquiry


def test_a_second_return_is_ignored(inquiry):
    heard(inquiry, 7, NOW)
    assert heard(inquiry, 8, NOW) == []


def test_nothing_is_doubted_while_patience_lasts(inquiry):
    assert inquiry.doubted(NOW + 4.9) == []
    assert inquiry.next_at() == NOW + 5


def test_a_minion_that_does_not_even_answer_a_probe_is_silent_long_before_the_timeout(inquiry):
    probe(inquiry, NOW + 5)
    assert inquiry.doubted(NOW + 6) == []
    assert list(inquiry.ended(NOW + 14.9)) == []
    key, answer = end(inquiry, NOW + 15)
    assert (key, answer.trouble.name) == ("key", "minion-silent")
    assert "alpha does not answer" in answer.trouble.text


def test_a_minion_that_did_not_hear_a_probe_because_it_connected_anew_is_probed_again(inquiry):
    probe(inquiry, NOW + 5)
    assert inquiry.next_at() == NOW + 9
    heard(inquiry, {}, NOW + 10, jid=probe(inquiry, NOW + 9))
    assert inquiry.doubted(NOW + 10.9) == []
    assert "its answer never came" in end(inquiry, NOW + 11)[1].trouble.text


def test_probing_again_puts_off_no_end(inquiry):
    probe(inquiry, NOW + 5)
    probe(inquiry, NOW + 9)
    probe(inquiry, NOW + 13)
    assert "alpha does not answer" in end(inquiry, NOW + 15)[1].trouble.text


def test_a_job_that_still_runs_is_given_as_long_to_answer_the_next_probe(inquiry):
    heard(inquiry, {"jid": JID}, NOW + 6, jid=probe(inquiry, NOW + 5))
    probe(inquiry, NOW + 11)
    assert list(inquiry.ended(NOW + 20.9)) == []
    assert "alpha does not answer" in end(inquiry, NOW + 21)[1].trouble.text


def test_a_job_that_still_runs_gets_its_whole_time(inquiry):
    heard(inquiry, {"jid": JID, "pid": 7}, NOW + 6, jid=probe(inquiry, NOW + 5))
    assert list(inquiry.ended(NOW + 59)) == []
    assert inquiry.doubted(NOW + 11)
    assert "has not finished transfer.facts within 60 s" in end(inquiry, NOW + 60)[1].trouble.text


def test_a_job_that_ended_without_a_return_is_lost(inquiry):
    heard(inquiry, {}, NOW + 6, jid=probe(inquiry, NOW + 5))
    assert list(inquiry.ended(NOW + 6.9)) == []
    assert "its answer never came" in end(inquiry, NOW + 7)[1].trouble.text


def test_a_return_may_still_come_after_the_probe_said_that_the_job_ended(inquiry):
    heard(inquiry, {}, NOW + 6, jid=probe(inquiry, NOW + 5))
    assert heard(inquiry, 7, NOW + 6.5)[0][1].payload == 7


def test_a_forged_return_does_not_displace_the_true_one(inquiry):
    assert heard(inquiry, "forged", NOW + 0.1) == []
    heard(inquiry, {"jid": JID}, NOW + 0.2, jid=probe(inquiry, NOW + 0.1))
    assert list(inquiry.ended(NOW + 30)) == []
    assert heard(inquiry, 7, NOW + 31)[0][1].payload == 7


def test_a_storm_of_forged_returns_is_probed_once(inquiry):
    heard(inquiry, [], NOW + 0.1)
    probe(inquiry, NOW + 0.1)
    for _ in range(5):
        heard(inquiry, [], NOW + 0.2)
    assert inquiry.doubted(NOW + 0.2) == []


def test_a_return_that_cannot_be_believed_is_told_as_the_cause_once_the_job_has_ended(inquiry):
    heard(inquiry, [], NOW + 0.1)
    heard(inquiry, {}, NOW + 0.2, jid=probe(inquiry, NOW + 0.1))
    assert end(inquiry, NOW + 1.2)[1].trouble.text == "[] is no number"


def test_the_timeout_holds_whatever_probes_say(inquiry):
    probe(inquiry, NOW + 58)
    assert end(inquiry, NOW + 60)[1].trouble.name == "minion-silent"


@pytest.mark.parametrize(
    "returned, said",
    [
        ("'transfer.facts' is not available.", "alpha does not know transfer.facts"),
        ("The minion function caused an exception: Traceback\n  File x\nValueError: no luck\n", "ValueError: no luck"),
        ("Passed invalid arguments to x: one too many\n\n    CLI Example:\n\n    x", "one too many"),
        ("", "it said nothing"),
        ("ERROR: \x1b[31mred", r"ERROR: \x1b[31mred"),
        ("x" * 5000, "alpha could not run transfer.facts: xxx"),
    ],
)
def test_what_salt_says_in_place_of_a_return_becomes_one_clean_line(inquiry, returned, said):
    heard(inquiry, returned, NOW)
    heard(inquiry, {}, NOW, jid=probe(inquiry, NOW))
    trouble = end(inquiry, NOW + 2)[1].trouble
    assert trouble.name == "minion-trouble"
    assert said in trouble.text
    assert trouble.text.isprintable() and len(trouble.text) < 400


def test_a_question_that_did_not_get_out_ends_at_once(inquiry):
    inquiry.hopeless(JID, "alpha", errors.MinionSilent("no such minion"), NOW)
    assert end(inquiry, NOW)[1].trouble.text == "no such minion"


def ask(host, function="transfer.arm", **arguments):
    return Question(host, function, arguments, believe_numbers, timeout=60)


def keys_by_host(groups):
    return [{host: key for host, (key, _) in group.items()} for group in groups]


def test_minions_that_are_asked_the_same_share_a_job():
    questions = {1: ask("alpha", a=1, b=2), 2: ask("beta", b=2, a=1), 3: ask("beta", a=2)}
    assert keys_by_host(saltface.jobs(questions)) == [{"alpha": 1, "beta": 2}, {"beta": 3}]


def test_a_minion_that_is_asked_the_same_twice_gets_two_jobs():
    questions = {1: ask("alpha"), 2: ask("alpha"), 3: ask("beta")}
    assert keys_by_host(saltface.jobs(questions)) == [{"alpha": 1, "beta": 3}, {"alpha": 2}]


def test_jobs_are_published_as_a_user_whose_key_there_is(tmp_path):
    (tmp_path / ".salt_key").write_text("x")
    opts = {"cachedir": str(tmp_path), "user": "salt"}
    assert saltface._with_a_key(opts) is opts
    left = saltface._with_a_key({**opts, "user": "Reactor"})
    assert left == {**opts, "user": salt.utils.user.get_user()}


# --- the fleet in memory does what the real one does -----------------------------------------------------------------


def raise_message(message, nonce):
    raise RuntimeError(message)


def test_an_event_that_a_restarting_master_does_not_take_ends_nothing(tmp_path, caplog):
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "sock_dir": str(tmp_path), "__role": "master", "root_dir": str(tmp_path)}
    with socket.socket(socket.AF_UNIX) as master:
        master.bind(str(tmp_path / "master_event_pull.ipc"))
        master.listen()
        with saltface.Fleet(opts) as fleet:
            fleet.tell("salt/transfer/x/asked", {"what": "asked"})
            master.close()
            (tmp_path / "master_event_pull.ipc").unlink()
            fleet.tell("salt/transfer/x/finished", {"what": "finished"})
    assert "salt/transfer/x/finished" in caplog.text and "asked" not in caplog.text


class TestFakeFleet(FleetConformance):
    @pytest.fixture
    def fleet(self):
        functions = {"test.kwarg": lambda **arguments: arguments, "test.exception": raise_message}
        return FakeFleet({"alpha": functions, "beta": functions})


# --- the screen ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "width"), [(150, 149), (0, 79)])
def test_a_line_that_changes_is_as_wide_as_the_terminal_that_shows_it(columns, width, monkeypatch):
    """Though the result goes elsewhere, and it is that which Python asks; some terminals tell no width at all."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.__stdout__", None)
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(ours, "rb", 0) as shown, open(theirs, "w") as terminal:
        saltface.Screen(terminal).show("x" * 200)
        assert shown.read(1000).count(b"x") == width
