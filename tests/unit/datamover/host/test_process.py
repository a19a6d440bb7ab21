"""Host commands: real processes, every way to end."""
import signal
from dataclasses import dataclass

from datamover.host import process


@dataclass(frozen=True)
class Command:
    argv: tuple
    stdin: bytes = b""


def test_status_and_both_outputs_are_kept():
    result = process.run(Command(("sh", "-c", "echo out; echo err >&2; exit 3")))
    assert result == process.Result(3, b"out\n", b"err\n")


def test_stdin_is_fed_and_closed():
    assert process.run(Command(("cat",), b"two\nlines\n")).stdout == b"two\nlines\n"


def test_without_stdin_a_reader_sees_the_end_at_once():
    assert process.run(Command(("cat",))) == process.Result(0)


def test_arguments_reach_the_command_untouched_by_any_shell():
    hostile = "$(touch /tmp/owned); `id` \n'\""
    assert process.run(Command(("printf", "%s", hostile))).stdout == hostile.encode()


def test_a_missing_program_is_a_result_that_says_so():
    result = process.run(Command(("no-such-program-here",)))
    assert result.status == process.NOT_FOUND
    assert b"no-such-program-here is not installed" in result.stderr


def test_a_file_that_is_no_program_is_a_result_that_says_so(tmp_path):
    result = process.run(Command((str(tmp_path),)))
    assert result.status == process.NOT_EXECUTABLE
    assert b"cannot be started" in result.stderr


def test_a_command_that_does_not_end_is_killed_and_keeps_what_it_said():
    result = process.run(Command(("sh", "-c", "echo begun; exec cat /dev/zero >/dev/null")), timeout=3)
    assert (result.status, result.stdout) == (process.TIMED_OUT, b"begun\n")
    assert b"3 s" in result.stderr


def test_a_signal_shows_as_a_negative_status():
    assert process.run(Command(("sh", "-c", "kill -9 $$"))).status == -signal.SIGKILL


def test_nothing_of_our_environment_is_inherited(monkeypatch):
    monkeypatch.setenv("PASSWORD", "secret")
    assert process.run(Command(("env",))).stdout.decode().splitlines() == [
        f"{name}={value}" for name, value in process.ENVIRONMENT.items()
    ]


def test_administrators_programs_are_found_even_when_our_own_path_lacks_them(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert process.run(Command(("sh", "-c", "command -v ip"))).status == 0
