"""Digests of files and trees for people: manifests that `sha256sum -c` and `b3sum -c` read, their verification,
comparison.

A tree is listed as a transfer's source is (see tree): links are not followed, other file systems below it are
not entered.
"""

import os
from contextlib import contextmanager, suppress

from .. import digests
from ..blocks import BLOCK
from ..errors import SourceChanged, shown
from ..manifest import Kind
from . import sparse, sums
from .differing import SHOWN, Troubles
from .journal import Journal
from .safepath import OPEN_FILE, descend, encode_path, split_final
from .special import NAMES
from .tree import SourceTree
from .trouble import on_source, words

TRIES = 3
WHAT = ("missing", "content", "extra", "unreadable", "unusable")
_METADATA = ("kind", "mode", "uid", "gid", "size", "mtime_ns", "device", "target", "xattrs")


def digest(path, algorithm):
    """The digest of a file in hexadecimal; of a directory that of its manifest: names and digests of all files."""
    hasher = digests.new(algorithm)
    if not os.path.isdir(path):
        ((_, whole),) = digest_tree(path, algorithm)
        return whole.hex()
    for name, whole in digest_tree(path, algorithm):
        hasher.update(sums.line(whole, name, algorithm))
    return hasher.digest().hex()


def digest_tree(path, algorithm):
    """(name below `path`, digest) of every regular file, hard links included; of a single file its own name."""
    with _listed(path) as (tree, journal):
        for entry in tree.walk():
            whole = _whole(tree, journal, entry, algorithm)
            if whole is not None:
                yield journal.path(entry.number) or split_final(tree.root)[1], whole


def write_manifest(path, out, algorithm):
    """Write the lines for a file or tree into the file `out`; their number.

    Check them inside the tree (sha256sum -c).
    """
    count = 0
    with open(out, "wb") as lines:
        for name, whole in digest_tree(path, algorithm):
            lines.write(sums.line(whole, name, algorithm))
            count += 1
    return count


def verify_manifest(manifest, root, algorithm="sha256", extra=False, shown=SHOWN):
    """Troubles of every line of a checksum file that is not true below the directory `root`.

    They are of WHAT: unusable is a line that is none or whose name leads out of `root`. With `extra` the regular files
    that no line names are troubles too; for that all names are held in memory.
    """
    troubles = Troubles(WHAT, shown)
    named = set() if extra else None
    with on_source("open", os.fsencode(root)):
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(manifest, "rb") as lines:
            for text in _lines(lines):
                _verify(text, directory, algorithm, troubles, named)
    finally:
        os.close(directory)
    if extra:
        _add_extra(root, named, troubles)
    return troubles


def _add_extra(root, named, troubles):
    with _listed(root) as (tree, journal):
        for entry in tree.walk():
            path = journal.path(entry.number)
            if entry.kind in (Kind.FILE, Kind.HARDLINK) and path not in named:
                troubles.add(path, "extra", "no line names it")


def compare(one, other, algorithm=None):
    """All that differs between two files or trees: a list of {"path", "what", "one", "other"}, in no particular
    order.

    Names, kinds, metadata and bytes are compared, except the times of links and special files. One list is held
    in memory.
    """
    algorithm = algorithm or digests.available()[0]
    left = dict(_described(one, algorithm))
    found = []
    for path, description in _described(other, algorithm):
        found += _differences(path, left.pop(path, None), description)
    for path, description in left.items():
        found += _differences(path, description, None)
    return found


@contextmanager
def _listed(path):
    """A source tree with a journal of its own, in a temporary file that sqlite keeps as long as it is open."""
    with Journal("") as journal, SourceTree(os.fsencode(path), journal, NAMES, "numbers") as tree:
        yield tree, journal


def _whole(tree, journal, entry, algorithm):
    """The digest of an entry's bytes; None if it has none."""
    if entry.kind == Kind.HARDLINK:
        content = journal.content(entry.link)
    elif entry.kind == Kind.FILE:
        content = _digest_steadily(tree, journal, entry, algorithm)
    else:
        content = None
    return content.whole if content else None


def _digest_steadily(tree, journal, entry, algorithm):
    """Again if the file changes under our eyes, a few times."""
    for _ in range(TRIES):
        with suppress(SourceChanged), tree.open(entry) as file:
            content = file.digest(digests.constructor(algorithm), BLOCK)
            if file.unchanged():
                journal.put_content(entry.number, journal.known(entry.number).try_, content)
                return content
        entry, _try = tree.refresh(entry)
    path = journal.path(entry.number) or tree.root
    raise SourceChanged(f"{shown(path)} changed {TRIES} times while it was read; stop what writes to it", path=path)


def _lines(lines):
    return (line.rstrip(b"\n") for line in lines if not line.startswith(b"#"))


def _verify(text, root, algorithm, troubles, named):
    """Add what is wrong with one line; note its name if that is wanted."""
    try:
        expected, name = sums.parse(text)
    except ValueError as error:
        return troubles.add(text, "unusable", str(error))
    names = [part for part in name.split(b"/") if part not in (b"", b".")]
    if not names or b".." in names or name.startswith(b"/"):
        return troubles.add(name, "unusable", "the name leads out of the directory")
    if named is not None:
        named.add(b"/".join(names))
    try:
        found = _digest_below(root, names, algorithm)
    except FileNotFoundError:
        return troubles.add(name, "missing", "there is no such file")
    except OSError as error:
        return troubles.add(name, "unreadable", words(error))
    if found != expected:
        troubles.add(name, "content", f"{found.hex()} instead of {expected.hex()}")
    return None


def _digest_below(root, names, algorithm):
    directory = descend(root, names[:-1])
    try:
        descriptor = os.open(names[-1], OPEN_FILE, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        return sparse.digest(descriptor, os.fstat(descriptor), digests.constructor(algorithm), BLOCK).whole
    finally:
        os.close(descriptor)


def _described(path, algorithm):
    """(path, description) of everything in a tree: its metadata, bytes, and the name it is a hard link to."""
    with _listed(path) as (tree, journal):
        for entry in tree.walk():
            yield journal.path(entry.number), _description(tree, journal, entry, algorithm)


def _description(tree, journal, entry, algorithm):
    description = {field: getattr(entry, field) for field in _METADATA}
    if entry.kind not in (Kind.FILE, Kind.DIRECTORY):
        del description["mtime_ns"]
    whole = _whole(tree, journal, entry, algorithm)
    description["content"] = whole.hex() if whole else None
    description["link"] = encode_path(journal.path(entry.link)) if entry.kind == Kind.HARDLINK else None
    return description


def _differences(path, one, other):
    if one is None or other is None:
        kinds = [description["kind"].name.lower() if description else None for description in (one, other)]
        return [{"path": encode_path(path), "what": "exists", "one": kinds[0], "other": kinds[1]}]
    return [
        {"path": encode_path(path), "what": field, "one": _plain(one[field]), "other": _plain(other[field])}
        for field in one.keys() & other.keys()
        if one[field] != other[field]
    ]


def _plain(value):
    """As JSON can carry it."""
    if isinstance(value, Kind):
        return value.name.lower()
    if isinstance(value, bytes):
        return encode_path(value)
    if isinstance(value, tuple):
        return {encode_path(name): encode_path(content) for name, content in value}
    return value
