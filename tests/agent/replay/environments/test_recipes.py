"""Environments of recipes: built once, whole or not at all, from a registry on the loopback."""

import base64
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event

import pytest

from agent.replay.environments.base import Unavailable
from agent.replay.environments.pythons import find_python
from agent.replay.environments.recipes import Recipes, thin
from agent.replay.instance import Recipe
from tests.agent.replay.environments.little import PYTHON

ROOT = Path(__file__).resolve().parents[4]
WHEEL = "smallthing-1.0-py3-none-any.whl"


def wheel() -> bytes:
    """A package with a module and a script."""
    files = {
        "smallthing.py": b"def main():\n    print('small')\n",
        "smallthing-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: smallthing\n"
        b"Version: 1.0\n",
        "smallthing-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        "smallthing-1.0.dist-info/entry_points.txt": b"[console_scripts]\n"
        b"smallthing = smallthing:main\n",
    }
    record = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}\n")
    files["smallthing-1.0.dist-info/RECORD"] = "".join(
        (*record, "smallthing-1.0.dist-info/RECORD,,\n")
    ).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


class Registry:
    """Serves the wheel, at once or when it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let = threading.Event()
        self.served = 0
        self.address = ""


@contextmanager
def serving() -> Iterator[Registry]:
    state = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.set()
            state.let.wait(60)
            data = wheel()
            state.served += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_address[1]}/{WHEEL}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        state.let.set()
        server.shutdown()
        server.server_close()


def recipe(registry: Registry) -> Recipe:
    return Recipe("small", PYTHON, (f"smallthing @ {registry.address}",), "", "", "")


BUILD = """
import sys
from pathlib import Path
from threading import Event
from agent.replay.environments.pythons import find_python
from agent.replay.environments.recipes import Recipes
from agent.replay.instance import Recipe
recipe = Recipe("small", sys.argv[2], (sys.argv[3],), "", "", "")
Recipes(Path(sys.argv[1])).built(recipe, find_python(recipe.python), Event())
"""


def test_a_build_that_was_killed_is_done_again_and_one_that_ended_is_kept(tmp_path: Path) -> None:
    with serving() as registry:
        wanted = recipe(registry)
        argv = [sys.executable, "-c", BUILD, str(tmp_path), PYTHON, wanted.requirements[0]]
        victim = subprocess.Popen(argv, cwd=ROOT, start_new_session=True)
        assert registry.asked.wait(60)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        assert not list(tmp_path.glob("small-*.complete"))
        registry.let.set()
        built = Recipes(tmp_path).built(wanted, find_python(PYTHON), Event())
        served = registry.served
        again = Recipes(tmp_path).built(wanted, find_python(PYTHON), Event())
    assert (again.folder, registry.served) == (built.folder, served)
    told = subprocess.run([built.programs / "smallthing"], capture_output=True, check=True)
    assert told.stdout == b"small\n"


def test_a_thin_environment_shows_what_lies_beneath_and_its_own_comes_first(
    tmp_path: Path,
) -> None:
    with serving() as registry:
        registry.let.set()
        built = Recipes(tmp_path / "cache").built(recipe(registry), find_python(PYTHON), Event())
    one, other = thin(built, tmp_path / "one"), thin(built, tmp_path / "other")
    places = Path("lib") / f"python{PYTHON}" / "site-packages"
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "smallthing.py").write_text("def main():\n    print('of the tree')\n")
    (one.folder / places / "tree.pth").write_text(f"{tree}\n")
    for installed, said in ((one, b"of the tree\n"), (other, b"small\n"), (built, b"small\n")):
        # Both by the script and by the interpreter.
        script = [str(installed.programs / "smallthing")]
        argv = [str(installed.programs / "python"), "-c", "import smallthing; smallthing.main()"]
        for command in (script, argv):
            assert subprocess.run(command, capture_output=True, check=True).stdout == said
    asked = [str(one.programs / "python"), "-c", "import sys; print(sys.prefix)"]
    told = subprocess.run(asked, capture_output=True, check=True)
    assert told.stdout.decode().strip() == str(one.folder)


def test_a_requirement_that_cannot_be_had_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    absent = Recipe("small", PYTHON, ("nothing @ http://127.0.0.1:9/nothing.whl",), "", "", "")
    with pytest.raises(Unavailable, match="small cannot be built") as raised:
        Recipes(tmp_path).built(absent, find_python(PYTHON), Event())
    assert len(str(raised.value).splitlines()) == 1
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("small-")]


def test_the_first_recipe_whose_python_is_here_is_chosen(tmp_path: Path) -> None:
    old, own = Recipe("old", "2.4", (), "", "", ""), Recipe("own", PYTHON, (), "", "", "")
    chosen, python = Recipes(tmp_path).choose((old, own))
    assert (chosen.name, python.version.startswith(f"{PYTHON}.")) == ("own", True)
    with pytest.raises(Unavailable, match=r"no Python 2\.4"):
        Recipes(tmp_path).choose((old,))
