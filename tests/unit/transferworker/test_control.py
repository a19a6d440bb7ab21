"""The control socket: both ends for real, in one process."""

import socket
import stat
import threading

import pytest

from datamover.errors import Busy, Stalled
from transferworker import control


@pytest.fixture
def serve(tmp_path):
    """serve(answer) starts a server in tmp_path."""
    servers = []

    def serve(answer):
        servers.append(control.Server(tmp_path, answer))
        servers[-1].start()
        return servers[-1]

    yield serve
    for server in servers:
        server.close(5)


def ask(tmp_path, request, timeout=10):
    return control.ask(tmp_path, request, timeout)


def test_a_request_is_answered(serve, tmp_path):
    serve(lambda request: {"you asked": request})
    assert ask(tmp_path, {"do": "x", "path": "/a\nb"}) == {"you asked": {"do": "x", "path": "/a\nb"}}


def test_an_error_keeps_its_code_name_and_words(serve, tmp_path):
    def refuse(_request):
        raise Busy("held by another", transfer="7")

    serve(refuse)
    with pytest.raises(control.Refusal) as refusal:
        ask(tmp_path, {})
    assert refusal.value.as_dict() == Busy("held by another", transfer="7").as_dict()


def test_a_bug_is_told_as_one_and_the_server_lives_on(serve, tmp_path):
    serve(lambda request: request["missing"])
    for _ in range(2):
        with pytest.raises(control.Refusal, match="missing") as refusal:
            ask(tmp_path, {})
        assert refusal.value.name == "internal-error"


def test_one_who_waits_does_not_keep_others_waiting(serve, tmp_path):
    release = threading.Event()
    serve(lambda request: release.wait(10) if request == "wait" else "at once")
    waiting = []
    waiter = threading.Thread(target=lambda: waiting.append(ask(tmp_path, "wait")))
    waiter.start()
    assert ask(tmp_path, "quick") == "at once"
    release.set()
    waiter.join()
    assert waiting == [True]


def test_closing_lets_those_under_way_be_answered(serve, tmp_path):
    asked, release = threading.Event(), threading.Event()

    def answer(_request):
        asked.set()
        return release.wait(10)

    server = serve(answer)
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(ask(tmp_path, {})))
    waiter.start()
    asked.wait(10)
    closer = threading.Thread(target=server.close, args=(10,))
    closer.start()
    release.set()
    closer.join()
    waiter.join()
    assert answers == [True]


def test_nobody_there_is_told(serve, tmp_path):
    with pytest.raises(control.NobodyThere):
        ask(tmp_path, {})
    serve(lambda request: 1).close(1)
    with pytest.raises(control.NobodyThere):
        ask(tmp_path, {})


def test_a_worker_that_dies_while_it_is_asked_is_nobody(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / control.NAME))
        listener.listen()
        dying = threading.Thread(target=lambda: listener.accept()[0].close())
        dying.start()
        with pytest.raises(control.NobodyThere):
            ask(tmp_path, {})
        dying.join()


def test_a_worker_that_never_answers_is_told_with_the_place_to_look(serve, tmp_path):
    release = threading.Event()
    serve(lambda request: release.wait(10))
    with pytest.raises(Stalled, match=str(tmp_path)):
        ask(tmp_path, {}, timeout=0.05)
    release.set()


def test_it_works_below_a_path_longer_than_a_socket_address(tmp_path):
    directory = tmp_path / ("long" * 40)
    directory.mkdir()
    server = control.Server(directory, lambda request: request)
    server.start()
    assert ask(directory, "hello") == "hello"
    server.close(1)


def test_a_socket_left_by_a_dead_worker_is_in_nobodys_way(serve, tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / control.NAME))
    serve(lambda request: request)
    assert ask(tmp_path, 1) == 1
    control.remove(tmp_path)
    control.remove(tmp_path)
    assert not (tmp_path / control.NAME).exists()


@pytest.mark.parametrize("garbage", [b"", b"\n", b"{", b"x" * 100 + b"\n", b"\xff\n"])
def test_garbage_on_the_socket_harms_nobody(serve, tmp_path, garbage):
    serve(lambda request: request)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / control.NAME))
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        assert b"error" in client.makefile("rb").readline()
    assert ask(tmp_path, 1) == 1


def test_only_the_owner_can_connect(serve, tmp_path):
    serve(lambda request: request)
    assert stat.S_IMODE((tmp_path / control.NAME).stat().st_mode) == 0o600


def test_a_moment_without_descriptors_does_not_end_it(serve, tmp_path, monkeypatch):
    accept, full = socket.socket.accept, [OSError(24, "Too many open files")] * 2

    def scarce(self):
        if full:
            raise full.pop()
        return accept(self)

    monkeypatch.setattr("transferworker.control.MOMENT", 0.01)
    monkeypatch.setattr(socket.socket, "accept", scarce)
    serve(lambda request: request)
    assert ask(tmp_path, 1) == 1
    assert full == []
