"""The index over real trees: ranking, the cache and its faults, the outline's text."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.indexing.scan import scan, scan_all
from tools.indexing.terms import parse, split, without_random
from tools.outline import Frame, Index, Outline, Ranked, render
from tools.workspace import Workspace

FILES = {
    "shop/__init__.py": "",
    "shop/prices.py": '''"""What things cost."""

from shop.taxes import tax_of

RATE = 0.2


def net_price(item):
    """The price before tax, discount applied."""
    return item.price - item.discount


def gross_price(item):
    return net_price(item) + tax_of(item)


class Basket:
    """Items somebody wants."""

    def total(self):
        return sum(gross_price(item) for item in self.items)

    def is_empty(self):
        return not self.items
''',
    "shop/taxes.py": '''"""Tax by country."""


def tax_of(item):
    return item.price * _lookup(item.country)


def _lookup(country):
    return {"de": 0.19}[country]
''',
    "shop/mail.py": '''"""Letters to customers."""


class HttpSender:
    def send_letter(self, customer):
        return self.post(customer.address)
''',
    "tests/test_prices.py": """from shop.prices import gross_price


def test_gross_price_with_discount():
    assert gross_price(item) == 1
""",
    "web/cart.ts": "export function renderCart(items: Item[]) { return items.length }\n",
    "README.md": "# gross price\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cache"


def build(root: Path, cache: Path | None = None) -> Index:
    return Index.build(Workspace(root), cache)


def names(ranked: tuple[Ranked, ...]) -> list[str]:
    return [item.symbol.name for item in ranked]


def defined(index: Index, path: str) -> list[str]:
    return [symbol.name for symbol in index.symbols(path)]


def database(cache: Path) -> Path:
    (found,) = cache.iterdir()
    return found


class TestIndex:
    def test_holds_source_files_only(self, root: Path) -> None:
        index = build(root)
        assert index.paths == tuple(sorted(set(FILES) - {"README.md"}))
        assert defined(index, "shop/__init__.py") == []
        assert "Basket.total" in defined(index, "shop/prices.py")
        assert index.symbols("README.md") == ()

    def test_an_empty_folder(self, tmp_path: Path, cache: Path) -> None:
        for _ in range(2):
            index = build(tmp_path, cache)
            assert index.paths == ()
            assert index.rank("anything at all") == ()

    def test_odd_files_have_no_symbols_and_do_no_harm(self, root: Path) -> None:
        os.mkfifo(root / "pipe.py")
        (root / "link.py").symlink_to(root / "shop" / "prices.py")
        (root / "loop.py").symlink_to("loop.py")
        (root / "zero.py").write_bytes(b"\0" * 100)
        (root / "latin.py").write_bytes(b"def caf\xe9(): return '\xe9'\n")
        (root / "giant.py").write_bytes(b"x = 1\n" * 300_000)
        (root / "new\nline.py").write_text("def never(): pass\n")
        Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.py")).write_text("def never(): pass\n")
        found = scan(str(root), ["pipe.py", "link.py", "loop.py", "giant.py", "gone.py"])
        assert [file.symbols for file in found.files] == [()] * 5
        index = build(root)
        assert "never" not in names(index.rank("never"))
        assert all(path.isprintable() for path in index.paths)

    def test_refresh_sees_edits_additions_and_removals(self, root: Path) -> None:
        index = build(root)
        (root / "shop" / "mail.py").write_text("def telegraph(): pass\n")
        (root / "shop" / "new.py").write_text("def pigeon_post(): pass\n")
        (root / "shop" / "taxes.py").unlink()
        index.refresh(["shop/mail.py", "shop/new.py", "shop/taxes.py", "README.md", "no/such.py"])
        assert defined(index, "shop/mail.py") == ["telegraph"]
        assert names(index.rank("the pigeon post"))[0] == "pigeon_post"
        assert "send_letter" not in " ".join(names(index.rank("send letter")))
        assert "shop/taxes.py" not in index.paths

    def test_many_refreshes_keep_agreeing_with_the_tree(self, root: Path, cache: Path) -> None:
        index = build(root, cache)
        for number in range(30):
            (root / "shop" / "mail.py").write_text(f"def letter_{number}(): return post\n")
            index.refresh(["shop/mail.py"])
        ranked = index.rank("letter_29 post letter_3")
        assert names(ranked)[0] == "letter_29"
        assert "letter_3" not in names(ranked)
        assert defined(build(root, cache), "shop/mail.py") == ["letter_29"]


class TestCache:
    def test_private_and_reused(self, root: Path, cache: Path) -> None:
        before = build(root, cache).rank("gross price")
        file = database(cache)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(cache.stat().st_mode) == 0o700
        written = file.stat()
        assert build(root, cache).rank("gross price") == before
        assert database(cache).stat().st_mtime_ns == written.st_mtime_ns
        assert database(cache).stat().st_ino == written.st_ino

    def test_changes_between_two_runs_are_seen(self, root: Path, cache: Path) -> None:
        build(root, cache)
        (root / "shop" / "mail.py").write_text("def telegraph(): pass\n")
        (root / "shop" / "taxes.py").unlink()
        index = build(root, cache)
        assert defined(index, "shop/mail.py") == ["telegraph"]
        assert "shop/taxes.py" not in index.paths
        fresh = build(root).rank("telegraph the price")
        assert names(index.rank("telegraph the price"))[:4] == names(fresh)[:4]

    @pytest.mark.parametrize("damage", ["empty", "text", "cut", "holes", "folder"])
    def test_damage_is_mended(self, root: Path, cache: Path, damage: str) -> None:
        expected = build(root, cache).rank("gross price of a Basket")
        file = database(cache)
        data = file.read_bytes()
        match damage:
            case "empty":
                file.write_bytes(b"")
            case "text":
                file.write_text("not a database\n" * 1000)
            case "cut":
                file.write_bytes(data[: len(data) // 2])
            case "holes":  # the first pages are sound, so that opening succeeds
                file.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
            case "folder":
                file.unlink()
                file.mkdir()
        for _ in range(2):
            assert build(root, cache).rank("gross price of a Basket") == expected

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
    def test_a_folder_that_cannot_be_written(self, root: Path, cache: Path) -> None:
        cache.mkdir(parents=True)
        cache.chmod(0o500)
        assert names(build(root, cache).rank("gross price"))

    def test_a_cache_that_is_a_file(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("")
        assert names(build(root, tmp_path / "taken").rank("gross price"))

    def test_another_process_may_write_at_the_same_time(self, root: Path, cache: Path) -> None:
        ours, theirs = build(root, cache), build(root, cache)
        (root / "shop" / "mail.py").write_text("def telegraph(): pass\n")
        theirs.refresh(["shop/mail.py"])
        assert names(ours.rank("telegraph gross price"))
        ours.refresh(["shop/mail.py"])
        assert names(ours.rank("telegraph"))[0] == "telegraph"
        assert names(theirs.rank("telegraph"))[0] == "telegraph"


class TestProcesses:
    def test_a_large_tree_gives_what_a_small_one_does(self, tmp_path: Path) -> None:
        paths = [f"m{number}.py" for number in range(400)]
        for number, path in enumerate(paths):
            (tmp_path / path).write_text(f"def name_{number}():\n    return name_{number + 1}()\n")
        together = {
            file.path: (file.symbols, file.words)
            for found in scan_all(str(tmp_path), paths)
            for file in found.files
        }
        alone = {file.path: (file.symbols, file.words) for file in scan(str(tmp_path), paths).files}
        assert together == alone
        assert names(build(tmp_path).rank("name_399 fails"))[0] == "name_399"

    @pytest.mark.parametrize("interpreter", ["/bin/false", "/nonexistent/python"])
    def test_what_other_processes_do_not_read_is_read_here(
        self, tmp_path: Path, interpreter: str
    ) -> None:
        for number in range(320):
            (tmp_path / f"m{number}.py").write_text(f"def name_{number}(): pass\n")
        code = (
            "import sys\n"
            "from pathlib import Path\n"
            "from tools.outline import Index\n"
            "from tools.workspace import Workspace\n"
            "sys.executable = sys.argv[1]\n"
            "index = Index.build(Workspace(Path(sys.argv[2])), None)\n"
            "print(sum(len(index.symbols(path)) for path in index.paths))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, interpreter, str(tmp_path)],
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "320\n"

    def test_works_from_a_folder_with_a_tools_package(self, tmp_path: Path) -> None:
        (tmp_path / "tools").mkdir()
        (tmp_path / "tools" / "__init__.py").write_text("raise SystemExit('shadowed')\n")
        for number in range(320):
            (tmp_path / f"m{number}.py").write_text(f"def name_{number}(): pass\n")
        code = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from pathlib import Path\n"
            "from tools.outline import Index\n"
            "from tools.workspace import Workspace\n"
            "print(len(Index.build(Workspace(Path.cwd()), None).paths))\n"
        )
        project = str(Path(__file__).resolve().parents[2])
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, project],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "321"


class TestRank:
    def test_words_of_a_name_and_of_a_body(self, root: Path) -> None:
        index = build(root)
        assert names(index.rank("The gross price is wrong"))[0] == "gross_price"
        assert names(index.rank("sending letters fails"))[0] == "HttpSender.send_letter"
        assert "net_price" in names(index.rank("discount"))[:2]

    def test_an_exact_mention_wins(self, root: Path) -> None:
        index = build(root)
        assert names(index.rank("price price price, see `_lookup`"))[0] == "_lookup"
        assert names(index.rank("price of Basket.is_empty()"))[0] == "Basket.is_empty"

    @pytest.mark.parametrize("text", ["see shop/mail.py", "in shop.mail", "/x/y/shop/mail.py:3"])
    def test_a_path_that_is_mentioned(self, root: Path, text: str) -> None:
        assert build(root).rank(text)[0].path == "shop/mail.py"

    def test_references_lead_on(self, root: Path) -> None:
        found = names(build(root).rank("`gross_price` is wrong"))
        assert found.index("tax_of") < found.index("HttpSender.send_letter")
        assert found.index("net_price") < found.index("Basket.is_empty")

    def test_frames_win_and_the_innermost_most(self, root: Path) -> None:
        frames = [Frame("shop/prices.py", 20), Frame("shop/taxes.py", 9), Frame("gone.py", 1)]
        found = names(build(root).rank("letters to customers", frames))
        assert found[0] == "_lookup"
        assert found[1] == "Basket.total"

    def test_a_traceback_in_the_text(self, root: Path) -> None:
        text = """Sending fails
Traceback (most recent call last):
  File "/usr/lib/site-packages/shop/prices.py", line 900, in total
    return sum(gross_price(item) for item in self.items)
  File "/usr/lib/site-packages/shop/taxes.py", line 901, in _lookup
KeyError: 'fr'
"""
        found = names(build(root).rank(text))
        assert found[:2] == ["_lookup", "Basket.total"]

    def test_tests_stand_back_unless_asked_for(self, root: Path) -> None:
        index = build(root)
        text = "test_gross_price_with_discount fails"
        assert index.rank(text)[0].path == "shop/prices.py"
        assert index.rank(text, include_tests=True)[0].path == "tests/test_prices.py"

    def test_variables_and_imports_come_late(self, root: Path) -> None:
        found = names(build(root).rank("the price"))
        assert found.index("RATE") > found.index("gross_price")
        assert "(imports)" in found

    def test_everything_in_a_small_tree_is_ranked_once(self, root: Path) -> None:
        index = build(root)
        ranked = index.rank("unrelated words")
        assert len({(item.path, item.symbol) for item in ranked}) == len(ranked)
        assert len(ranked) == sum(len(index.symbols(path)) for path in index.paths)

    @pytest.mark.parametrize(
        "text", ["", " \n", "\0", "%s' OR 1=1 --", "é" * 5000, "a.b." * 20_000, "()" * 50_000]
    )
    def test_any_text_will_do(self, root: Path, text: str) -> None:
        assert build(root).rank(text)


class TestTerms:
    def test_what_looks_random_is_no_word(self) -> None:
        for word in ("Qd2vXk9LmZp4RtY8wBn", "d41d8cd98f00b204e9800998ecf8427e"):
            assert split(word) == ()
        for word in ("Http2ServerConnection", "test_sha256_and_md5_of_it", "a1b2c3"):
            assert split(word)
        assert without_random('KEY = "gh_Qd2vXk9LmZp4RtY8wBn"') == 'KEY = "gh_..."'

    @pytest.mark.parametrize(
        ("word", "terms"),
        [
            ("get_queryset", {"get_queryset", "get", "queryset"}),
            ("HTTPResponse", {"httpresponse", "http", "response"}),
            ("self", set()),
            ("_hidden", {"hidden"}),
        ],
    )
    def test_split(self, word: str, terms: set[str]) -> None:
        assert {part.rstrip("e") for part in split(word)} == {part.rstrip("e") for part in terms}

    def test_endings_meet(self) -> None:
        assert split("caching") == split("caches") == split("cached") == split("cache")

    def test_what_reads_as_code(self) -> None:
        query = parse("Calling `total` on Basket.items\nraises in get_price, at a/b.py")
        assert query.names["total"] == query.names["Basket.items"] == query.names["get_price"] == 1
        assert query.names["raises"] < 1
        assert query.paths == ("a/b.py",)


class TestRender:
    def test_files_with_lines_and_surrounding_classes(self, root: Path) -> None:
        index = build(root)
        (total,) = (item for item in index.rank("x") if item.symbol.name == "Basket.total")
        (tax,) = (item for item in index.rank("x") if item.symbol.name == "tax_of")
        assert render([total, tax], index, 1000, len) == (
            "shop/prices.py\n"
            "   17 class Basket:\n"
            "   20   def total(self):\n"
            "\n"
            "shop/taxes.py\n"
            "    4 def tax_of(item):"
        )

    @pytest.mark.parametrize("budget", [0, 10, 60, 200, 10_000])
    def test_never_beyond_the_budget(self, root: Path, budget: int) -> None:
        index = build(root)
        text = render(index.rank("gross price"), index, budget, len)
        assert len(text) <= budget
        assert ("gross_price" in text) == (budget >= 60)


class TestTool:
    def tool(self, root: Path, budget: int = 2000) -> Outline:
        index = build(root)
        return Outline(lambda: index, budget, len)

    def run(self, tool: Outline, **arguments: str) -> str:
        return tool.run(tool.Args.model_validate(arguments), threading.Event()).output

    def test_for_a_query(self, root: Path) -> None:
        assert self.run(self.tool(root), query="gross price").startswith("shop/prices.py\n")

    @pytest.mark.parametrize("path", ["shop/taxes.py", "./shop/taxes.py", "shop/../shop/taxes.py"])
    def test_a_file_is_shown_whole(self, root: Path, path: str) -> None:
        assert self.run(self.tool(root), query="letters", path=path) == (
            "shop/taxes.py\n    4 def tax_of(item):\n    8 def _lookup(country):"
        )

    def test_a_folder(self, root: Path) -> None:
        text = self.run(self.tool(root), query="letters", path="shop/")
        assert text.startswith("shop/mail.py")
        assert "web/" not in text

    @pytest.mark.parametrize("path", ["nowhere", "/etc", "../root", "README.md"])
    def test_a_path_without_source(self, root: Path, path: str) -> None:
        with pytest.raises(ToolError, match="No source file"):
            self.run(self.tool(root), query="x", path=path)

    def test_a_budget_too_small(self, root: Path) -> None:
        with pytest.raises(ToolError, match="Use search"):
            self.run(self.tool(root, budget=3), query="x")


def test_importing_stays_cheap() -> None:
    code = (
        "import sys, tools.outline\n"
        "print([m for m in ('sqlite3', 'tree_sitter', 'subprocess', 'multiprocessing')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
