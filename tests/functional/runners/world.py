"""Minions in memory with real Salt keys: what the runner asks, they answer and sign."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import saltface
from tests.support.fleet import FakeFleet
from tests.unit.transferplan import samples
from transferplan import inforce, settings, statement
from transferplan.request import Member

UNKNOWN = {"code": 102, "name": "unknown-transfer", "retryable": False, "text": "never heard of it", "evidence": {}}


class FakeMinion:
    """One minion: `calls` lists what it was asked, `says` changes what it answers to a function."""

    def __init__(self, name, root):
        self.name = name
        self.opts = {"id": name, "pki_dir": str(root / name)}
        self.calls = []
        self.says = {}
        self.specs = {}
        self.public = make_key(root / name)

    def functions(self):
        told = ("record", "facts", "follow", "status", "list", "log", "audit", "verify")
        names = (*told, "settings", "doctor", "matches", "queue", "prepare", "arm", "go", "limit", "cancel", "sweep")
        return {f"transfer.{name}": self._function(name) for name in names}

    def _function(self, name):
        def function(nonce, **arguments):
            self.calls.append((name, arguments))
            about = arguments.get("ask") or arguments.get("spec") or arguments
            answer = self.says.get(name, getattr(self, name, None))
            payload = answer(**arguments) if callable(answer) else answer
            if payload is FakeFleet.SILENT:
                return payload
            return self.signed(
                payload, nonce, about.get("transfer", ""), about.get("role", ""), attempt=about.get("attempt", 0)
            )

        return function

    def signed(self, payload, nonce, transfer, role, name=None, attempt=1):
        stated = statement.Question(name or self.name, nonce, transfer, attempt, role).state(payload)
        return {"statement": stated, "signature": saltface.sign(self.opts, statement.canonical(stated))}

    def asked(self):
        return [name for name, _ in self.calls]

    # what a healthy minion answers

    def facts(self, ask):
        return getattr(samples, self.name)()

    def prepare(self, spec):
        self.specs[spec["transfer"], spec["role"]] = spec
        return {"certificate": self.name, "port": 4401 if spec["role"] == "destination" else None, "addresses": {}}

    matches = {"matches": True}
    queue = {"turn": True, "running": [], "waiting": [], "at": 1.0}
    arm = go = {"phase": "armed"}
    cancel = {"phase": "cancelled"}
    sweep = {"found": [{"what": "pinhole"}], "removed": []}
    log = {"lines": ["one", "two"], "more": False}
    audit = {"lines": [{"n": 1, "at": "then", "what": "begun"}], "more": False}

    def record(self, transfer, role, **_):
        """What it was asked last; `says` to a `follow` how that went."""
        spec = self.specs.get((transfer, role))
        if spec is None:
            return {"error": UNKNOWN}
        told = self.says.get("follow", self.follow)
        status = told(role=role) if callable(told) else told
        return {"spec": spec, "status": {**status, "transfer": transfer, "attempt": spec["attempt"]}}

    def settings(self, asked, given, **_):
        """In force on a minion whose own configuration holds a limit."""
        own, trouble = settings.sound_on_host(asked, given, None, {"limit": "1MB/s"})
        return {"settings": inforce.rows(own, "host", "minion"), "policy": None, "trouble": trouble}

    def verify(self, transfer, role, **_):
        return samples.verified(Member(self.name, role))

    def follow(self, role, **_):
        return samples.status(Member(self.name, role), verdict=samples.verdict())

    @property
    def role(self):
        return "source" if self.name == "alpha" else "destination"

    def status(self, transfer, role, **_):
        return samples.status(Member(self.name, role)) if self.role == role else {"error": UNKNOWN}

    def list(self, after=0, **_):
        run = {"transfer": samples.TRANSFER, "role": self.role, "phase": "moving", "wall": "2026-01-01T00:00:00"}
        return {"runs": [run][after:], "more": 1}


def make_key(pki):
    """Write minion.pem as Salt does; returns the public key as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pki.mkdir()
    (pki / "minion.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
