"""Confines this process, and all it starts, to writing below declared places: Landlock, where the kernel has it.

Only what changes contents and names is confined (write, make, remove, rename, truncate); reading is not, nor are mode,
owner and times. It needs the second version of Landlock, which can permit renames between directories.
"""
import contextlib
import ctypes
import os
import stat

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
PATH_BENEATH = 1
SET_NO_NEW_PRIVILEGES = 38
LEAST, TRUNCATES = 2, 3

WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
CHANGES = WRITE_FILE | sum(1 << bit for bit in range(4, 14))

# What every program may expect to write: it is no place for data. (systemd's ProtectSystem leaves these alone as well.)
ALWAYS = (b"/dev/null", b"/proc")

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = [("handled_access_fs", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def version():
    """The version of Landlock that this kernel offers; 0 without any."""
    return max(0, _libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION)))


def confine(writable):
    """Let this thread and what it starts write only below these paths (bytes). False where the kernel cannot do that.

    A path that is not there confers nothing. What is confined stays so.
    """
    found = version()
    if found < LEAST:
        return False
    rights = CHANGES | (TRUNCATE if found >= TRUNCATES else 0)
    wanted = _Ruleset(rights)
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    ruleset = _checked(_libc.syscall(CREATE_RULESET, ctypes.byref(wanted), size, ctypes.c_uint32(0)))
    try:
        for path in (*writable, *ALWAYS):
            with contextlib.suppress(FileNotFoundError):
                _permit(ruleset, path, rights)
        _checked(_libc.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_libc.syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)
    return True


def _permit(ruleset, path, rights):
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rule = _Beneath(rights if is_directory else rights & (WRITE_FILE | TRUNCATE), descriptor)
        arguments = ctypes.c_int(ruleset), ctypes.c_int(PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0)
        _checked(_libc.syscall(ADD_RULE, *arguments))
    finally:
        os.close(descriptor)


def _checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
