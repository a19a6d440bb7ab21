"""What peers need to be set up: a certificate, keys and configuration of ssh, a module of rsync. All in one directory.

Nothing of it lies where the host's own ssh or rsync would look.
"""

import contextlib
import os
import shutil
from pathlib import Path

from .network import call

SSHD_CONFIG = """\
HostKey {things}/host_key
AuthorizedKeysFile {things}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""
SSH_CONFIG = """\
Host *
    User root
    IdentityFile {things}/user_key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    GlobalKnownHostsFile /dev/null
    LogLevel ERROR
"""
RSYNCD_CONFIG = """\
use chroot = no
munge symlinks = no
uid = root
gid = root
[place]
path = {place}
read only = no
"""
CONFIGURATIONS = {"sshd_config": SSHD_CONFIG, "ssh_config": SSH_CONFIG, "rsyncd.conf": RSYNCD_CONFIG}
SSHD_USER = "sshd:x:74:65534:sshd:/run/sshd:/usr/sbin/nologin\n"


def furnish(things, place):
    """Write all of it; `place` is where destinations receive."""
    for name, text in CONFIGURATIONS.items():
        Path(things, name).write_text(text.format(things=things, place=place), encoding="utf-8")
    if shutil.which("openssl"):
        make_certificate(things)
    if shutil.which("ssh-keygen"):
        for name in ("host_key", "user_key"):
            call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{things}/{name}")


def make_certificate(things):
    """A key with a certificate of its own, in one file, as socat takes it."""
    key, certificate = f"{things}/key.pem", f"{things}/certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    whose = ["-days", "365", "-subj", "/CN=bench"]
    call("openssl", "req", "-x509", *kind, *whose, "-keyout", key, "-out", certificate)
    Path(things, "pair.pem").write_text(Path(key).read_text() + Path(certificate).read_text(), encoding="ascii")
    os.chmod(f"{things}/pair.pem", 0o600)


def make_sshd_at_home(things):
    """Give sshd its directory, and its user where the system has none; only in a mount namespace of our own."""
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    users = Path("/etc/passwd").read_text(encoding="utf-8")
    if "\nsshd:" not in users:
        own = Path(things, "passwd")
        own.write_text(users + SSHD_USER, encoding="utf-8")
        call("mount", "--bind", str(own), "/etc/passwd")


def see_unpacked(unpacked):
    """Let programs of packages that were unpacked, not installed, stand in /usr; only in our own mount namespace."""
    with contextlib.suppress(FileNotFoundError):
        if os.listdir(unpacked):
            call("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={unpacked}/usr:/usr", "/usr")
