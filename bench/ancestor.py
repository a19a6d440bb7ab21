"""transferpy, the tool that this one replaces, as the command lines it runs on its two hosts.

Reconstructed from its release 1.2 with its own paths and numbers: the cipher, its buffer of 8 bytes, the 310,000
iterations, pigz, md5sum. Left out to its advantage: what drives the two hosts, its checks and firewall calls, and the
three seconds it sleeps for want of knowing when netcat listens; the table shows those seconds apart.
"""

from dataclasses import dataclass

PASSWORD = "as-long-as-its-own-but-no-secret"
"""In the arguments for all to see, as there."""

_SECRET = f"-chacha20 -pass pass:{PASSWORD} -bufsize 8 -iter 310000"
_ENCRYPT = f"/usr/bin/openssl enc {_SECRET}"
_DECRYPT = f"/usr/bin/openssl enc -d {_SECRET}"
_SEND = "/bin/nc -4 -q 0 -w 300 {address} {port}"
_LISTEN = "/bin/nc -4 -l -w 300 -p {port}"
_PACK, _UNPACK = "/bin/tar cf - {name}", "/bin/tar xf -"
_SUM_FILE = "/usr/bin/md5sum {name}"
_SUM_TREE = r"/usr/bin/find {name} -type f -exec /usr/bin/md5sum \{{\}} \;"

CHECKSUMS = ("after", "parallel", "none")
"""Its three ways: md5sum of both copies apart from moving (its default), of the stream on its way, or none at all."""


@dataclass(frozen=True)
class Way:
    """Its options."""

    compress: bool = True
    encrypt: bool = True
    checksum: str = "after"

    @property
    def words(self):
        parts = ["pigz" * self.compress, "chacha20 without authentication" * self.encrypt]
        sums = {"after": "md5 of both copies", "parallel": "md5 of the stream", "none": ""}
        return ", ".join(filter(None, [*parts, sums[self.checksum]])) or "plain"

    @property
    def proves(self):
        return self.checksum == "after"

    def put(self, tree):
        """The source's line. By default the source's checksum is computed beside the transfer, and waited for."""
        begin = _PACK if tree else ("/usr/bin/pigz -c" if self.compress else "/bin/cat") + " < {source}"
        stages = [begin, "/usr/bin/pigz -c" * (self.compress and tree), *self._on_the_way("sent")]
        line = _piped([*stages, _ENCRYPT * self.encrypt, _SEND])
        if not self.proves:
            return f"cd {{parent}} && {line}"
        return f"cd {{parent}} && {_sum(tree)} > {{sum}}.sent & sums=$!; cd {{parent}} && {line} && wait $sums"

    def get(self, tree):
        """The destination's line. By default its checksum comes when all has arrived."""
        stages = [_LISTEN, _DECRYPT * self.encrypt, *self._on_the_way("got"), "/usr/bin/pigz -c -d" * self.compress]
        line = _piped([*stages, _UNPACK]) if tree else _piped(stages) + " > {target}"
        return f"cd {{place}} && {line}" + f" && {_sum(tree)} > {{sum}}.got" * self.proves

    def _on_the_way(self, end):
        return [f"tee >(md5sum > {{sum}}.{end})"] if self.checksum == "parallel" else []


def _piped(stages):
    return " | ".join(filter(None, stages))


def _sum(tree):
    return _SUM_TREE if tree else _SUM_FILE
