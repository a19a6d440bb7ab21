"""What can go wrong with the lab itself."""


class LabError(Exception):
    """The lab cannot do what it was asked; the message says what to do."""
