"""Nobody but its worker can read a key or a token: not while a transfer lasts, nor later, nor when it fails."""

import base64
import json
import secrets

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from datamover.wire.messages import NO_TOKEN
from tests.support.copying import Copying, plant_random, slowed, worker
from tests.support.runs import assert_ok, names, outcome
from tests.support.secrecy import Ears, Wiretap, key_of

SIZE = 4_000_000
RATE = "1mbit"


@pytest.fixture
def ears(clean_lab):
    with Ears(clean_lab) as ears:
        yield ears


@pytest.fixture
def copying(clean_lab, alpha, beta, ears):
    """copying(**options) -> a copy in the middle."""
    plant_random(alpha, "/srv/data/file", SIZE)
    with slowed(beta, RATE):
        yield lambda **options: Copying(clean_lab, "alpha:/srv/data", "beta:/srv/", **options)


def workers(copying, alpha, beta):
    """(machine, pid) of both."""
    ends = ((alpha, "source"), (beta, "destination"))
    return [(machine, worker(machine, copying.transfer, role)[0]) for machine, role in ends]


def test_a_copy_that_succeeds_shows_no_key(copying, ears, alpha, beta):
    with copying() as copy:
        copy.await_moving()
        keys = [key_of(*each) for each in workers(copy, alpha, beta)]
        for link in beta.links:
            link.heal()
        done = copy.finish()
    assert_ok(done)
    assert len(set(keys)) == 2
    assert ears.heard(*keys, told=done.stdout + done.stderr) == []


def test_a_copy_without_encryption_that_is_cancelled_shows_neither_key_nor_token(copying, ears, run, alpha, beta):
    with Wiretap(beta.link()) as wire, copying(encrypt=False) as copy:
        copy.await_moving()
        token = wire.token()
        keys = [key_of(*each) for each in workers(copy, alpha, beta)]
        cancelled = run("cancel", transfer=copy.transfer)
        done = copy.finish()
    assert outcome(done) == (4, "cancelled") and token != NO_TOKEN
    assert ears.heard(token, *keys, told=done.stdout + done.stderr + cancelled.stdout) == []


def test_a_refusal_and_a_worker_that_is_killed_show_no_key(copying, ears, run, alpha, beta):
    refused = run(src="alpha:/srv/none", dst="beta:/srv/")
    with copying() as copy:
        copy.await_moving()
        ends = workers(copy, alpha, beta)
        keys = [key_of(*each) for each in ends]
        beta.run(["kill", "-KILL", ends[1][1]])
        done = copy.finish()
    assert "worker-died" in names(done)
    log = run("log", transfer=copy.transfer)
    assert ears.heard(*keys, told=refused.stdout + done.stdout + done.stderr + log.stdout) == []


@pytest.mark.parametrize("end", ["cut", pytest.param("stand still", marks=pytest.mark.slow)])
def test_a_copy_that_nobody_ended_shows_no_key(copying, ears, run, alpha, beta, end):
    with copying(stall_timeout="20s") as copy:
        copy.await_moving()
        ends = workers(copy, alpha, beta)
        keys = [key_of(*each) for each in ends]
        if end == "cut":
            for link in beta.links:
                link.drop(port_of(beta, copy.transfer))
        else:
            beta.run(["kill", "-STOP", ends[1][1]])
        done = copy.finish()
    assert outcome(done) == (2, "failed"), done.stdout
    log = run("log", transfer=copy.transfer)
    assert ears.heard(*keys, told=done.stdout + done.stderr + log.stdout) == []


def port_of(machine, transfer):
    answer = machine.output("cat", f"/var/lib/salt-transfer/runs/{transfer}-destination/attempts/1/answer.json")
    return json.loads(answer)["port"]


# --- the check itself -------------------------------------------------------------------------------------------------


def test_a_planted_secret_is_found_wherever_it_is(clean_lab, ears, alpha, beta):
    secret = secrets.token_bytes(32)
    spelled = secret.hex()
    shown = alpha.popen(["sh", "-c", "read line", spelled], stdin=-1)
    inherited = beta.popen(["env", f"SECRET={spelled}", "sh", "-c", "read line"], stdin=-1)
    beta.run(["systemd-cat", "echo", f"a secret: {spelled}"])
    clean_lab.run_module("alpha", "test.arg", spelled)
    planted = beta.disk("/var/lib/salt-transfer/planted")
    planted.write_bytes(b"..." + secret + b"...")
    try:
        found = "\n".join(ears.heard(secret, told=f"<{spelled.upper()}>"))
    finally:
        planted.unlink()
        for process in (shown, inherited):
            process.communicate(b"\n")
    for place in (
        "the command's output",
        "the bus: salt/job/",
        "alpha: cmdline of process",
        "beta: environ of process",
        "beta: the journal",
        "master: /var/cache/salt/master/jobs/",
        "beta: /var/lib/salt-transfer/planted",
    ):
        assert place in found


def test_a_private_key_that_nobody_knew_of_is_found_in_every_form(ears, beta):
    place = beta.disk("/var/lib/salt-transfer")
    forms = forms_of(ec.generate_private_key(ec.SECP256R1()))
    for name, content in forms.items():
        (place / name).write_bytes(b"before " + content + b" after")
    try:
        assert ears.heard() == sorted(f"beta: /var/lib/salt-transfer/{name}" for name in forms)
    finally:
        for name in forms:
            (place / name).unlink()


def forms_of(key):
    """A key as it could lie about."""
    encodings, forms, plain = serialization.Encoding, serialization.PrivateFormat, serialization.NoEncryption()
    der = key.private_bytes(encodings.DER, forms.PKCS8, plain)
    return {
        "pem": key.private_bytes(encodings.PEM, forms.PKCS8, plain),
        "old-pem": key.private_bytes(encodings.PEM, forms.TraditionalOpenSSL, plain),
        "der": der,
        "old-der": key.private_bytes(encodings.DER, forms.TraditionalOpenSSL, plain),
        "hex": der.hex().encode(),
        "base64": base64.b64encode(der),
    }
