"""What is moved: made from one seed, so that every machine moves the same."""

import random
from dataclasses import dataclass
from pathlib import Path

from .figures import Load

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
PORTION = 16 << 20
"""A file repeats a portion of this size: far beyond the window of any compressor here."""
SUSPECT_SECONDS = 2.5
"""Files that young are read twice by our source; a benchmark is not about that."""
PER_FOLDER = 200
SEED = 20


def size_of(text):
    """Bytes from a text such as 256M."""
    number, unit = (text[:-1], UNITS[text[-1].upper()]) if text[-1:].upper() in UNITS else (text, 1)
    return int(float(number) * unit)


@dataclass(frozen=True)
class Dataset:
    """`make(path, amount)` makes a file of that many bytes, or a tree of that many files, and says what it came to."""

    name: str
    kind: str
    meaning: str
    make: object


def incompressible(path, size):
    return write_random(path, size)


def write_random(path, size):
    return write_portions(path, size, random.Random(SEED).randbytes(PORTION))


def database_like(path, size):
    return write_portions(path, size, pages(PORTION))


def write_portions(path, size, portion):
    with open(path, "wb") as out:
        for at in range(0, size, len(portion)):
            out.write(portion[: min(len(portion), size - at)])
    return Load(size)


def pages(size):
    """Rows as a table has them: numbers that grow, a few words, a digest in hex, padding. zlib makes a third of it."""
    chance = random.Random(SEED)
    words = [chance.randbytes(chance.randint(3, 9)).hex().encode() for _ in range(400)]
    rows, length, number = [], 0, 10_000_000
    while length < size:
        number += chance.randint(1, 3)
        row = b"%d\0%s\0%s %s %s\0%s" % (number, chance.randbytes(10), *chance.choices(words, k=3), b" " * 9)
        rows.append(row)
        length += len(row)
    return b"".join(rows)[:size]


def write_small_files(path, files, least=1 << 10, most=17 << 10):
    """Many files with sizes spread evenly, some hundred in a directory."""
    chance = random.Random(SEED)
    pool = chance.randbytes(PORTION)
    total = 0
    for number in range(files):
        folder = path / f"d{number // PER_FOLDER}"
        if number % PER_FOLDER == 0:
            folder.mkdir(parents=True)
        total += write_part(folder / f"f{number}", pool, chance.randint(least, most), chance)
    return Load(total, files)


def write_part(path, pool, size, chance):
    """A file with a stretch of the pool, from anywhere."""
    start = chance.randrange(max(1, len(pool) - size))
    path.write_bytes(pool[start : start + size])
    return min(size, len(pool))


def write_mixed(path, files):
    """As an installed language has it: mostly small, a few big, text and binaries, links; sizes spread as a bell."""
    chance = random.Random(SEED)
    pools = (chance.randbytes(PORTION), pages(PORTION))
    total = 0
    for number in range(files):
        folder = path / f"d{number % 41}" / f"e{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        size = min(PORTION, int(chance.lognormvariate(8.6, 2.0)))
        total += write_part(folder / f"f{number}", pools[number % 2], size, chance)
        if number % 50 == 0:
            Path(folder, f"l{number}").symlink_to(f"f{number}")
    return Load(total, files)


DATASETS = {
    each.name: each
    for each in (
        Dataset("incompressible", "file", "one file of random bytes", incompressible),
        Dataset("database", "file", "one file of rows that zlib brings to a third", database_like),
        Dataset("small files", "tree", "files of 1 to 17 KiB, random bytes", write_small_files),
        Dataset("mixed tree", "tree", "files of all sizes as software has, half of it compressible", write_mixed),
    )
}
