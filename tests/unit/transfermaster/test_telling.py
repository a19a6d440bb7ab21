"""Who is told in words, who gets a document, and who both."""

import io

import pytest

import saltface
from transfermaster import telling

ANSWER = {"result": "ok", "reasons": [], "retcode": 0}
TYPED = {"__cli": "salt-run", "fun": "replica.prove"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def tell(monkeypatch):
    """tell(opts, ...) -> what Salt gets, and what a terminal shows; Salt has the outputter that prints nothing."""
    monkeypatch.setattr(saltface.salt.loader, "outputters", lambda _: {saltface.ALREADY_TOLD: None})

    def tell(opts, lines=lambda answer: [answer["result"]], answer=ANSWER, **more):
        screen = Terminal()
        monkeypatch.setattr("sys.stdout", Terminal())
        monkeypatch.setattr("sys.stderr", screen)
        return telling.for_salt(opts, "replica.prove", answer, lines, **more), screen.getvalue()

    return tell


def test_what_a_terminal_has_in_words_is_not_printed_there_as_a_document(tell):
    answer, seen = tell(TYPED)
    assert answer == {**ANSWER, "outputter": saltface.ALREADY_TOLD} and seen.endswith("ok\n")


@pytest.mark.parametrize("changes", [{"output": "json"}, {"output_file": "/x"}, {"async": True}])
def test_who_asks_for_a_document_gets_it_beside_the_words(tell, changes):
    answer, seen = tell({**TYPED, **changes})
    assert answer == ANSWER and seen.endswith("ok\n")


ELSEWHERE = [{**TYPED, "fun": "state.orch"}, {"fun": "replica.prove"}, {**TYPED, "__cli": "salt-api"}]


@pytest.mark.parametrize("opts", ELSEWHERE)
def test_what_nobody_typed_tells_nobody(tell, opts):
    assert tell(opts) == (ANSWER, "")


def test_who_wants_quiet_or_has_been_told_is_not_told(tell):
    assert tell(TYPED, quiet=lambda: True) == (ANSWER, "")
    answer, seen = tell(TYPED, answer=saltface.Shown(ANSWER))
    assert "outputter" in answer and seen == ""


def test_what_has_no_words_is_a_document(tell):
    assert tell(TYPED, lines=lambda answer: answer["surprise"]) == tell(TYPED, lines=None) == (ANSWER, "")


def test_an_end_is_always_told_and_a_look_unless_another_form_is_asked_for():
    endings, looks = {"clone": list}, {"patrol": list}
    assert telling.words({"output": "json"}, "clone", endings, looks) is list
    assert telling.words({"output": "json"}, "patrol", endings, looks) is None
    assert telling.words({}, "patrol", endings, looks) is list
