"""A man in the middle: passes connections on to a port, and may change or cut what goes by."""

import socket
import threading


class Relay:
    """`tamper(connection, data, at)` sees what the connecting side sends: the number of the connection (from 0), a
    portion of bytes and where it begins. It returns what to pass on, or None to cut the connection; less than it saw
    is passed on and then cut.
    """

    def __init__(self, address, port, tamper):
        self._target = (address, port)
        self._tamper = tamper
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Nobody comes through any more, and who is there is broken off."""
        for sock in (self._listener, *self._open):
            shut(sock, socket.SHUT_RDWR)
        self.close()

    def break_off(self):
        """Who is there is broken off; others may come."""
        for sock in self._open:
            shut(sock, socket.SHUT_RDWR)

    def close(self):
        for sock in (self._listener, *self._open):
            sock.close()

    def _accept(self):
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            self._start(self._forward, number, client, server)
            self._start(self._back, server, client)
            number += 1

    @staticmethod
    def _start(work, *args):
        threading.Thread(target=work, args=args, daemon=True).start()

    def _forward(self, number, client, server):
        at = 0
        while data := receive(client):
            passed = self._tamper(number, data, at)
            at += len(data)
            if passed is None or not sent(server, passed) or len(passed) < len(data):
                break
        for sock in (client, server):
            shut(sock, socket.SHUT_RDWR if data else socket.SHUT_WR)

    @staticmethod
    def _back(server, client):
        while (data := receive(server)) and sent(client, data):
            continue
        shut(client, socket.SHUT_WR)


def receive(sock):
    try:
        return sock.recv(65536)
    except OSError:
        return b""


def sent(sock, data):
    try:
        sock.sendall(data)
    except OSError:
        return False
    return True


def shut(sock, how):
    try:
        sock.shutdown(how)
    except OSError:
        return


def pass_on(_number, data, _at):
    return data
