"""Somebody who types what a page says, in a lab."""

import difflib
import shlex

from tests.support import pages


class Reader:
    """Types what a page says, and notes what is not as it says."""

    def __init__(self, lab):
        self._lab = lab
        self._transfer = ""
        self._status, self._said = 0, ""
        self._printed = {}
        self.surprises = []

    def follow(self, step):
        command = pages.with_transfer(step.command, self._transfer)
        asks_status = "$?" in command
        if not asks_status:
            self._expect_no_failure(f"before line {step.line}: {command}")
        done = self._run(step.host, f"(exit {self._status}); {command}")
        self._status, self._said = 0 if asks_status else done.returncode, done.stdout
        self._transfer = pages.last_transfer(done.stdout, self._transfer)
        self._compare(step, command, done)

    def end(self):
        """The page is over: of its last command, too, the status counts."""
        self._expect_no_failure("with the last command of the page")

    def _expect_no_failure(self, where):
        if self._status:
            self.surprises.append(f"ended with status {self._status} {where}\n{self._said}")

    def _run(self, host, command):
        places = f"PATH={shlex.quote(str(self._lab._salt_bin))}:$PATH; cd /root; exec 2>&1\n"
        return self._lab.machine(host).run(["bash", "-c", places + command], check=False, timeout=300)

    def _compare(self, step, command, done):
        if step.shown is None and done.returncode:
            self.surprises.append(f"line {step.line}: {command} ended with {done.returncode}:\n{done.stdout}")
        if step.compared and not pages.fits(step.shown, done.stdout):
            self._printed[step] = done.stdout
            wanted, got = pages.plain("\n".join(step.shown)), pages.plain(done.stdout)
            told = "\n".join(difflib.unified_diff(wanted, got, "the page", "what was printed", lineterm=""))
            self.surprises.append(f"line {step.line}: {command}\n{told}")

    def rewritten(self, text):
        """The page with what was printed in the place of what was not."""
        lines = text.splitlines()
        for step in sorted(self._printed, key=lambda each: each.line, reverse=True):
            first = step.line
            while lines[first - 1].endswith("\\"):
                first += 1
            kept = [line.rstrip() for line in self._printed[step].splitlines() if "unclosed" not in line]
            lines[first : first + len(step.shown)] = kept
        return "\n".join(lines) + "\n"
