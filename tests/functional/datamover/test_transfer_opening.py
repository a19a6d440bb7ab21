"""Who may talk, in which version, on which terms; and nothing that answers at all."""

import dataclasses
import os
import socket
import ssl
import struct

import pytest

from datamover.engine import channel
from datamover.engine.terms import Terms
from datamover.errors import HandshakeRefused, PeerFailed, PeerUnreachable, Stalled, VersionMismatch
from tests.functional.datamover.ends import Ends, Guess, Running, member, refused
from tests.functional.datamover.networks import deaf_port

MIB = 1024 * 1024


# Who may talk


def test_a_certificate_that_is_not_in_the_roster_is_refused_at_hello(root, folder):
    ends = Ends(root, folder, stall_timeout=1.5)
    ends.alpha.identity = channel.make_identity("alpha")
    source_error, destination_error = refused(ends)
    assert isinstance(source_error, HandshakeRefused)
    assert "beta (port" in source_error.text
    assert isinstance(destination_error, Stalled)
    assert len(ends.beta.told("stranger")) == 1


def test_a_server_with_another_certificate_is_refused(root, folder):
    ends = Ends(root, folder, stall_timeout=1.5)
    ends.beta.identity = channel.make_identity("beta")
    source_error, _ = refused(ends)
    assert isinstance(source_error, HandshakeRefused)
    assert "not in the roster" in source_error.text


@pytest.mark.parametrize("claim", ["alpha", "gamma"])
def test_another_member_of_the_roster_cannot_be_the_source(root, folder, claim):
    ends = Ends(root, folder, stall_timeout=1.5)
    gamma = channel.make_identity("gamma")
    ends.roster["members"].append(member("gamma", "relay", ["127.0.0.1"], None, gamma))
    ends.alpha.identity, ends.alpha.spec["host"] = gamma, claim
    source_error, _ = refused(ends)
    assert isinstance(source_error, HandshakeRefused)
    assert "credentials of gamma" in ends.beta.told("stranger")[0]["why"]


def test_another_member_of_the_roster_cannot_be_the_destination(root, folder):
    ends = Ends(root, folder, stall_timeout=1.5)
    gamma = channel.make_identity("gamma")
    ends.roster["members"].append(member("gamma", "relay", ["127.0.0.1"], None, gamma))
    ends.beta.identity = gamma
    source_error, _ = refused(ends)
    assert isinstance(source_error, HandshakeRefused)
    assert "certificate of another member" in source_error.text


def connect_to(ends, own_address="127.0.0.2"):
    """As a stranger, or with 127.0.0.1 as somebody at the source's address."""
    return socket.create_connection(("127.0.0.1", ends.port), source_address=(own_address, 0))


@pytest.mark.parametrize("encrypt", [True, False])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_strangers_neither_block_nor_end_a_transfer(root, folder, encrypt, address):
    ends = Ends(root, folder, encrypt=encrypt)
    receiving = Running(ends.receiver().run)
    silent = [connect_to(ends, address) for _ in range(40)]
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(3000), b"\x16\x03\x01" + os.urandom(600), b"\x00"):
        with connect_to(ends, address) as stranger:
            stranger.sendall(garbage)
    connect_to(ends, address).close()
    sent, received = ends.sender().run(), receiving.result()
    assert (sent.error, received.error) == (None, None)
    for each in silent:
        each.close()


def test_a_flood_of_strangers_is_not_a_flood_of_events(root, folder):
    ends = Ends(root, folder)
    receiving = Running(ends.receiver().run)
    for _ in range(200):
        with connect_to(ends) as stranger:
            stranger.sendall(b"garbage" * 10)
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sent, received = ends.sender().run(), receiving.result()
    assert (sent.error, received.error) == (None, None)
    assert len(ends.beta.told("stranger")) <= 20


def test_a_bulk_connection_without_its_token_is_refused(root, folder):
    """A plain connection that guesses: the real one still gets in."""
    ends = Ends(root, folder, encrypt=False)
    guess = Terms.of(ends.alpha.spec)

    def intrude():
        hello = guess.hello(Guess(), "bulk", 1, os.urandom(32))
        with connect_to(ends) as stranger:
            stranger.sendall(hello.encode())
            assert stranger.recv(1) == b""

    ends.beta.at_phase("proved", intrude)
    sent, received = ends.run()
    assert (sent.error, received.error) == (None, None)
    assert "no valid token for stream 1" in ends.beta.told("stranger")[0]["why"]


# Versions and terms


class Older(Terms):
    def hello(self, *args, **keywords):
        return dataclasses.replace(super().hello(*args, **keywords), project="0.0.9")


def test_another_version_is_refused_at_hello_with_both_versions(root, folder, monkeypatch):
    ends = Ends(root, folder)
    sender = ends.sender()
    sender._terms = Older.of(ends.alpha.spec)
    receiving = Running(ends.receiver().run)
    source_error, destination_error = sender.run().error, receiving.result().error
    assert isinstance(destination_error, VersionMismatch)
    assert isinstance(source_error, PeerFailed) and source_error.evidence["name"] == "version-mismatch"
    for error in (source_error, destination_error):
        assert "0.0.9" in error.text and "0.1.0" in error.text


@pytest.mark.parametrize(
    "name, value",
    [("digest", "blake3"), ("verify", "flight"), ("encrypt", False), ("streams", 2), ("block_size", 2 * MIB)],
)
def test_ends_that_were_told_different_settings_refuse_each_other(root, folder, name, value):
    ends = Ends(root, folder)
    ends.alpha.spec["settings"][name] = value
    source_error, destination_error = refused(ends)
    assert isinstance(source_error, PeerFailed) and isinstance(destination_error, VersionMismatch)
    assert "features would be needed on both ends" in source_error.text


def test_a_source_with_another_roster_is_refused(root, folder):
    ends = Ends(root, folder)
    sender = ends.sender()
    ends.roster = {**ends.roster, "epoch": 2}
    receiving = Running(ends.receiver().run)
    assert sender.run().error.evidence["name"] == "roster-mismatch"
    assert receiving.result().error.name == "roster-mismatch"


# Nothing answers


def test_a_port_where_nothing_listens_is_told_with_address_port_and_errno(root, folder):
    ends = Ends(root, folder)
    ends.listener.close()
    error = ends.sender().run().error
    assert isinstance(error, PeerUnreachable) and error.retryable
    assert f"127.0.0.1:{ends.port} refused the connection" in error.text and "errno 111" in error.text


def test_who_accepts_and_never_answers_ends_the_attempt(root, folder, monkeypatch):
    monkeypatch.setattr("datamover.engine.opening.PATIENCE", 0.5)
    ends = Ends(root, folder)
    ends.listener.listen()
    error = ends.sender().run().error
    assert isinstance(error, PeerUnreachable)
    assert "did not complete the handshake within 0.5 s" in error.text


def test_a_source_that_never_comes_ends_by_stall(folder, root):
    ends = Ends(root, folder, stall_timeout=1)
    error = ends.receiver().run().error
    assert isinstance(error, Stalled) and "alpha has not been heard" in error.text


def test_control_without_tls_is_refused_even_where_bulk_is_plain(root, folder):
    ends = Ends(root, folder, encrypt=False)
    receiving = Running(ends.receiver().run)
    with connect_to(ends) as stranger:
        stranger.sendall(Terms.of(ends.alpha.spec).hello(Guess()).encode())
        assert stranger.recv(1) == b""
    sent, received = ends.sender().run(), receiving.result()
    assert (sent.error, received.error) == (None, None)
    assert "asked for a control connection without TLS" in ends.beta.told("stranger")[0]["why"]


def test_an_older_tls_is_refused(root, folder):
    ends = Ends(root, folder)
    receiving = Running(ends.receiver().run)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect_to(ends) as stranger, pytest.raises(ssl.SSLError, match="(?i)version"):
        context.wrap_socket(stranger)
    sent, received = ends.sender().run(), receiving.result()
    assert (sent.error, received.error) == (None, None)


def test_a_second_control_connection_of_the_source_is_refused(root, folder):
    """Only the source can try: it has the key. It ends the transfer, because something is very wrong."""
    ends = Ends(root, folder)
    intruder = ends.sender()
    ends.beta.at_phase("moving", lambda: Running(intruder.run).result())
    sent, received = ends.run()
    assert received.error.name == "not-a-peer" and "second control connection" in received.error.text
    assert sent.error is not None and ends.sealed == []


def test_connecting_is_given_up_before_the_other_end_gives_up_waiting(root, folder):
    ends = Ends(root, folder, lease=0.6)
    with deaf_port() as port:
        ends.roster["members"][1]["port"] = port
        sent = ends.sender().run()
    assert isinstance(sent.error, PeerUnreachable)
    assert "did not answer within 0.4 s" in sent.error.text
