"""Paths in JSON, on a terminal, and beside each other."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import paths

from .samples import unhurried

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "paths.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("raw, text", GOLDEN["pairs"])
def test_a_path_has_one_form_in_json(raw, text):
    assert paths.encode_path(bytes.fromhex(raw)) == text
    assert paths.decode_path(text) == bytes.fromhex(raw)


@pytest.mark.parametrize("text", GOLDEN["refused"])
def test_another_form_is_refused(text):
    with pytest.raises(ValueError, match="is not an encoded path"):
        paths.decode_path(text)


@unhurried
@given(st.binary())
def test_every_path_survives_json(path):
    text = paths.encode_path(path)
    assert text.isascii() and text.isprintable()
    assert paths.decode_path(json.loads(json.dumps(text))) == path


@pytest.mark.parametrize(
    "path, shown",
    [
        (b"/srv/data", "/srv/data"),
        (b"/a b", "/a b"),
        (b"/a ", "'/a '"),
        (b"/ ", "'/ '"),
        (b"/a \n", r"/a \n"),
        ("/größe".encode(), "/größe"),
        (b"/\x1b]0;title\x07", r"/\x1b]0;title\x07"),
        (b"/a\nb\rc\td", r"/a\nb\rc\td"),
        (b"/\xff\xfe", r"/\xff\xfe"),
        ("/\u202etxt.exe".encode(), r"/\u202etxt.exe"),
        ("/\u2028\u200b".encode(), r"/\u2028\u200b"),
        (b"/\xc2\x9b31m", r"/\x9b31m"),
    ],
)
def test_nothing_in_a_path_reaches_the_terminal_but_what_can_be_read(path, shown):
    assert paths.display(path) == shown


@unhurried
@given(st.binary())
def test_a_path_on_a_terminal_is_always_printable(path):
    assert paths.display(path).isprintable()


@pytest.mark.parametrize("text, shown", [(" a:/x", "' a:/x'"), ("a:/x", "a:/x"), ("\x1b ", "'\\x1b '"), ("", "")])
def test_what_somebody_wrote_is_told_so_that_blanks_at_its_ends_can_be_seen(text, shown):
    assert paths.quoted(text) == shown


@unhurried
@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_made_printable(text):
    assert paths.printable(text).isprintable()


@pytest.mark.parametrize(
    "outer, inner, contained",
    [
        (b"/srv", b"/srv", True),
        (b"/srv", b"/srv/data", True),
        (b"/", b"/srv", True),
        (b"/", b"/", True),
        (b"/srv/data", b"/srv/database", False),
        (b"/srv/data", b"/srv", False),
    ],
)
def test_a_place_holds_itself_and_what_lies_below(outer, inner, contained):
    assert paths.contains(outer, inner) is contained


@pytest.mark.parametrize(
    "path, parent, name",
    [(b"/srv/data", b"/srv", b"data"), (b"/data", b"/", b"data"), (b"/", b"/", b"")],
)
def test_a_path_ends_in_a_name_below_its_parent(path, parent, name):
    assert (paths.parent(path), paths.basename(path)) == (parent, name)
    assert paths.join(parent, name) == path
