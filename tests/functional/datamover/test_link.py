"""Links over real sockets: plain and TLS behave alike."""

import fcntl
import os
import socket
import ssl
import sys
import termios
import threading

import pytest

from datamover.engine import channel
from datamover.engine.link import EndOfStream, Link, TlsLink
from datamover.engine.stop import Countdown, Stop, Stopped, wait_ready
from tests.support.waiting import eventually


@pytest.fixture
def stop():
    return Stop()


def plain_pair(stop):
    ours, theirs = socket.socketpair()
    return Link(ours, stop), Link(theirs, stop)


def tls_pair(stop):
    client, server = channel.make_identity("client"), channel.make_identity("server")
    ours, theirs = socket.socketpair()
    links = (
        TlsLink(ours, channel.client_context(client, [server.certificate]), False, stop),
        TlsLink(theirs, channel.server_context(server, [client.certificate]), True, stop),
    )
    other = threading.Thread(target=links[1].handshake)
    other.start()
    links[0].handshake()
    other.join()
    assert links[0].peer_der == channel.der(server.certificate)
    assert links[1].peer_der == channel.der(client.certificate)
    return links


@pytest.fixture(params=[plain_pair, tls_pair])
def pair(request, stop):
    links = request.param(stop)
    yield links
    for link in links:
        link.close()


def send_in_background(link, data):
    thread = threading.Thread(target=link.send, args=(data,))
    thread.start()
    return thread


def test_what_is_sent_arrives(pair):
    data = os.urandom(5_000_000)
    sender = send_in_background(pair[0], data)
    got = bytearray(len(data))
    pair[1].fill(memoryview(got))
    sender.join()
    assert got == data
    assert pair[0].sent == pair[1].received >= len(data)


def test_both_directions_at_once_with_a_thread_each(pair):
    data = os.urandom(3_000_000)
    senders = [send_in_background(link, data) for link in pair]
    for link in pair:
        got = bytearray(len(data))
        link.fill(memoryview(got))
        assert got == data
    for sender in senders:
        sender.join()


def test_small_messages_keep_their_order(pair):
    sender = threading.Thread(target=lambda: [pair[0].send(number.to_bytes(4, "big")) for number in range(1000)])
    sender.start()
    got = bytearray(4000)
    pair[1].fill(memoryview(got))
    sender.join()
    assert got == b"".join(number.to_bytes(4, "big") for number in range(1000))


def test_a_close_is_noticed(pair):
    pair[0].close()
    with pytest.raises(EndOfStream):
        pair[1].receive_into(memoryview(bytearray(10)))


def say_farewell(link):
    """What a TLS end sends that will send nothing more, though its socket stays open."""
    with pytest.raises(ssl.SSLWantReadError):
        link._tls.unwrap()
    Link.send(link, link._outgoing.read())


@pytest.mark.parametrize("how", ["fill", "receive_into"])
def test_what_follows_the_farewell_of_tls_is_not_taken(stop, how):
    ours, theirs = tls_pair(stop)
    ours.send(b"last")
    say_farewell(ours)
    last = bytearray(10)
    assert theirs.receive_into(memoryview(last)) == 4 and last[:4] == b"last"
    ours.socket.send(bytes(100_000))
    with pytest.raises(EndOfStream):
        getattr(theirs, how)(memoryview(bytearray(10)))
    before = theirs.received
    with pytest.raises(EndOfStream):
        getattr(theirs, how)(memoryview(bytearray(10)))
    assert theirs.received == before
    ours.close()
    theirs.close()


def test_receiving_ends_with_the_work(pair, stop):
    threading.Timer(0.05, stop.set, [ValueError()]).start()
    with pytest.raises(Stopped):
        pair[1].receive_into(memoryview(bytearray(10)))


def test_sending_to_a_silent_reader_ends_with_the_work(pair, stop):
    threading.Timer(0.05, stop.set, [ValueError()]).start()
    with pytest.raises(Stopped):
        pair[0].send(bytes(50_000_000))


@pytest.fixture
def tcp_pair(stop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    links = Link(ours, stop), Link(theirs, stop)
    yield links
    for link in links:
        link.close()


def fill_in_background(link, count):
    thread = threading.Thread(target=link.fill, args=(memoryview(bytearray(count)),))
    thread.start()
    return thread


def waiting_bytes(link):
    return int.from_bytes(fcntl.ioctl(link.socket, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_who_waits_for_many_bytes_is_not_woken_for_each_few(tcp_pair, monkeypatch):
    woken = []

    def noting(*arguments):
        ready = wait_ready(*arguments)
        woken.append(ready)
        return ready

    monkeypatch.setattr("datamover.engine.link.wait_ready", noting)
    sender, receiver = tcp_pair
    filling = fill_in_background(receiver, 100_000)
    for number in range(100):
        sender.send(bytes(1000))
        eventually(lambda sent=1000 * (number + 1): receiver.received + waiting_bytes(receiver) == sent)
    filling.join()
    assert sum(woken) <= 1


def test_what_trickles_in_is_seen_though_it_is_not_enough(tcp_pair):
    sender, receiver = tcp_pair
    filling = fill_in_background(receiver, 100_000)
    sender.send(b"a little")
    eventually(lambda: receiver.received == 8)
    sender.send(bytes(100_000 - 8))
    filling.join()


@pytest.mark.parametrize("silence", [None, 60])
def test_too_little_ends_with_patience_or_is_seen_by_who_looks_for_silence(tcp_pair, silence):
    sender, receiver = tcp_pair
    receiver.patience, receiver.silence = Countdown(0.05), silence
    sender.send(b"a little")
    if silence is None:
        with pytest.raises(TimeoutError):
            receiver.fill(memoryview(bytearray(100_000)))
    else:
        filling = fill_in_background(receiver, 100_000)
        sender.send(b"more")
        eventually(lambda: receiver.received == 12)
        sender.send(bytes(100_000 - 12))
        filling.join()


def test_patience_ends(pair):
    pair[1].patience = Countdown(0.01)
    with pytest.raises(TimeoutError):
        pair[1].receive_into(memoryview(bytearray(10)))


def test_what_came_before_the_end_of_the_work_is_taken(pair, stop):
    """It may be the other end's last word, which tells why."""
    for link in pair:
        link.send(b"why")
    stop.set(ValueError())
    for link in pair:
        word = bytearray(3)
        assert link.receive_into(memoryview(word)) == 3 and word == b"why"


@pytest.fixture
def flooded(stop):
    """The end of a link on which more tickets wait than one portion holds: records of TLS that carry nothing."""
    client, server = channel.make_identity("client"), channel.make_identity("server")
    generous = channel.server_context(server, [client.certificate])
    generous.num_tickets = 50
    ours, theirs = socket.socketpair()
    flooding = TlsLink(theirs, generous, True, stop)
    link = TlsLink(ours, channel.client_context(client, [server.certificate]), False, stop, portion=1024)
    other = threading.Thread(target=flooding.handshake)
    other.start()
    link.handshake()
    other.join()
    flooding.close()
    yield link
    link.close()


def test_a_flood_that_carries_nothing_ends_with_patience(flooded):
    flooded.patience = Countdown(0)
    with pytest.raises(TimeoutError):
        flooded.receive_into(memoryview(bytearray(10)))


def test_a_flood_that_carries_nothing_ends_with_the_work(flooded, stop):
    stop.set(ValueError())
    with pytest.raises(Stopped):
        flooded.receive_into(memoryview(bytearray(10)))


def test_an_interrupted_send_is_completed_by_the_next(pair, stop):
    """Else a farewell after a stop would arrive in the middle of a TLS record."""
    data = os.urandom(20_000_000)
    threading.Timer(0.05, stop.set, [ValueError()]).start()
    with pytest.raises(Stopped):
        pair[0].send(data)
    for link in pair:
        link.stop = Stop()
    sender = send_in_background(pair[0], b"farewell")
    got = bytearray(len(data) + 8)
    pair[1].fill(memoryview(got))
    sender.join()
    assert got == data + b"farewell"


def test_a_first_byte_can_be_seen_without_taking_it(stop):
    ours, theirs = plain_pair(stop)
    ours.send(b"\x16rest")
    assert theirs.peek() == b"\x16"
    got = bytearray(5)
    theirs.fill(memoryview(got))
    assert got == b"\x16rest"
    ours.close()
    theirs.close()


def test_an_aborted_link_leaves_nothing_for_the_kernel_to_offer(stop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = Link(socket.create_connection(listener.getsockname()), stop)
        with listener.accept()[0] as theirs:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            ours.socket.send(bytes(1_000_000))
            ours.abort()
            with pytest.raises(ConnectionResetError):
                while theirs.recv(1 << 20):
                    pass


def test_what_the_kernel_still_holds_is_seen(stop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = Link(socket.create_connection(listener.getsockname()), stop, Countdown(0.2))
        theirs, _ = listener.accept()
        with theirs:
            assert ours.backlog == 0 and ours.in_flight == 0
            with pytest.raises(TimeoutError):
                ours.send(bytes(100_000_000))
            assert ours.in_flight >= ours.backlog > 0
            assert eventually(lambda: ours.pushed_back > 0)
            assert ours.held > 0
            ours.close()
