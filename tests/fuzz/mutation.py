"""Inputs drawn from seeds by a random generator: the same generator in the same state draws the same."""

MOST = 64 * 1024
ODD = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\xff" * 8, b"\x80" + b"\0" * 7)


def drawn(random, seeds):
    """One input: a seed with a few of its bytes changed, removed, repeated or exchanged; or pure noise."""
    if not seeds or random.random() < 0.05:
        return random.randbytes(random.randrange(200))
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        random.choice(CHANGES)(random, data, seeds)
    return bytes(data[:MOST])


def _flip(random, data, _seeds):
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _overwrite(random, data, _seeds):
    at, odd = random.randrange(len(data) + 1), random.choice(ODD)
    data[at : at + len(odd)] = odd


def _insert(random, data, _seeds):
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.randrange(1, 9))


def _cut(random, data, _seeds):
    at = random.randrange(len(data) + 1)
    del data[at : at + random.choice((1, 2, 8, 1000))]


def _repeat(random, data, _seeds):
    at = random.randrange(len(data) + 1)
    data[at:at] = data[at : at + random.choice((1, 4, 60))] * random.choice((1, 2, 100))


def _join(random, data, seeds):
    other = random.choice(seeds)
    data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]


def _append(random, data, seeds):
    data += random.choice(seeds)


CHANGES = (_flip, _flip, _overwrite, _overwrite, _insert, _cut, _repeat, _join, _append)
