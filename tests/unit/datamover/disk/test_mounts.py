"""The kernel's table of mounts."""

from datamover.disk import mounts

TABLE = rb"""22 28 0:21 / /proc rw,nosuid - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 28 0:40 / /srv/with\040space rw - tmpfs tmpfs rw
41 28 0:41 / /srv/back\134slash\012line rw - tmpfs tmpfs rw
"""


def test_names_are_unescaped():
    assert mounts.parse(TABLE) == [b"/proc", b"/", b"/srv/with space", b"/srv/back\\slash\nline"]


def test_what_is_mounted_on_this_machine_is_found():
    assert b"/proc" in mounts.at_or_below(b"/proc")
    assert b"/proc" in mounts.at_or_below(b"/")
    assert mounts.at_or_below(b"/pro") == []
