"""What the user typed survives the way Salt reads a command line."""

import pytest
from salt.minion import load_args_and_kwargs
from salt.utils.args import parse_input

from transferplan import words


def through_salt(*typed):
    """What the runner makes of these words after Salt has read them as `salt-run` does."""

    def copy(*args, **kwargs):
        pass

    args, given = load_args_and_kwargs(copy, parse_input(list(typed)))
    return words.as_typed(args, given, list(typed))


@pytest.mark.parametrize(
    "path", ["/t ", "/t  ", "/x\ny", "/t\n", "/t\t", "/a=b", "/a=b\nc", "/a: b", "/a #b", "/plain"]
)
def test_a_place_is_taken_as_it_was_typed(path):
    assert through_salt(f"src=alpha:{path}", "dst=beta:/x") == ([], {"src": f"alpha:{path}", "dst": "beta:/x"})
    assert through_salt(f"alpha:{path}", "beta:/x") == ([f"alpha:{path}", "beta:/x"], {})


def test_values_that_salt_reads_as_something_else_stay_so():
    args, given = through_salt("dst=[beta:/a, beta:/b]", "src= alpha:/x", "port=70", "test=True ")
    assert given == {"dst": ["beta:/a", "beta:/b"], "src": " alpha:/x", "port": 70, "test": True}
    assert args == []


ODD_WORDS = ["*.log", "!x,*", "[a-z]*", "007", "2026-01-01", "#*#", "{a}", "a: b", "&a", "x ", "yes"]


@pytest.mark.parametrize("word", ODD_WORDS)
def test_a_pattern_is_taken_as_it_was_typed(word):
    assert through_salt(f"exclude={word}") == ([], {"exclude": word})


def test_a_list_of_patterns_stays_one():
    assert through_salt("include=['a,b', '*']") == ([], {"include": ["a,b", "*"]})


@pytest.mark.parametrize("typed", [None, "src=alpha:/t ", [], ["state"], [{"src": "alpha:/t "}], ["src=other:/place "]])
def test_words_of_another_command_change_nothing(typed):
    assert words.as_typed(["beta:/x"], {"src": "alpha:/t"}, typed) == (["beta:/x"], {"src": "alpha:/t"})
