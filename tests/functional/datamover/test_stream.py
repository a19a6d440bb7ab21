"""What a program makes at the source reaches a program at the destination, or nothing does."""

import os
import signal
import threading

import pytest

from datamover.engine import carrier
from datamover.errors import Cancelled, ConsumerFailed, PeerFailed, ProducerFailed, Stalled
from datamover.flow.programs import ProgramSource
from datamover.flow.spool import MEMORY
from datamover.host import confine
from tests.functional.datamover.ends import relayed
from tests.functional.datamover.streams import MIB, Flow, kept, python
from tests.functional.datamover.test_transfer_streams import cut_at
from tests.support.waiting import eventually

ECHO = """
import shutil, sys
with open(sys.argv[1], "rb") as made: shutil.copyfileobj(made, sys.stdout.buffer)
print("all told", file=sys.stderr)
"""
TELLS = "import sys\nfor _ in range(%d): sys.stdout.buffer.write(bytes(1 << 20))\n"
READS = "import sys\nwhile sys.stdin.buffer.read(1 << 20): pass\n"


@pytest.fixture
def made(tmp_path):
    """A file whose bytes a producer tells."""
    file = tmp_path / "made"
    file.write_bytes(os.urandom(23 * MIB + 4711))
    return file


def went_well(flow):
    sent, received = flow.run()
    assert (sent.error, received.error) == (None, None), (sent.error, received.error)
    assert sent.root == received.root is not None
    assert flow.sealed == [True] and sent.cleanup == received.cleanup == ()
    return sent, received


def failed(flow):
    """Run, demand that nothing was sealed or published and nobody lives; (source's error, destination's)."""
    sent, received = flow.run()
    flow.close()
    flow.made.remove(flow)
    assert flow.sealed == [] and sent.error and received.error
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("source ", "destination "))]
    return sent.error, received.error


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("encrypt", [True, False])
def test_a_stream_arrives_byte_for_byte_with_its_report(folder, made, streams, encrypt):
    flow = kept(folder, python(ECHO, made), streams=streams, encrypt=encrypt)
    sent, received = went_well(flow)
    assert flow.arrived.read_bytes() == made.read_bytes()
    assert sent.report == {"said": "all told"}
    assert received.report == {"said": "all told", "size": made.stat().st_size}
    assert sent.bytes == received.bytes > made.stat().st_size


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, MIB, MIB + 1, 3 * MIB])
def test_streams_of_every_length(folder, tmp_path, size):
    file = tmp_path / "made"
    file.write_bytes(os.urandom(size))
    flow = kept(folder, python(ECHO, file), streams=2)
    _, received = went_well(flow)
    assert (flow.arrived.read_bytes(), received.report["size"]) == (file.read_bytes(), size)


def test_a_producer_and_a_consumer_that_are_programs(folder, tmp_path):
    (tmp_path / "tree" / "dir").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "tree" / "dir" / str(number)).write_bytes(os.urandom(2 * MIB))
    flow = Flow(folder, ("tar", "--create", "--directory", str(tmp_path / "tree"), "dir"))
    _, received = went_well(flow)
    assert received.report["names"] == ["dir"]
    for number in range(5):
        one, other = flow.arrived / "dir" / str(number), tmp_path / "tree" / "dir" / str(number)
        assert one.read_bytes() == other.read_bytes()


def test_memory_is_bounded_by_the_spool_whatever_the_length(folder):
    flow = Flow(folder, python(TELLS % 150), python(READS))
    most = []
    flow.alpha.progress.step = lambda: most.append(len(flow.source._spool._held))
    went_well(flow)
    assert 0 < max(most) <= MEMORY // MIB


def test_a_slow_consumer_holds_the_producer_up(folder, tmp_path):
    """The producer must not run ahead further than spool, buffers and pipes hold."""
    mark = tmp_path / "mark"
    producer = python(TELLS % 300 + "open(sys.argv[1], 'w')", mark)
    waits = f"import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.02)\n{READS}"
    gate = tmp_path / "gate"
    flow = Flow(folder, producer, python(waits, gate))
    done = threading.Thread(target=lambda: went_well(flow))
    done.start()
    seen = []

    def stands_still():
        seen.append(flow.alpha.progress.counters.bytes_done)
        return seen[-1] and len(seen) > 10 and len(set(seen[-10:])) == 1

    assert eventually(stands_still)
    assert not mark.exists() and seen[-1] < 200 * MIB
    gate.touch()
    done.join(60)
    assert mark.exists()


FAILS = TELLS % 5 + "sys.stdout.close(); print('the disk is gone', file=sys.stderr); sys.exit(1)"
DIES = TELLS % 5 + "import os; sys.stdout.flush(); os.kill(os.getpid(), 11)"


@pytest.mark.parametrize(
    ("program", "words"),
    [(FAILS, "status 1 .*the disk is gone"), (DIES, "SIGSEGV"), ("import sys; sys.exit(3)", "status 3")],
)
def test_a_producer_that_fails_after_plausible_bytes_fails_both_ends(folder, program, words):
    ours, theirs = failed(kept(folder, python(program)))
    assert isinstance(ours, ProducerFailed) and isinstance(theirs, PeerFailed)
    with pytest.raises(ProducerFailed, match=words):
        raise ours


CHATTERS = "import sys\nfor _ in range(4): sys.stderr.write('word ' * 200000); sys.stdout.buffer.write(bytes(1 << 20))"


def test_a_producer_that_says_more_than_a_pipe_holds_is_not_held_up(folder, tmp_path):
    said = tmp_path / "said"
    producer = ProgramSource(python(CHATTERS), said, lambda words: {"said": words[-5:].decode()})
    flow = Flow(folder, producer, python(READS))
    went_well(flow)
    assert said.stat().st_size == 4 * 5 * 200000 and flow.staging.report["said"] == "word "


def test_a_producer_that_cannot_be_started(folder):
    ours, _ = failed(kept(folder, ("/no/such/program",)))
    assert isinstance(ours, ProducerFailed) and "cannot be started" in ours.text


def test_a_judge_that_finds_no_good_word_fails_both_ends(folder, made):
    def sceptic(_said):
        raise ProducerFailed("it did not say that it was completed")

    flow = kept(folder, python(ECHO, made))
    flow.producer._judge = sceptic
    ours, theirs = failed(flow)
    assert isinstance(ours, ProducerFailed) and isinstance(theirs, PeerFailed)


@pytest.mark.parametrize(
    ("consumer", "words"),
    [
        ("import sys; sys.stdin.buffer.read(3 << 20); sys.exit('no room')", "status 1.*no room"),
        ("import os, sys; sys.stdin.buffer.read(3 << 20); os.kill(os.getpid(), 9)", "SIGKILL"),
        (READS + "sys.exit(5)", "status 5.*did not unpack"),
        ("import sys; sys.stdin.buffer.read(1 << 20)", "status 0 and did not take the whole"),
    ],
)
def test_a_consumer_that_fails_fails_both_ends(folder, made, consumer, words):
    ours, theirs = failed(Flow(folder, python(ECHO, made), python(consumer)))
    assert isinstance(theirs, ConsumerFailed) and isinstance(ours, PeerFailed)
    with pytest.raises(ConsumerFailed, match=words):
        raise theirs


LEADS_OUT = """
import os, sys
while sys.stdin.buffer.read(1 << 20): pass
os.makedirs('within/further')
open('within/further/file', 'w').close()
open(sys.argv[1], 'a').write('more')
"""


@pytest.mark.skipif(confine.version() < confine.LEAST, reason="this kernel has no Landlock that can do it")
@pytest.mark.parametrize("way", ["{}", "../../beside", "/proc/self/cwd/../../beside"])
def test_a_consumer_can_write_nowhere_but_in_its_own_directory(folder, made, tmp_path, way):
    """As an unpacker would that reads a name otherwise than we do."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("as it was")
    flow = Flow(folder, python(ECHO, made), python(LEADS_OUT, way.format(elsewhere)))
    _, theirs = failed(flow)
    with pytest.raises(ConsumerFailed, match="PermissionError"):
        raise theirs
    assert elsewhere.read_text() == "as it was" and not list(tmp_path.rglob("beside"))


STUBBORN = """
import signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT): signal.signal(number, signal.SIG_IGN)
if sys.argv[1] == 'deaf': signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.stdout.buffer.write(bytes(4 << 20)); sys.stdout.flush()
time.sleep(600)
"""


@pytest.mark.parametrize("ears", ["hears SIGINT", "deaf"])
def test_a_cancel_really_ends_a_producer_that_ignores_sigterm(folder, ears, monkeypatch):
    monkeypatch.setattr("datamover.host.children.PATIENCE", 0.5)
    flow = kept(folder, python(STUBBORN, ears))
    flow.alpha.at_phase("moving", lambda: threading.Thread(target=cancel, args=(flow,)).start())
    failed(flow)
    assert flow.producer._child.status in (-signal.SIGINT, -signal.SIGKILL, 1)


def cancel(flow, begun=lambda: True):
    eventually(lambda: begun() and flow.alpha.progress.counters.bytes_done >= 2 * MIB)
    flow.alpha.stop.set(Cancelled("the test cancelled it"))


def test_what_a_producer_started_is_ended_with_it(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("datamover.host.children.PATIENCE", 0.5)
    pid = tmp_path / "pid"
    forks = "import os, time\nif not os.fork(): open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)\n"
    forks = f"import sys\n{forks}{TELLS % 4}sys.stdout.flush(); time.sleep(600)"
    flow = kept(folder, python(forks, pid))

    def begun():
        return pid.exists() and pid.read_text()

    flow.alpha.at_phase("moving", lambda: threading.Thread(target=cancel, args=(flow, begun)).start())
    failed(flow)
    assert eventually(lambda: is_dead(pid.read_text()))


def is_dead(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("hanging", ["producer", "consumer"])
def test_one_that_hangs_ends_by_stall(folder, hanging, monkeypatch):
    monkeypatch.setattr("datamover.host.children.PATIENCE", 0.5)
    waits = python("import time; time.sleep(600)")
    producer, consumer = (waits, python(READS)) if hanging == "producer" else (python(TELLS % 100), waits)
    flow = Flow(folder, producer, consumer, stall_timeout=2)
    errors = failed(flow)
    assert Stalled in map(type, errors)


def test_a_connection_that_breaks_costs_nothing_of_the_stream(folder, made, monkeypatch):
    monkeypatch.setattr(carrier, "FIRST_PAUSE", 0.01)
    flow = kept(folder, python(ECHO, made), streams=2)
    relayed(flow, cut_at({1: 3 * MIB + 1234, 2: 2 * MIB, 3: 100, 4: 700_000}))
    sent, _ = went_well(flow)
    assert flow.arrived.read_bytes() == made.read_bytes()
    assert sum(each["connections"] for each in sent.streams) > 4
