"""The project's version as this package carries it; both ends of a transfer must run the same."""

VERSION = "0.1.0"
