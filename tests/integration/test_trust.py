"""A hostile minion that hears every job and can fire every event gains nothing by it."""

import json
import subprocess

import pytest

from tests.conftest import CHECKOUT
from tests.support.copying import Copying, plant_random
from tests.unit.transferplan import samples
from transferplan.request import Member

FORGER = CHECKOUT / "tests/support/forger.py"
SEARCH = f"PYTHONPATH={CHECKOUT}:{CHECKOUT / '_utils'}"


class Forger:
    """Gamma, which fires what it likes."""

    def __init__(self, machine):
        self._process = machine.popen(
            ["env", SEARCH, "python", "-B", FORGER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def fire(self, tag, data, **statement):
        """Returns when the master has taken the event."""
        self._process.stdin.write(json.dumps({"tag": tag, "data": data, **statement}) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "fired\n"

    def answer(self, job, host, returned=None, **statement):
        """Answer a job in the name of another minion."""
        data = {"jid": job["jid"], "id": host, "fun": job["fun"], "success": True, "retcode": 0, "return": returned}
        self.fire(f"salt/job/{job['jid']}/ret/{host}", data, **statement)


@pytest.fixture
def gamma(clean_lab):
    with Forger(clean_lab.machine("gamma")) as forger:
        yield forger


@pytest.fixture
def frozen_beta(clean_lab):
    """Beta's minion stands still, so that whatever is forged comes first; `thaw` lets it go on."""
    beta = clean_lab.machine("beta")

    def thaw():
        beta.run(["systemctl", "kill", "--signal=CONT", "salt-minion"])

    beta.run(["systemctl", "kill", "--signal=STOP", "salt-minion"])
    yield thaw
    thaw()


@pytest.fixture
def copying(clean_lab):
    plant_random(clean_lab.machine("alpha"), "/srv/file", 1_000_000)
    with Copying(clean_lab, "alpha:/srv/file", "beta:/srv/", lease="60s", job_timeout="60s") as copying:
        yield copying


def await_job(bus, function, host):
    """The job as every minion of this master hears it, arguments and nonce included."""
    for tag, data in bus.events(180):
        if tag.endswith("/publish") and data["fun"] == function and host in data["tgt"]:
            return data
    raise AssertionError(f"no job {function} for {host}")


def question(job, host):
    """The question in a job, in the name of the host that was asked."""
    (arguments,) = job["arg"]
    about = arguments.get("ask") or arguments.get("spec") or arguments
    return {
        "minion": host,
        "nonce": arguments["nonce"],
        "transfer": about["transfer"],
        "attempt": 1,
        "role": about["role"],
    }


def assert_honest(copying, machine):
    """The copy is there and the verdict is beta's own."""
    done = copying.finish()
    assert (done.returncode, done.data["result"]) == (0, "ok"), done.stderr
    assert done.data["receipt"]["bytes"] == 1_000_000
    assert machine.path("/srv/file").stat().st_size == 1_000_000


def test_answers_in_another_minions_name_are_not_believed(clean_lab, frozen_beta, gamma, copying):
    job = await_job(copying.bus, "transfer.facts", "beta")
    gamma.answer(job, "beta", returned=samples.beta())
    gamma.answer(job, "beta", returned="'transfer.facts' is not available.")
    gamma.answer(job, "beta", payload=samples.beta(), question=question(job, "beta"))
    gamma.answer(job, "beta", payload=samples.beta(), question=question(job, "gamma"))
    frozen_beta()
    assert_honest(copying, clean_lab.machine("beta"))


def test_a_forged_verdict_does_not_end_a_copy(clean_lab, gamma, copying):
    """The verdict comes as an answer to `follow` and as an event, well before there is a true one."""
    status = samples.status(Member("beta", "destination"), verdict=samples.verdict())
    job = await_job(copying.bus, "transfer.follow", "beta")
    gamma.answer(job, "beta", returned=status)
    gamma.answer(job, "beta", payload=status, question=question(job, "beta"))
    transfer = question(job, "beta")["transfer"]
    gamma.fire(f"salt/transfer/{transfer}/finished", {"what": "finished", "result": "ok", "retcode": 0})
    gamma.fire(f"salt/transfer/{transfer}/verdict", {"result": "published"})
    assert_honest(copying, clean_lab.machine("beta"))


def test_events_that_say_ready_move_nothing(clean_lab, frozen_beta, gamma, copying):
    job = await_job(copying.bus, "transfer.facts", "beta")
    transfer = question(job, "beta")["transfer"]
    for what in ("prepared", "armed", "ready", "started"):
        data = {"what": what, "host": "beta", "role": "destination", "transfer": transfer}
        gamma.fire(f"salt/transfer/{transfer}/{what}", data)
    seen = [data["fun"] for tag, data in copying.bus.events(1) if tag.endswith("/publish")]
    assert not {"transfer.prepare", "transfer.arm", "transfer.go"} & set(seen)
    frozen_beta()
    assert_honest(copying, clean_lab.machine("beta"))


def test_a_minion_without_an_accepted_key_is_told_as_unknown(clean_lab):
    done = clean_lab.run_runner("transfer.plan", src="alpha:/srv/file", dst="delta:/srv/")
    assert done.returncode == 3
    assert "delta is no minion whose key this master has accepted" in str(done.data["reasons"])


def test_the_forger_can_indeed_be_heard(clean_lab, gamma):
    with clean_lab.bus() as bus:
        gamma.fire("salt/transfer/forged", {"hello": "world"})
        assert bus.await_event("salt/transfer/forged", timeout=30)["hello"] == "world"


