"""What can go wrong with a measurement."""


class BenchError(Exception):
    """A run gave no figures; the message says which and why."""
