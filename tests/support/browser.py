"""A real browser without a window: Debian's Chromium, as ./dev unpacked it, driven over a pipe by its own protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import time
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2] / ".venv/trees/browser"
PROGRAM = TREE / "usr/lib/chromium/chromium-headless-shell"
LIBRARIES = [TREE / "usr/lib/x86_64-linux-gnu", TREE / "usr/lib/x86_64-linux-gnu/pulseaudio"]
NO_BUS = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
FACES = {"sans-serif": "DejaVu Sans", "system-ui": "DejaVu Sans", "monospace": "DejaVu Sans Mono"}
ALIASES = "".join(
    f"<alias><family>{name}</family><prefer><family>{face}</family></prefer></alias>" for name, face in FACES.items()
)
NO_FORMULAE = "<selectfont><rejectfont><glob>*/DejaVuMathTeXGyre*</glob></rejectfont></selectfont>"
PATIENCE = 180.0  # nothing here is about speed, and machines may be slow
BETWEEN_LOOKS = 0.05
PHONE = (390, 844)
DESKTOP = (1280, 900)

FLAGS = (
    "--remote-debugging-pipe",
    "--no-sandbox",  # it is root here, in namespaces of its own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "about:blank",
)


class BrowserError(AssertionError):
    """The page did not do what was waited for, or what was run in it failed."""


class Browser:
    """One browser with one page. `with Browser(place) as browser:` starts and ends it."""

    def __init__(self, place):
        if not PROGRAM.exists():
            pytest.skip(f"there is no browser in {TREE}: ./dev test unpacks it where packages can be fetched")
        self._place = place
        self._number = 0
        self._buffer = b""
        self.said = []
        self._session = None

    def __enter__(self):
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        os.set_blocking(self._read, False)
        self._process = subprocess.Popen(
            [str(PROGRAM), f"--user-data-dir={self._place}", *FLAGS],
            env={**os.environ, **_environment(self._place)},
            preexec_fn=lambda: (os.dup2(to_read, 3), os.dup2(to_write, 4)),  # the numbers that the browser expects
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._attach()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrowserError, OSError):
            self.ask("Browser.close", session=False)
        self._process.terminate()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def _attach(self):
        page = self.ask("Target.createTarget", session=False, url="about:blank")["targetId"]
        told = self.ask("Target.attachToTarget", session=False, targetId=page, flatten=True)
        self._session = told["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setFocusEmulationEnabled", enabled=True)

    # --- the protocol ------------------------------------------------------------------------------------------------

    def ask(self, method, session=True, **params):
        """The result of one command of the protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._await(self._number)

    def _await(self, number):
        deadline = time.monotonic() + PATIENCE
        while True:
            told = self._next(deadline)
            if told.get("id") == number:
                if "error" in told:
                    raise BrowserError(str(told["error"]))
                return told["result"]
            self._hear(told)

    def _next(self, deadline):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._read, 1 << 20) if ready else b""
            if not chunk:
                raise BrowserError("the browser ended, or does not answer")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _hear(self, told):
        """What a page complains of: exceptions, and what its policy of contents forbade."""
        match told.get("method"), told.get("params", {}):
            case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                self.said.append(details.get("exception", {}).get("description") or details.get("text"))
            case "Log.entryAdded", {"entry": {"level": "error", "text": text, **rest}}:
                self.said.append(f"{text} {rest.get('url', '')}".strip())

    # --- the page ----------------------------------------------------------------------------------------------------

    def open(self, address):
        self.ask("Page.navigate", url=address)

    def size(self, width, height, dark=False):
        """The window, and which colours its owner prefers."""
        phone = width < 600
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.await_true(f"innerWidth === {width} && matchMedia('(prefers-color-scheme: {scheme['value']})').matches")

    def run(self, script):
        """What a JavaScript expression gives; a promise is waited for."""
        told = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise BrowserError(told["exceptionDetails"]["exception"].get("description", script))
        return told["result"].get("value")

    def await_true(self, script, patience=PATIENCE):
        """Return when the expression is true."""
        deadline = time.monotonic() + patience
        while not self.run(script):
            if time.monotonic() > deadline:
                raise BrowserError(f"not within {patience:g} s: {script}\n{self.text()}\n{self.said}")
            select.select([], [], [], BETWEEN_LOOKS)

    def await_text(self, words):
        self.await_true(f"document.body?.innerText.includes({json.dumps(words)})")

    def text(self):
        return self.run("document.body.innerText")

    def fill(self, selector, words):
        """Type into a field, as by its owner."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.ask("Input.insertText", text=words)

    def press(self, key):
        code = {"key": key, "code": key, "windowsVirtualKeyCode": {"Enter": 13, "Tab": 9}[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **code)

    def click(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def picture(self, path):
        """The whole page as a PNG."""
        told = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(told["data"]))


def _environment(place):
    """Its libraries and fonts are in its tree, and it keeps nothing elsewhere than in its place."""
    fonts = Path(place) / "fonts.conf"
    directories = "".join(f"<dir>{folder}</dir>" for folder in (TREE / "usr/share/fonts", "/usr/share/fonts"))
    fonts.write_text(f"<fontconfig>{directories}{ALIASES}{NO_FORMULAE}<cachedir>{place}/fonts</cachedir></fontconfig>")
    libraries = ":".join(map(str, LIBRARIES))
    return {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(fonts), "HOME": str(place), **NO_BUS}
