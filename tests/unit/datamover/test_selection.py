"""Which names a pattern means: a table for people, a slow and plain matcher for everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamover import selection
from datamover.selection import EVERYTHING, Selection

from .strategies import relaxed


def left_out(pattern, path, is_directory=False):
    return not Selection(exclude=[pattern]).takes(path, is_directory)


# pattern, paths that it means, paths that it does not mean; a path that ends in a slash is a directory's
TABLE = [
    ("*.log", ["x.log", "a/b/x.log", ".log", "logs.log/"], ["x.logs", "x.LOG", "log", "x.log/y"]),
    ("cache", ["cache", "a/cache/"], ["cached", "a/mycache", "cache/x"]),
    ("cache/", ["cache/", "a/b/cache/"], ["cache", "a/cache"]),
    ("/cache", ["cache", "cache/"], ["a/cache"]),
    ("/cache/", ["cache/"], ["cache", "a/cache/"]),
    ("a/b", ["a/b"], ["x/a/b", "b", "a", "a/b/c"]),
    ("/a/*/c", ["a/b/c", "a/.b/c"], ["a/c", "a/b/b/c"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "a/", "b/a/b"]),
    ("**/a/b", ["a/b", "x/a/b", "x/y/a/b"], ["xa/b", "x/a/y/b"]),
    ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "b", "a"]),
    ("a/**/b/**/c", ["a/b/c", "a/b/x/b/c", "a/x/b/y/c"], ["a/c", "a/b", "a/c/b"]),
    ("**", ["a", "a/", "a/b"], []),
    ("a**b", ["ab", "axxb", "c/ab"], ["a/b"]),
    ("?", ["a", "é", "\n"], ["", "ab", "éé"]),
    ("[a-c]x", ["ax", "cx"], ["dx", "Ax", "x"]),
    ("[!a-c]x", ["dx", "-x"], ["ax", "x"]),
    ("[^a]", ["b"], ["a"]),
    ("[]-]", ["]", "-"], ["[]-]"]),
    (r"[\]a]", ["]", "a"], ["\\"]),
    ("[z-a]", [], ["z", "a", "-"]),
    ("[a-]", ["a", "-"], ["b"]),
    ("a[", ["a["], ["a"]),
    (r"\*", ["*"], ["x"]),
    (r"\[a]", ["[a]"], ["a"]),
    (r"\x2a", ["*"], ["x", "x2a"]),
    (r"\xc3\xa9", ["é"], ["e"]),
    (r"\!a", ["!a"], ["a"]),
    ("*.*.*", ["a.b.c", "..."], ["a.b"]),
    (".*", [".git/", "a/.x"], ["a."]),
    ("größe", ["größe"], ["grosse", "GRÖßE"]),
    ("a b", ["a b"], ["a", "b"]),
    ("(x|y)+", ["(x|y)+"], ["x"]),
    ("a\n", ["a\n"], ["a"]),
]
PAIRS = [(pattern, path, True) for pattern, meant, _ in TABLE for path in meant]
PAIRS += [(pattern, path, False) for pattern, _, others in TABLE for path in others if path]


@pytest.mark.parametrize("pattern, path, is_meant", PAIRS)
def test_a_pattern_means(pattern, path, is_meant):
    assert left_out(pattern, path.rstrip("/").encode(), path.endswith("/")) is is_meant


def test_without_patterns_everything_travels():
    assert not EVERYTHING and EVERYTHING.takes(b"\xff/x", False)


def test_names_that_are_not_utf8_are_matched_byte_by_byte():
    assert left_out(r"\xff?", b"\xff\xfe") and not left_out(r"\xff?", b"\xff\xfe\xfd")
    assert left_out("*.\udcff", b"a.\xff") and left_out(r"[\xf0-\xff]", b"\xfa")


def test_of_what_is_excluded_the_first_match_decides():
    some = Selection(exclude=["!/logs/today", "/logs/*", "!*.log", "*"])
    taken = [path for path in (b"logs/today", b"logs/old.log", b"x.log", b"y") if some.takes(path, False)]
    assert taken == [b"logs/today", b"x.log"]


def test_what_is_included_travels_alone_with_what_is_below_it():
    some = Selection(include=["*.ibd", "conf/", "/etc/a?c/x"])
    taken = [b"a.ibd", b"d/a.ibd", b"conf/a", b"d/conf/x/y", b"etc/abc/x", b"etc/abc/x/deep"]
    others = [b"a", b"conf", b"d/x", b"etc/abc/y", b"etc/abcd/x", b"d/etc/abc/x"]
    assert [path for path in (*taken, *others) if some.takes(path, False)] == taken


def test_only_directories_in_which_something_may_be_included_are_entered():
    some = Selection(include=["/etc/a?c/x", "/var/**/log/z"])
    entered = [b"etc", b"etc/abc", b"etc/abc/x", b"etc/abc/x/deep", b"var", b"var/a/b"]
    others = [b"srv", b"etc/b", b"etc/abc/y", b"srv/etc"]
    assert [path for path in (*entered, *others) if some.takes(path, True)] == entered
    assert Selection(include=["x"]).takes(b"any/where", True)


def test_an_exclusion_wins_over_an_inclusion():
    some = Selection(include=["*.ibd", "/keep/"], exclude=["tmp*"])
    assert not some.takes(b"tmp.ibd", False) and not some.takes(b"keep/tmp", True)
    assert some.takes(b"x.ibd", False)


NONE = ["", "/", "//", "!", "a//b", "./a", "a/../b", "..", "a\0b", r"a\x00", "a" * 4097, r"a\x2f/b"]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_pattern_is_refused_in_words(text):
    with pytest.raises(ValueError, match="pattern"):
        Selection(exclude=[text])


def test_only_exclude_has_exceptions():
    with pytest.raises(ValueError, match="only `exclude`"):
        Selection(include=["!a"])


def test_there_are_not_too_many_patterns():
    with pytest.raises(ValueError, match="at most 1000"):
        Selection(["a"] * 501, ["b"] * 500)


# A matcher that is slow and easy to follow.


def plainly(names, path):
    """Whether the names of a pattern mean the names of a path."""
    if not names:
        return not path
    if names[0] == "**":
        below = range(1, len(path) + 1) if len(names) == 1 else range(len(path) + 1)
        return any(plainly(names[1:], path[skipped:]) for skipped in below)
    return bool(path) and one_name(names[0], path[0]) and plainly(names[1:], path[1:])


def one_name(pattern, name):
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(one_name(pattern[1:], name[skipped:]) for skipped in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and one_name(pattern[1:], name[1:])


pattern_names = st.text("ab*?", min_size=1, max_size=5)
patterns = st.lists(pattern_names | st.just("**"), min_size=1, max_size=5).map("/".join)
paths = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5)


@relaxed
@given(patterns, paths)
def test_it_means_what_the_plain_matcher_means(pattern, path):
    names, _ = selection.split("/" + pattern)
    assert left_out("/" + pattern, "/".join(path).encode()) == plainly(names, path)


@relaxed
@given(patterns, paths, st.booleans())
def test_what_is_included_is_what_matches_or_lies_in_what_matches(pattern, path, is_directory):
    names, _ = selection.split("/" + pattern)
    within = any(plainly(names, path[:depth]) for depth in range(1, len(path) + 1))
    ahead = is_directory and any(plainly(names[:depth], path) for depth in range(1, len(names)))
    ahead = ahead or is_directory and any(
        names[depth] == "**" and plainly(names[: depth + 1], path) for depth in range(len(names))
    )
    assert Selection(include=["/" + pattern]).takes("/".join(path).encode(), is_directory) == (within or ahead)


@relaxed
@given(st.text(max_size=60), st.binary(max_size=60))
def test_any_text_is_a_pattern_or_refused(text, path):
    try:
        some = Selection([text], [text])
    except ValueError:
        return
    assert some.takes(path, False) in (True, False)


def test_no_pattern_takes_long():
    stars = Selection(exclude=["*a" * 60 + "b", "**/a*/" * 100 + "b", "/".join(["**", "a*a*a"] * 50) + "/b"])
    assert stars.takes(b"a" * 255, False)
    assert stars.takes(b"/".join([b"a" * 20] * 190), False)
