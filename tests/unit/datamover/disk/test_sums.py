"""Lines of checksum files."""

import pytest

from datamover.disk import sums

DIGEST = bytes(range(32))
HEX = DIGEST.hex().encode()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (b"plain name", HEX + b"  plain name\n"),
        (b" leading", HEX + b"   leading\n"),
        (b"*star", HEX + b"  *star\n"),
        (b"-", HEX + b"  ./-\n"),
        (b"-rf", HEX + b"  -rf\n"),
        (b"\xff\xfe", HEX + b"  \xff\xfe\n"),
        (b"new\nline", b"\\" + HEX + b"  new\\nline\n"),
        (b"back\\slash", b"\\" + HEX + b"  back\\\\slash\n"),
        (b"\\n", b"\\" + HEX + b"  \\\\n\n"),
        (b"return\r", b"\\" + HEX + b"  return\\r\n"),
    ],
)
def test_a_line_is_what_coreutils_write(name, line):
    assert sums.line(DIGEST, name, "sha256") == line
    digest, parsed = sums.parse(line[:-1])
    assert digest == DIGEST and parsed == (b"./-" if name == b"-" else name)


def test_b3sum_takes_a_carriage_return_as_it_is():
    assert sums.line(DIGEST, b"return\r", "blake3") == HEX + b"  return\r\n"
    assert sums.line(DIGEST, b"back\\\r", "blake3") == b"\\" + HEX + b"  back\\\\\r\n"
    assert sums.parse(HEX + b"  return\r") == (DIGEST, b"return\r")


def test_binary_marks_and_capitals_are_read():
    assert sums.parse(HEX.upper() + b" *name") == (DIGEST, b"name")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        HEX,
        HEX + b"  ",
        HEX[:-1] + b"  name",
        b"\\" + HEX + b"  a\\tb",
        b"\\" + HEX + b"  end\\",
        b"g" + HEX,
    ],
)
def test_what_is_no_line_is_refused(text):
    with pytest.raises(ValueError):
        sums.parse(text)
