"""Who may talk: one-time identities, TLS contexts that know the roster and nobody else, and the port that is bound.

An identity lives for one attempt. Its key never touches a disk: it stays in this process and, for OpenSSL to load, in
an anonymous memory file. Certificates are self-signed and exchanged through Salt; there is no authority, no host name
and no clock in the decision: a peer is who presents exactly the certificate that the roster has for it.
"""

import datetime
import errno
import os
import random
import secrets
import socket
import ssl

import psutil
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..errors import PortUnavailable

BACKLOG = 64

# Wide and fixed: a wrong clock on a host must not end a transfer.
_NOT_BEFORE = datetime.datetime(2000, 1, 1)
_NOT_AFTER = datetime.datetime(2999, 12, 31)
_LONGEST_NAME = 64
_SIGNATURE = ec.ECDSA(hashes.SHA256())


class Identity:
    """A key that only this process has, and its certificate (PEM, str)."""

    def __init__(self, key, certificate):
        self.certificate = _pem(certificate).decode("ascii")
        self._key = key
        self._memory = os.memfd_create("identity", os.MFD_CLOEXEC)
        os.write(self._memory, _pem(certificate) + _key_pem(key))

    def load_into(self, context):
        context.load_cert_chain(f"/proc/self/fd/{self._memory}")

    def sign(self, data):
        return self._key.sign(data, _SIGNATURE)

    def close(self):
        """Forget the key."""
        if self._memory is not None:
            os.close(self._memory)
        self._key = self._memory = None


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_identity(common_name):
    """A new EC P-256 key with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial number makes the name unique: OpenSSL finds an anchor by its name, and a roster can hold a host twice.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_LONGEST_NAME]),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, secrets.token_hex(16)),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(key, certificate)


def der(certificate):
    """A PEM certificate as the bytes that are compared."""
    return ssl.PEM_cert_to_DER_cert(certificate)


def sign(identity, data):
    return identity.sign(data)


def verify(certificate, data, signature):
    """Whether the owner of a PEM certificate signed the data; nobody of ours has another kind of key."""
    public = x509.load_pem_x509_certificate(certificate.encode("ascii")).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return False
    try:
        public.verify(signature, data, _SIGNATURE)
    except InvalidSignature:
        return False
    return True


def server_context(identity, certificates):
    """TLS 1.3 for who accepts connections from the owners of these PEM certificates."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity, certificates)
    context.num_tickets = 0
    return context


def client_context(identity, certificates):
    """TLS 1.3 for who connects to an owner of one of these PEM certificates."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, identity, certificates)


def _context(protocol, identity, certificates):
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata="".join(certificates))
    identity.load_into(context)
    return context


def bind(addresses, port, ports):
    """A listening socket on the first address: on `port`, or if that is 0 on a free one of `ports` (low, high).

    It listens at once because only that reserves the port: two sockets that may reuse addresses can both bind one, but
    only one can listen.
    """
    address = addresses[0]
    candidates = [port] if port else random.sample(range(ports[0], ports[1] + 1), ports[1] - ports[0] + 1)
    for candidate in candidates:
        try:
            return _listen(address, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _unbindable(address, candidate, error) from error
    raise _taken(address, port) if port else _all_taken(address, ports)


def _listen(address, port):
    listener = socket.socket(family_of(address), socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def place(address, port):
    """An address and a port as people write them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _unbindable(address, port, error):
    if error.errno == errno.EADDRNOTAVAIL:
        text = f"{address} is not an address of this host (any more), so nothing can listen there"
    elif error.errno == errno.EACCES:
        text = f"this user may not listen on {place(address, port)}: ports below 1024 need root"
    else:
        text = f"cannot listen on {place(address, port)}: {error.strerror} (errno {error.errno})"
    return PortUnavailable(text, address=address, port=port, errno=error.errno)


def _taken(address, port):
    text = f"port {port} on {address} is taken by {holder(port)}: choose another port, or none to have one found"
    return PortUnavailable(text, address=address, port=port)


def _all_taken(address, ports):
    low, high = ports
    text = f"all {high - low + 1} ports from {low} to {high} are taken on {address}: widen `ports` or wait"
    return PortUnavailable(text, address=address, ports=[low, high])


def holder(port):
    """Words for the process that listens on a port, as far as this user may know."""
    pids = {each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port}
    names = sorted(filter(None, map(_process_name, pids)))
    return " and ".join(names) or "a process that cannot be seen from here"


def _process_name(pid):
    try:
        return pid and f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
