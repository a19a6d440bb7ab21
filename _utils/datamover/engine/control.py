"""The control connection while it is open: one thread speaks, one hears, and the conversation's rules hold for both."""

import threading
from contextlib import suppress

from .. import wire
from ..errors import MoverError
from ..wire import Admit, Adrift, Bye, Failed, Lost, Ping, Reader, Taken
from ..wire.protocol import Conversation
from .link import EndOfStream, losing
from .stop import Countdown, Lane, Stop

WAITING = 8
"""Messages that may wait to be sent; whoever has more to say waits."""
PORTION = 64 * 1024
PARTING = 5.0
"""Seconds for the last words of both ends."""
_NO_TURNS = Ping | Admit | Lost | Taken
"""What is said again and again where nothing gets on; that something does is seen elsewhere."""


class Control:
    """`opening` is what was said already: (message, whether we sent it) each. `over` says whether the other end told
    that all is over, not only this conversation, `parted` whether it said Bye.
    """

    def __init__(self, link, role, opening, host, stop):
        self.turns = 0
        self._link = link
        self._host = host
        self._lane = Lane(WAITING, stop)
        self._lock = threading.Lock()
        self._conversation = Conversation(role, connects=opening[0][1])
        self._reader = Reader()
        self._portion = memoryview(bytearray(PORTION))
        self.over = self.parted = False
        self._failure = None
        for message, ours in opening:
            (self._conversation.sent if ours else self._conversation.received)(message)

    def say(self, message):
        """Have a message sent, waiting while too many are."""
        self._lane.put(message)

    def mention(self, message):
        """Have a message sent unless others wait already."""
        self._lane.offer(message)

    def speak(self):
        """Send what is said, until the work ends."""
        with losing(self._host, "control"):
            while True:
                self._send(self._lane.get())

    def hear(self, dispatch):
        """Give every message to `dispatch`, until the other end says Bye."""
        with losing(self._host, "control"):
            while True:
                for message in self._receive():
                    self._note(message)
                    dispatch(message)
                    if isinstance(message, Bye):
                        return

    def leave(self, *words, unsaid=True, seconds=PARTING):
        """Part: send what still waits (if `unsaid`) and the last words, then listen until the other end has parted too;
        all that for so long at most.

        For one thread, after the others have ended. Returns the failure that the other end told meanwhile, or None.
        """
        self._link.stop, self._link.patience = Stop(), Countdown(seconds)
        for message in (*(self._lane.rest() if unsaid else ()), *words):
            self._send(message)
        self._link.finish_sending()
        self._listen_on()
        return self._failure

    def _listen_on(self):
        """Receive to the end, or closing could destroy our last words on their way. Nonsense is no news any more."""
        with suppress(EndOfStream):
            with suppress(MoverError):
                self._note_end(self._reader.messages())
                while self._failure is None:
                    self._note_end(self._receive())
            while True:
                self._link.receive_into(self._portion)

    def _note_end(self, messages):
        """Keep why the other end gave up, or that it parted; it may be heard when another reason has ended our own work
        already.
        """
        for message in messages:
            match message:
                case Adrift(above=wire.OVER):
                    self.over = True
                case Bye():
                    self.parted = True
                case Failed():
                    self._failure = self._failure or message.as_error(self._host)

    def _send(self, message):
        with self._lock:
            self._conversation.sent(message)
        self._count(message)
        self._link.send(message.encode())

    def _receive(self):
        count = self._link.receive_into(self._portion)
        self._reader.feed(self._portion[:count])
        return self._reader.messages()

    def _note(self, message):
        with self._lock:
            self._conversation.received(message)
        self._count(message)
        self._note_end([message])
        if self._failure:
            raise self._failure

    def _count(self, message):
        self.turns += not isinstance(message, _NO_TURNS)
