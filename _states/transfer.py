"""
Declares that a file or directory of another minion is here, copied directly and proved.

The minion asks its master by ``publish.runner``, so the master's configuration must permit that::

    peer_run:
      'db.*':
        - transfer.pull

A minion that may call it gets copies to itself, and nothing else. What it may have is for the sources' own policy.
"""

import os
import secrets
import time

from salt.state import STATE_INTERNAL_KEYWORDS

from transferplan import declared

__virtualname__ = "transfer"

OFTEN, SELDOM = 0.7, 10.0
PATIENCE = 900.0


def __virtual__():
    return __virtualname__


def copied(name, source, **options):
    """
    A file or directory of another minion is here.

    What stands there already is left alone, unless ``update: True`` asks to bring it up to date at every run. An empty
    directory counts as nothing. A run that ends too early (the minion restarts, a job is killed) harms nothing: the
    transfer goes on, and the next run of the state follows it.

    name
        The final name, an absolute path. With a slash at its end a directory to copy into.

    source
        ``MINION:/path``.

    Options are those of ``salt-run transfer.copy``, such as ``update``, ``delete``, ``exclude``, ``limit``.
    Whether to ``update`` must be said here: what is in a ``profile`` is known to the master alone.

    Returns a state's dict. ``changes`` hold ``source``, ``files``, ``directories``, ``links``, ``bytes``, ``transfer``,
    ``level`` and ``root`` of a copy, and of an update how many entries were ``created``, ``changed``, ``deleted``; with
    ``test=True`` as much as is known. Whether an update has anything to do is known only by comparing, so a test of one
    says None.

    CLI Example:

    .. code-block:: yaml

        /srv/data:
          transfer.copied:
            - source: db1:/srv/data

        /srv/templates:
          transfer.copied:
            - source: build:/srv/templates
            - update: True
            - delete: True
    """
    options = {key: value for key, value in options.items() if key not in STATE_INTERNAL_KEYWORDS}
    return _copied(name, source, options).named(name)


def _copied(name, source, options):
    if troubles := declared.misdeclared(name, source, options):
        return declared.failed(*troubles)
    place = declared.final_name(name, source)
    if not declared.wants(_stands(place), options):
        return declared.present(place, source, __salt__["transfer.list"]()["runs"])
    if __opts__["test"]:
        return _awaited(declared.foreseen, source=source, path=name, **options, test=True)
    return _awaited(declared.ended, source=source, path=name, **options)


def _stands(place):
    """Whether something is there; an empty directory is nothing."""
    return os.path.lexists(place) and not (_is_plain_directory(place) and not os.listdir(place))


def _is_plain_directory(place):
    return os.path.isdir(place) and not os.path.islink(place)


def _awaited(outcome, **asked):
    """Asks again and again by the same key until it has ended. A master that is away for a while is waited for."""
    key, pause, heard = secrets.token_hex(16), OFTEN, time.monotonic()
    while True:
        told = _pull(key=key, **asked)
        trouble = declared.untold(told, __opts__["id"])
        if declared.is_forbidden(told) or (trouble and time.monotonic() - heard > PATIENCE):
            return declared.failed(trouble)
        if not trouble:
            heard = time.monotonic()
            if told["result"] != declared.RUNNING:
                return outcome(told)
        time.sleep(pause)
        pause = min(SELDOM, pause * 1.5)


def _pull(source, **asked):
    arguments = {"__kwarg__": True, "src": source, **asked}
    return __salt__["publish.runner"]("transfer.pull", [arguments])
