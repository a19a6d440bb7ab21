"""Which entries of a tree travel, by patterns: pure, about names alone.

    name        no slash: any entry of this name, wherever it is
    a/b, /a     a slash that is not the last character: the whole path below the root of the tree
    name/       with a slash at its end: only a directory
    *  ?  [a-z] any characters, one character, one of these ([!a-z]: none of these); never a slash
    **          between slashes: any number of directories, none too; at the end all that lies below
    \\*  \\xff    the next character as it is; the byte with this number, for names that are not UTF-8
    !name       in `exclude`: what matches is not left out

Of `exclude` the first pattern that matches decides. `include`, if there is one, leaves out all that matches none of its
patterns and lies in no directory that does; directories on the way there travel too. What is left out by either stays,
and all below it. Matching takes time in proportion to the lengths of path and pattern whatever the pattern is.
"""

import re
from itertools import count

MOST = 1000
LONGEST = 4096
"""Characters of one pattern."""

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_TOKEN = re.compile(r"\\(.)|(\*+)|(\?)|\[([!^]?)(\](?:\\.|[^\]\\])*|(?:\\.|[^\]\\])+)\]|(.)", re.DOTALL)
_MEMBER = re.compile(r"\\?(.)(?:-\\?(.))?", re.DOTALL)
_ANY = "**"
_NOTHING = "(?!)"
_END = r"(?:/.*)?\Z"


class Selection:
    """`include` and `exclude` are lists of patterns (text). Without any it is false, and takes everything."""

    def __init__(self, include=(), exclude=()):
        if len(include) + len(exclude) > MOST:
            raise ValueError(f"{len(include) + len(exclude)} patterns; at most {MOST} are taken")
        self._include = [_Included(text) for text in include]
        self._exclude = [_Excluded(text) for text in exclude]

    def __bool__(self):
        return bool(self._include or self._exclude)

    def takes(self, path, is_directory):
        """Whether the entry with this path (bytes, below the root) travels, if the directory that it is in does."""
        text = path.decode("utf-8", "surrogateescape")
        decisive = next((pattern for pattern in self._exclude if pattern.matches(text, is_directory)), None)
        if decisive is not None and not decisive.keeps:
            return False
        return not self._include or any(pattern.admits(text, is_directory) for pattern in self._include)


EVERYTHING = Selection()


class _Excluded:
    def __init__(self, text):
        self.keeps = text.startswith("!")
        names, self._only_directories = split(text.removeprefix("!"))
        self._regex = re.compile(_whole(names) + r"\Z", re.DOTALL)

    def matches(self, path, is_directory):
        return (is_directory or not self._only_directories) and self._regex.match(path) is not None


class _Included:
    def __init__(self, text):
        check(text)
        names, self._only_directories = split(text)
        whole = _whole(names)
        self._entry = re.compile(whole + _END, re.DOTALL)
        self._below = re.compile(whole + r"/.+\Z", re.DOTALL)
        self._way = re.compile(_way(names), re.DOTALL)

    def admits(self, path, is_directory):
        if is_directory:
            return (self._entry.match(path) or self._way.match(path)) is not None
        return (self._below if self._only_directories else self._entry).match(path) is not None


def check(text, with_exceptions=False):
    """ValueError, in words, for what is no pattern."""
    if text.startswith("!") and not with_exceptions:
        raise ValueError(f"{text!a} is no pattern here: only `exclude` has exceptions, \\! is the character")
    split(text.removeprefix("!"))


def split(text):
    """(the names of a pattern from the root on, whether it means only directories)."""
    if len(text) > LONGEST:
        raise ValueError(f"a pattern of {len(text)} characters; at most {LONGEST} are taken")
    plain = _unescaped(text)
    names = plain.strip("/").split("/")
    if "\0" in plain or {"", ".", ".."} & set(names) or "//" in plain:
        raise ValueError(f"{text!a} is no pattern: it needs names, without . or .., with single slashes between them")
    anchored = "/" in plain.rstrip("/")
    return names if anchored else [_ANY, *names], plain.endswith("/")


def _unescaped(text):
    """The pattern with bytes in place of their numbers. ASCII stays escaped: a star written so is no star."""
    return _ESCAPE.sub(_byte, text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _byte(match):
    if match[1] is None:
        return b"/" if match[2] == b"/" else match[0]
    byte = bytes.fromhex(match[1].decode())
    return byte if byte >= b"\x80" or byte == b"/" else b"\\" + byte


# A pattern as a regular expression. Behind a star the leftmost match of what follows is taken for good (a lookahead and
# a reference to what it found): it is as good as any other, and no combination is tried twice.


def _whole(names):
    """For a path that matches from its beginning; what may follow is the caller's."""
    fresh = count()
    *chunks, last = _chunks(names, fresh)
    if not chunks:
        return "/".join(last)
    first, *between = chunks
    text = "".join(name + "/" for name in first)
    for chunk in between:
        text += _leftmost("(?:[^/]+/)*?" + "".join(name + "/" for name in chunk), fresh)
    return text + ("(?:[^/]+/)*?" + "/".join(last) if last else ".+")


def _chunks(names, fresh):
    """Expressions of the names between one ** and the next; the first and the last chunk may be empty."""
    chunks = [[]]
    for name in names:
        if name == _ANY:
            if chunks[-1] or len(chunks) == 1:
                chunks.append([])
        else:
            chunks[-1].append(_name(name, fresh))
    return chunks


def _way(names):
    """For a directory below which something may match."""
    fresh = count()
    text = ""
    for name in reversed(names):
        text = ".*" if name == _ANY else _name(name, fresh) + (f"(?:/{text})?" if text else "")
    return text + r"\Z"


def _name(name, fresh):
    """One name of a pattern."""
    first, *rest = _between_stars(name)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(_leftmost("[^/]*?" + each, fresh) for each in middle) + "[^/]*" + last


def _between_stars(name):
    parts = [""]
    for escaped, star, one, negated, members, plain in _TOKEN.findall(name):
        if star:
            parts.append("")
        elif one:
            parts[-1] += "[^/]"
        elif members:
            parts[-1] += _one_of(members, negated)
        else:
            parts[-1] += re.escape(escaped or plain)
    return parts


def _one_of(members, negated):
    ranges = [(low, high or low) for low, high in _MEMBER.findall(members)]
    listed = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    if not listed:
        return "[^/]" if negated else _NOTHING
    return f"(?!/)[{'^' if negated else ''}{listed}]"


def _leftmost(expression, fresh):
    group = f"g{next(fresh)}"
    return f"(?=(?P<{group}>{expression}))(?P={group})"
