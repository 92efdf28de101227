"""Keys: where they come from, and a value that does not show itself.

Owns the three places (environment, a file of the user's, the system's keyring) and their order.
Must not know what a key opens. A value is never an argument, never printed and never stored
elsewhere than where the user put it.
"""

from __future__ import annotations

import os
import queue
import re
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from agent import config_file, private
from agent.errors import InputError

KNOWN = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PARITY_SERVER_KEY")
"""Keys that this program can use."""
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SERVICE = "parity"
"""What our entries in the keyring are filed under."""
_LONGEST = 8192
"""Characters of a key."""
_PATIENCE = 3.0
"""Seconds that the keyring may take where nobody can answer its dialog."""
_PATIENCE_ASKED = 60.0
"""Seconds where somebody can."""


class _Keyring(Protocol):
    """What is used of the package `keyring`."""

    def get_password(self, service_name: str, username: str) -> str | None: ...

    def set_password(self, service_name: str, username: str, password: str) -> None: ...

    def delete_password(self, service_name: str, username: str) -> None: ...


class Secret:
    """A value that shows itself only when it is asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    secret: Secret
    origin: str
    """`environment`, the file's path, or `keyring`."""


class Keys:
    """The user's keys by name: from the environment, else a file, else the system's keyring."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        """
        Args:
            folder: Holds one file for each key, named as the key is.
        """
        self._environ = environ
        self.folder = folder
        self._found: dict[str, Key] = {}

    @property
    def found(self) -> tuple[Key, ...]:
        """The keys that were asked for and found."""
        return tuple(self._found.values())

    def find(self, name: str, keyring: bool = True) -> Key | None:
        """A key; None where there is none.

        Args:
            keyring: Whether the keyring is asked when the others have none.

        Raises:
            InputError: Its file can be read by others, or does not hold a key.
        """
        check_name(name)
        if value := self._environ.get(name, "").strip():
            key = Key(name, Secret(value), "environment")
        elif (secret := _read(self.folder / name)) is not None:
            key = Key(name, secret, str(self.folder / name))
        elif keyring and (value := self._ask(lambda ring: ring.get_password(_SERVICE, name))):
            key = Key(name, Secret(value), "keyring")
        else:
            return None
        self._found[name] = key
        return key

    def value(self, name: str, keyring: bool = True) -> str | None:
        """The key itself, for whoever sends it; arguments and errors as `find` has them."""
        key = self.find(name, keyring)
        return key.secret.reveal() if key is not None else None

    def files(self) -> tuple[Path, ...]:
        """The files of keys that there are."""
        try:
            places = sorted(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return tuple(place for place in places if _NAME.fullmatch(place.name))

    def names(self) -> tuple[str, ...]:
        """The keys that can be used and those that have a file."""
        return tuple(dict.fromkeys((*KNOWN, *(place.name for place in self.files()))))

    def keep(self, name: str, value: str, keyring: bool = False) -> str:
        """Keep a key, in a file or in the keyring; where it went.

        Raises:
            InputError: The name or the value cannot be a key, or there is no keyring.
        """
        check_name(name)
        value = value.strip()
        _check_value(name, value)
        if not keyring:
            private.write(self.folder / name, f"{value}\n".encode())
            return str(self.folder / name)

        def put(ring: _Keyring) -> str:
            ring.set_password(_SERVICE, name, value)
            return "kept"

        if not self._ask(put):
            raise InputError("There is no keyring to keep it in; leave out --keyring.")
        return "keyring"

    def remove(self, name: str) -> tuple[str, ...]:
        """Forget a key; the places it was taken from."""
        check_name(name)
        gone = []
        place = self.folder / name
        if place.exists():
            place.unlink()
            gone.append(str(place))

        def delete(ring: _Keyring) -> str:
            if ring.get_password(_SERVICE, name) is None:
                return ""
            ring.delete_password(_SERVICE, name)
            return "gone"

        if self._ask(delete):
            gone.append("keyring")
        return tuple(gone)

    def _ask(self, question: Callable[[_Keyring], str | None]) -> str:
        """What the system's keyring answers; empty when there is none, or none that answers."""
        if not _has_keyring(self._environ):
            return ""
        answers: queue.SimpleQueue[str] = queue.SimpleQueue()

        def ask() -> None:
            try:
                import keyring  # 170 ms; only needed when no other place has the key

                answers.put(question(keyring) or "")
            except Exception:  # a backend is foreign code, and no error of it is one of ours
                answers.put("")

        # A thread, for a locked keyring waits for a dialog that nobody may see.
        threading.Thread(target=ask, daemon=True, name="keyring").start()
        try:
            return answers.get(timeout=_PATIENCE_ASKED if sys.stdin.isatty() else _PATIENCE)
        except queue.Empty:
            return ""


def user_keys() -> Keys:
    """The keys of whoever runs this."""
    return Keys(os.environ, keys_folder(config_file.user_file()))


def keys_folder(user_file: Path) -> Path:
    """Where the files of keys are: beside the user's settings."""
    return user_file.parent / "keys"


def check_name(name: str) -> None:
    """
    Raises:
        InputError: It cannot be the name of a key.
    """
    if not _NAME.fullmatch(name):
        # Not quoted: it may be the key itself, given in the wrong place.
        raise InputError(f"That is no name of a key: one is written like {KNOWN[0]}.")


def _has_keyring(environ: Mapping[str, str]) -> bool:
    """Whether it is worth the import: a Linux without a session bus has none."""
    if sys.platform != "linux" or "PYTHON_KEYRING_BACKEND" in environ:
        return True
    bus = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "bus"
    return "DBUS_SESSION_BUS_ADDRESS" in environ or bus.exists()


def _read(place: Path) -> Secret | None:
    try:
        with place.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise InputError(
                    f"The key in {place} can be read by others (mode {mode:04o}): "
                    f"`chmod 600 {place}`."
                )
            value = file.read(_LONGEST + 2).strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"The key in {place} cannot be read: {reason}.") from None
    _check_value(place.name, value)
    return Secret(value)


def _check_value(name: str, value: str) -> None:
    if not value or len(value) > _LONGEST or not value.isascii() or not value.isprintable():
        raise InputError(f"What is given for {name} is no key: a key is one line of letters.")
    if " " in value:
        raise InputError(f"What is given for {name} is no key: there is a blank in it.")
