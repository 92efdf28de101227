"""A program that gives up rights for ever, and becomes another program.

Run by path in an isolated Python, so it must import nothing but the standard library, and little of
that: it delays every command. Must not know why a place may be read or written.

    python -I -S restrict.py STATUS NETWORK READ WRITE PLACE... PROGRAM ARGUMENT...

STATUS is a descriptor for what goes wrong, NETWORK 0 or 1, READ and WRITE are how many of the
places that follow may be read, and how many after those written.

Landlock refuses files (and, from its sixth version on, signals to processes outside). Landlock's
own rules for the network know TCP alone, so a seccomp filter refuses sockets but for local ones,
and connections to those too: a service on such a socket does what it is told.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys

_NO_NEW_PRIVILEGES, _DIES_WITH_PARENT, _SECCOMP = 38, 1, 22  # prctl
_CAPABILITIES_3 = 0x20080522
_KILL = 9
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_VERSION_1 = (1 << 13) - 1
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READING = _EXECUTE | _READ_FILE | _READ_DIR

_PROCESSORS = {"x86_64": (0xC000003E, 41, 42), "aarch64": (0xC00000B7, 198, 203)}
"""What seccomp calls them, and their numbers of `socket` and `connect`."""
_IO_URING_SETUP = 425
"""It would make sockets and connections without the calls that are refused."""
_X32 = 0x40000000
"""Added to the numbers of another set of calls of x86_64."""
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def main(arguments: list[str]) -> None:
    """Restrict this process and run the program; failures go to the status descriptor."""
    status, network, read, write = map(int, arguments[:4])
    readable, writable = arguments[4 : 4 + read], arguments[4 + read : 4 + read + write]
    argv = arguments[4 + read + write :]
    os.set_inheritable(status, False)
    try:
        restrict(readable, writable, network == 1)
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(status, (error.strerror or str(error)).encode())
    os._exit(127)


def restrict(read: list[str], write: list[str], network: bool) -> None:
    """Give up, for this process and all it starts, everything that is not named.

    Raises:
        OSError: This kernel or processor has no such thing.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(_DIES_WITH_PARENT, _KILL, 0, 0, 0), "prctl")
    _checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    # Root without its capabilities: they would open what it does not own, and other processes.
    # Those cannot come back with a new program, now that there are no new privileges.
    head, none = struct.pack("<Ii", _CAPABILITIES_3, 0), bytes(24)
    _checked(libc.capset(head, none), "capset")
    version = _checked(libc.syscall(_CREATE_RULESET, None, 0, _VERSION), "Landlock")
    handled = _VERSION_1 | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    scoped = (_ABSTRACT_SOCKETS * (not network) | _SIGNALS) if version >= 6 else 0
    attributes = struct.pack("<QQQ", handled, 0, scoped)
    size = 24 if version >= 6 else 8
    rules = _checked(libc.syscall(_CREATE_RULESET, attributes, size, 0), "Landlock")
    for paths, rights in ((read, _READING), (write, handled)):
        for path in paths:
            _allow(libc, rules, path, rights)
    if not network:
        _refuse_connections(libc)
    _checked(libc.syscall(_RESTRICT_SELF, rules, 0), "Landlock")
    os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # gone, or behind a folder that may not be entered
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        # Packed without a gap, as the kernel has it.
        rule = struct.pack("<Qi", rights, place)
        _checked(libc.syscall(_ADD_RULE, rules, _BENEATH, rule, 0), path)
    finally:
        os.close(place)


def _refuse_connections(libc: ctypes.CDLL) -> None:
    """Sockets are local, connected to nothing that had a name before."""
    processor, socket, connect = _PROCESSORS.get(os.uname().machine, (0, 0, 0))
    if not processor:
        raise OSError(errno.ENOSYS, f"there is no filter for {os.uname().machine}")
    local = 1  # AF_UNIX
    # Jumps are counted from the next instruction; 9 allows, 10 refuses.
    program = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, 8, processor),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 6, 0, _X32),
        (_EQUAL, 5, 0, connect),
        (_EQUAL, 4, 0, _IO_URING_SETUP),
        (_EQUAL, 0, 2, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, local),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    head = struct.pack("@HP", len(program), ctypes.addressof(code))
    _checked(libc.prctl(_SECCOMP, 2, head, 0, 0), "seccomp")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
