"""Whether compressing pays: pure decisions from what was measured.

Smaller payloads only help when the way to the other end is what holds us up. So while we compress and nothing holds us
up, plain sending is tried now and then; while we send plainly and are held up, the way's speed is known, and compared
with what would come out of the compressor. If smaller payloads then do not arrive faster, it is the other end that
holds us up, and its processor has better things to do.
"""

from dataclasses import dataclass, replace

HELD = 0.3
"""The part of the time for which the way is busy, at least, when it or what is behind it is the limit."""
GAIN = 1.1
"""What must be won at least: it costs processor time at both ends."""
SAME = 0.8
"""A way that takes so much of what it took before is the limit still."""
DOUBTS = 2
"""So many times in a row it must look wrong before a decision is changed that was made knowing the way."""
AMPLE, ENOUGH = 3.0, 1.5
"""So many times faster than what passes compressors must be to make more effort, and to go on with that."""
HOPE = 0.5
"""The ratio that is assumed until one was seen."""
FIRST_PAUSE = 1.0
PAUSE = 2.0
LONGEST_PAUSE = 64.0
"""Seconds until the other way is tried again; twice as many each time. The first time it is not even known yet."""


@dataclass(frozen=True)
class Span:
    """What was seen while some megabytes were sent: raw bytes, what travelled for them, seconds, and the part of the
    time for which the way had enough to do.
    """

    raw: int
    wire: int
    seconds: float
    held: float


@dataclass(frozen=True)
class Worth:
    """The present decision and what it rests on. Rates are in bytes a second, 0 where none is known yet.

    `way` is what the way takes, `speed` what all compressors together can take in, `ratio` what they make of it. With
    `thorough` they make more effort, because the way is so slow that they mostly wait for it.
    """

    compress: bool = True
    thorough: bool = False
    way: float = 0.0
    speed: float = 0.0
    ratio: float = HOPE
    again_at: float = 0.0
    pause: float = PAUSE
    doubts: int = 0

    def after(self, span: Span, now: float) -> "Worth":
        """The decision after this much more was sent; `now` counts from the beginning."""
        if span.held < HELD:
            return self._not_held(span, now)
        return self._held_compressing(span, now) if self.compress else self._held_plain(span, now)

    def _not_held(self, span, now):
        """The way takes more than we can give it: smaller payloads cannot help, but do they hinder?

        They do where less gets through than the way took without: then the processors have too much to do beside.
        """
        if not self.compress:
            return self
        if self.thorough:
            return replace(self, thorough=False)
        if self.way and span.raw / span.seconds < self.way:
            return self._doubt(self._wait(now, compress=False))
        return self if now < self.again_at else self._doubt(replace(self, compress=False, doubts=0))

    def _held_compressing(self, span, now):
        if not self.way:
            return self._busy(span) if now < FIRST_PAUSE else replace(self, compress=False)
        taken = span.wire / span.seconds
        if taken >= SAME * self.way or span.raw / span.seconds >= GAIN * self.way:
            return replace(self._busy(span), pause=PAUSE, doubts=0)
        return self._doubt(self._wait(now, compress=False))

    def _busy(self, span):
        """With more effort where compressors could take in so much more than what passes that it costs no time."""
        return replace(self, thorough=self.speed >= (ENOUGH if self.thorough else AMPLE) * span.raw / span.seconds)

    def _doubt(self, other):
        """The other decision, if there was doubt before or nothing is known of the way."""
        return other if not self.way or self.doubts + 1 >= DOUBTS else replace(self, doubts=self.doubts + 1)

    def _held_plain(self, span, now):
        known = replace(self, way=span.wire / span.seconds)
        if now >= self.again_at and known.gain >= GAIN:
            return known._wait(now, compress=True)
        return known

    def _wait(self, now, compress):
        """Stay with a decision for a while."""
        pause = min(2 * self.pause, LONGEST_PAUSE)
        return replace(self, compress=compress, again_at=now + self.pause, pause=pause, doubts=0)

    @property
    def gain(self) -> float:
        """How many times faster it would be with compression, on a way that is the limit without it."""
        compressed = self.way / self.ratio
        return (min(self.speed, compressed) if self.speed else compressed) / self.way
