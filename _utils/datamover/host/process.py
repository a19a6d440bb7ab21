"""Run one host command to its end: no shell, no inherited environment, bounded in time.

A command is anything with `.argv` (a tuple of strings) and, if it reads something, `.stdin` (bytes). A command that
cannot be started or does not end is a result too, with the status a shell would give it, so that a caller has one way
to look at failure.
"""
import subprocess
from dataclasses import dataclass

TIMED_OUT, NOT_EXECUTABLE, NOT_FOUND = 124, 126, 127
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class Result:
    """How a command ended. A negative status is the signal that killed it."""

    status: int
    stdout: bytes = b""
    stderr: bytes = b""


def run(command, timeout=30.0):
    """Run `command` and return its Result; after `timeout` seconds it is killed."""
    stdin = getattr(command, "stdin", b"")
    try:
        done = subprocess.run(
            command.argv, input=stdin, capture_output=True, timeout=timeout, env=ENVIRONMENT, check=False
        )
    except subprocess.TimeoutExpired as expired:
        sentence = _sentence(command, f"did not end within {timeout:g} s and was killed")
        return Result(TIMED_OUT, expired.stdout or b"", sentence)
    except FileNotFoundError:
        return Result(NOT_FOUND, stderr=_sentence(command, "is not installed on this host"))
    except OSError as error:
        return Result(NOT_EXECUTABLE, stderr=_sentence(command, f"cannot be started: {error.strerror}"))
    return Result(done.returncode, done.stdout, done.stderr)


def _sentence(command, what):
    return f"{command.argv[0]} {what}".encode("utf-8", "backslashreplace")


def peak_memory():
    """The most bytes of memory that this process has held since it runs its program.

    The kernel's ru_maxrss does not tell: it counts from whoever started the program.
    """
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
