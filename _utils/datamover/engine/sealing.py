"""Bytes of a bulk connection as sealed records: AES-256-GCM, as large as a whole piece, without I/O.

A TLS record holds 16 KiB and each passes through OpenSSL's state machine; one call for a piece costs a third of the
processor time. Keys come from a secret of this one connection, which travelled over control in TLS. Records are
numbered, so none can be left out, repeated or moved; the piece that ends the stream is one of them.
"""

import errno
import hashlib
import hmac
from struct import Struct

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..wire import HEADER_SIZE, MAX_PIECE_BODY

FEATURE = "bulk-aead"
MAX_RECORD = HEADER_SIZE + MAX_PIECE_BODY
"""Bytes that a record may seal."""
TAG = 16
RECORDS_PER_KEY = 65_536
OUT, BACK = 1, 2
"""The way from whoever connects, and the way back; each has keys of its own."""

_LENGTH = Struct(">I")
LENGTH = _LENGTH.size
_KEY_TAG = b"salt-transfer bulk 1\0"
_SLACK = 16
"""Older versions of the library want so much more room than they use."""


def available():
    """Whether this host's library has the cipher (and its policy allows it)."""
    try:
        Cipher(algorithms.AES(bytes(32)), modes.GCM(bytes(12))).encryptor()
    except (UnsupportedAlgorithm, ValueError):
        return False
    return True


class BrokenSeal(OSError):
    """What came was not sealed by the other end, or was changed on its way."""

    def __init__(self, why):
        super().__init__(errno.EBADMSG, why)


class _Way:
    """Keys and numbers of one way of a connection."""

    def __init__(self, secret, way):
        self._secret = secret
        self._way = way
        self._number = 0
        self._key = None

    def cipher(self, tag=None):
        """The cipher of the next record; with its tag, to open it."""
        number, self._number = self._number, self._number + 1
        if number % RECORDS_PER_KEY == 0:
            self._key = algorithms.AES(record_key(self._secret, self._way, number // RECORDS_PER_KEY))
        return Cipher(self._key, modes.GCM(number.to_bytes(12, "big"), tag))


def record_key(secret, way, turn):
    """The key of the records from `turn` * RECORDS_PER_KEY on."""
    return hmac.digest(secret, _KEY_TAG + way.to_bytes(1, "big") + turn.to_bytes(8, "big"), hashlib.sha256)


class Sealer:
    """Makes records."""

    def __init__(self, secret, way):
        self._way = _Way(secret, way)
        self._buffer = memoryview(bytearray(LENGTH))

    def seal(self, data):
        """The record of these 1 to MAX_RECORD bytes, in a buffer that the next one will use too."""
        size = len(data)
        end = LENGTH + size
        if len(self._buffer) < end + TAG + _SLACK:
            self._buffer = memoryview(bytearray(end + TAG + _SLACK))
        _LENGTH.pack_into(self._buffer, 0, size)
        context = self._way.cipher().encryptor()
        context.authenticate_additional_data(bytes(self._buffer[:LENGTH]))
        context.update_into(data, self._buffer[LENGTH : end + _SLACK])
        context.finalize()
        self._buffer[end : end + TAG] = context.tag
        return self._buffer[: end + TAG]


class Unsealer:
    """Opens records: `size` of the header, then `open` of header and all that it announced."""

    def __init__(self, secret, way):
        self._way = _Way(secret, way)

    @staticmethod
    def size(header):
        """How many bytes follow this header of LENGTH bytes; BrokenSeal if no record begins like this."""
        size = _LENGTH.unpack(header)[0]
        if not 0 < size <= MAX_RECORD:
            raise BrokenSeal(f"a record of {size} bytes was announced; 1 to {MAX_RECORD} can be")
        return size + TAG

    def open(self, header, record):
        """What a record held, decrypted where it lies (a writable memoryview of what followed the header)."""
        size = len(record) - TAG
        context = self._way.cipher(bytes(record[size:])).decryptor()
        context.authenticate_additional_data(bytes(header))
        context.update_into(record[:size], record[: size + TAG - 1])
        try:
            context.finalize()
        except InvalidTag:
            raise BrokenSeal("a record was changed on its way, or sealed by somebody else") from None
        return record[:size]
