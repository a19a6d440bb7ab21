"""The two ends of a probe, which move no file: the same port, pinhole, lease and undo log as those of a transfer."""

from datamover.engine.probe import ProbeReceiver, ProbeSender
from datamover.errors import OutOfTurn

from .ends import End, ListeningEnd, SourceEnd


class _WithoutRecords:
    """What sets both ends of a probe apart from those of a transfer."""

    def _begin_records(self):
        """Nothing is moved of which anything could be recorded."""

    @property
    def _shared(self):
        return self._spec, self._roster, self._identity


class ProbeSource(_WithoutRecords, End):
    """Sends random bytes when told to go."""

    silence = SourceEnd.silence

    def limit(self, _rate):
        raise OutOfTurn("a probe is over in a moment; its limit is that of its plan")

    def _move(self):
        return ProbeSender(*self._shared, self._progress, self._stop).run()


class ProbeDestination(_WithoutRecords, ListeningEnd):
    """Takes them, throws them away, and tells how fast they came."""

    def _move(self):
        return ProbeReceiver(*self._shared, self._listener, self._progress, self._stop).run()


END_OF = {"source": ProbeSource, "destination": ProbeDestination}
