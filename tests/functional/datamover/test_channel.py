"""Identities and ports on the real kernel and the real OpenSSL."""

import gc
import os
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from datamover.engine import channel
from datamover.errors import PortUnavailable


@pytest.fixture
def identity():
    made = channel.make_identity("alpha")
    yield made
    made.close()


def taken_port(address="127.0.0.1"):
    listener = channel.bind([address], 0, [20000, 30000])
    return listener, listener.getsockname()[1]


def test_contexts_are_strict(identity):
    server = channel.server_context(identity, [identity.certificate])
    assert server.num_tickets == 0 and server.verify_mode == ssl.CERT_REQUIRED
    assert channel.client_context(identity, [identity.certificate]).minimum_version == ssl.TLSVersion.TLSv1_3


def test_the_key_is_in_no_file_system_and_not_inherited(identity):
    links = {os.readlink(f"/proc/self/fd/{fd}"): int(fd) for fd in os.listdir("/proc/self/fd") if is_open(fd)}
    memory = [fd for target, fd in links.items() if "memfd:identity" in target]
    assert len(memory) == 1
    assert not os.get_inheritable(memory[0])


def is_open(fd):
    return os.path.islink(f"/proc/self/fd/{fd}")


def test_a_closed_identity_leaves_no_descriptor():
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    channel.make_identity("alpha").close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_certificate_says_who_and_depends_on_no_clock(identity):
    certificate = x509.load_pem_x509_certificate(identity.certificate.encode())
    assert "CN=alpha" in certificate.subject.rfc4514_string()
    assert (lasts(certificate, "before"), lasts(certificate, "after")) == (2000, 2999)


def lasts(certificate, side):
    """Older versions of the library know only times without a zone."""
    name = f"not_valid_{side}"
    return getattr(certificate, f"{name}_utc" if hasattr(certificate, f"{name}_utc") else name).year


@pytest.mark.parametrize("name", ["x" * 200, "mönch.example", "a,b=c\n"])
def test_any_minion_id_can_have_an_identity(name):
    identity = channel.make_identity(name)
    assert channel.der(identity.certificate)
    identity.close()


def test_two_identities_of_one_host_differ_in_name_and_key(identity):
    other = channel.make_identity("alpha")
    subjects = {x509.load_pem_x509_certificate(each.certificate.encode()).subject for each in (identity, other)}
    assert len(subjects) == 2
    other.close()


def test_a_signature_holds_for_its_signer_and_its_data_only(identity):
    other = channel.make_identity("alpha")
    signature = channel.sign(identity, b"root")
    assert channel.verify(identity.certificate, b"root", signature)
    assert not channel.verify(identity.certificate, b"Root", signature)
    assert not channel.verify(other.certificate, b"root", signature)
    assert not channel.verify(identity.certificate, b"root", b"garbage")
    other.close()


def test_a_certificate_with_another_kind_of_key_has_signed_nothing(identity):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = x509.load_pem_x509_certificate(identity.certificate.encode())
    builder = x509.CertificateBuilder(own.issuer, own.subject, key.public_key(), 1)
    foreign = builder.not_valid_before(own.not_valid_before_utc).not_valid_after(own.not_valid_after_utc)
    pem = foreign.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    assert not channel.verify(pem, b"root", b"signature")


def test_a_given_port_is_bound():
    listener, port = taken_port()
    listener.close()
    with channel.bind(["127.0.0.1"], port, [4400, 4499]) as again:
        assert again.getsockname()[1] == port


def test_a_given_port_can_be_bound_again_right_after_use():
    listener, port = taken_port()
    with listener, socket.create_connection(("127.0.0.1", port)) as client:
        served, _ = listener.accept()
        served.close()  # the side that closes first keeps the port in TIME_WAIT
        assert client.recv(1) == b""
    channel.bind(["127.0.0.1"], port, [4400, 4499]).close()


def test_a_taken_port_is_refused_with_its_holder():
    listener, port = taken_port()
    words = rf"port {port} on 127.0.0.1 is taken by .*\(pid {os.getpid()}\)"
    with listener, pytest.raises(PortUnavailable, match=words):
        channel.bind(["127.0.0.1"], port, [4400, 4499])


def test_one_port_is_never_given_twice():
    low = 31000
    bound, lock = [], threading.Lock()

    def bind_all():
        while True:
            try:
                listener = channel.bind(["127.0.0.1"], 0, [low, low + 39])
            except PortUnavailable:
                return
            with lock:
                bound.append(listener)

    threads = [threading.Thread(target=bind_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ports = [listener.getsockname()[1] for listener in bound]
    assert sorted(ports) == list(range(low, low + 40))
    assert ports != sorted(ports), "the order is meant to be random"
    with pytest.raises(PortUnavailable, match=f"all 40 ports from {low} to {low + 39} are taken on 127.0.0.1"):
        channel.bind(["127.0.0.1"], 0, [low, low + 39])
    for listener in bound:
        listener.close()


def test_the_range_may_be_one_port():
    listener, port = taken_port()
    listener.close()
    channel.bind(["127.0.0.1"], 0, [port, port]).close()


def test_ipv6_takes_only_ipv6():
    with channel.bind(["::1"], 0, [20000, 30000]) as listener:
        port = listener.getsockname()[1]
        assert listener.family == socket.AF_INET6
        with socket.create_connection(("::1", port)), pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_an_address_of_another_host_is_named():
    with pytest.raises(PortUnavailable, match="203.0.113.9 is not an address of this host"):
        channel.bind(["203.0.113.9"], 0, [4400, 4499])
