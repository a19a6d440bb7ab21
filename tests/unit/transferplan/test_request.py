"""What a user may write for source and destination, what it means, and what is said when it is none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transferplan import errors, request
from transferplan.options import MASTER

from .samples import ALPHA, BETA, TRANSFER, asked, unhurried

HERE = Path(__file__).parent


def rows(name):
    """The lines of a grammar file as columns."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    told = [line for line in lines if line.strip() and not line.startswith("#")]
    return [[unescape(part) for part in line.split(" | ")] for line in told]


def unescape(text):
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


def place(text):
    host, _, path = text.partition(":/") if not text.startswith("fd00") else text.rpartition(":/")
    return request.Endpoint(host, b"/" + path.encode("utf-8", "surrogateescape"))


def names(refused):
    return [reason.name for reason in refused.value.reasons]


@pytest.mark.parametrize("src, dst, source, final", rows("valid_requests.txt"))
def test_a_request_that_is_one(src, dst, source, final):
    parsed = asked(src, dst)
    assert parsed.source == place(source)
    assert parsed.destinations == (place(final),)


@pytest.mark.parametrize("src, dst, reasons, words", rows("invalid_requests.txt"))
def test_a_request_that_is_none_is_refused_in_words(src, dst, reasons, words):
    with pytest.raises(errors.Refused) as refused:
        asked(src, dst)
    assert names(refused) == reasons.split()
    assert words in refused.value.text
    assert all(line.isprintable() for line in refused.value.text.splitlines())


@pytest.mark.parametrize(
    "src, words",
    [
        ("alpha ", "src='alpha ' has no path"),
        (" /srv/x", "src=' /srv/x' has no path"),
        ("/srv/x ", "src='/srv/x ' names no minion: write src=MINION:'/srv/x '"),
        ("alpha:/srv/../x ", "src='alpha:/srv/../x ' goes through"),
        ("al*:/x ", "src='al*:/x ' does not begin with a minion id"),
    ],
)
def test_blanks_at_the_ends_of_what_is_refused_can_be_seen(src, words):
    with pytest.raises(errors.Refused) as refused:
        asked(src=src)
    assert words in refused.value.text


def test_blanks_at_the_end_of_a_path_can_be_seen():
    assert str(asked("alpha:/srv/x ", "beta:/srv/").destinations[0]) == "beta:'/srv/x '"


@pytest.mark.parametrize("thing", [7, True, 1.5, {"alpha": "/x"}, b"alpha:/x", None, ["alpha:/x"]])
def test_a_source_that_is_no_text_is_refused(thing):
    with pytest.raises(errors.Refused) as refused:
        asked(src=thing)
    assert names(refused) == ["bad-place"]


def test_in_a_list_every_item_is_one_destination():
    parsed = asked(dst=["beta:/srv/a,gamma:/b"])
    assert parsed.destinations == (request.Endpoint("beta", b"/srv/a,gamma:/b"),)


@pytest.mark.parametrize("name", [",", ",a", "a,", "a,/b"])
def test_a_list_takes_names_that_begin_or_end_with_a_comma(name):
    assert asked(dst=[f"beta:/srv/{name}"]).destinations == (place(f"beta:/srv/{name}"),)


@pytest.mark.parametrize("dst", [[], (), [["beta:/x"]], [None], 7, {"beta": "/x"}])
def test_a_list_of_anything_else_is_refused(dst):
    with pytest.raises(errors.Refused) as refused:
        asked(dst=dst)
    assert names(refused) == ["bad-place"]


def test_places_and_options_are_refused_together():
    with pytest.raises(errors.Refused) as refused:
        asked("alpha", "beta:x", encript=False, port=99999)
    assert names(refused) == ["bad-option", "bad-option", "bad-place", "bad-place"]


def test_a_name_longer_than_a_file_system_takes_is_refused():
    asked(dst="beta:/srv/" + "x" * 255)
    with pytest.raises(errors.Refused, match="has a name of 256 bytes"):
        asked(dst="beta:/srv/" + "x" * 256)
    with pytest.raises(errors.Refused, match="has a name of 256 bytes"):
        asked(dst="beta:/srv/" + "ä" * 128)


def test_a_path_longer_than_the_system_takes_is_refused():
    longest = "/abcdefg" * 511 + "/abcdef"
    asked(dst="beta:" + longest)
    with pytest.raises(errors.Refused) as refused:
        asked(dst="beta:" + longest + "g")
    assert names(refused) == ["name-too-long"]


def test_the_name_appended_by_a_slash_counts_too():
    with pytest.raises(errors.Refused, match="has a name of 300 bytes"):
        asked("alpha:/srv/" + "x" * 300, "beta:/srv/")


@pytest.mark.parametrize("transfer", ["", "0" * 31, "0" * 33, "G" * 32, "../" + "0" * 29, "0" * 32 + "\n"])
def test_only_a_real_transfer_id_is_taken(transfer):
    with pytest.raises(ValueError, match="32 hex digits"):
        request.parse("alpha:/x", "beta:/y", {}, [], transfer)


def test_the_command_line_wins_over_the_masters_configuration():
    parsed = request.parse("a:/x", "b:/y", {"lease": 60}, [(MASTER, {"lease": 90, "streams": 2})], TRANSFER)
    assert (parsed.settings.lease, parsed.settings.streams) == (60, 2)


def test_each_end_is_asked_about_its_own_place():
    questions = asked(dst="beta:/srv/new dir/", port=4444).asks()
    assert list(questions) == [ALPHA, BETA]
    assert questions[ALPHA]["path"] == "/srv/data"
    assert questions[BETA]["path"] == "/srv/new dir/data"
    assert questions[ALPHA]["peers"] == [{"host": "beta", "role": "destination"}]
    assert questions[BETA]["given"] == ["port"]
    assert questions[BETA]["settings"]["port"] == 4444
    assert "state_dir" not in questions[BETA]["settings"]


def test_both_ends_on_one_host_are_asked_apart():
    questions = asked(dst="alpha:/backup/").asks()
    assert [(member.host, member.role) for member in questions] == [("alpha", "source"), ("alpha", "destination")]


@unhurried
@given(st.text(), st.text())
def test_whatever_is_written_is_parsed_or_refused_in_printable_words(src, dst):
    try:
        parsed = request.parse(src, dst, {}, [], TRANSFER)
    except errors.Refused as refused:
        assert all(reason.text.isprintable() and reason.text for reason in refused.reasons)
    else:
        for end in parsed.ends().values():
            assert end.path.startswith(b"/") and b"\0" not in end.path
            assert not {b"", b".", b".."} & set(end.path.split(b"/")[1:])
            assert str(end).isprintable()
