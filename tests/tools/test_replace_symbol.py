"""Definitions replaced whole, in what shape soever a model gives them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tools.base import ToolResult
from tools.edit import ReplaceArguments, ReplaceSymbol
from tools.errors import ToolError
from tools.workspace import Workspace

SOURCE = '''"""Reports."""

import os

RATE = 0.2  # a fifth


def mean(xs):
    return sum(xs)


class Report:
    """A report."""

    title = "x"

    # The sum.
    @property
    def value(self):
        return 1

    @value.setter
    def value(self, new):
        self.new = new

    def __init__(self, rows):
        self.rows = rows
        self.more = 2

    def render(self):
        return """
raw
"""

    @staticmethod
    def parse(text):
        return text
'''
RENDER = '    def render(self):\n        return """\nraw\n"""\n'


def replace(root: Path, symbol: str, code: str, path: str = "a.py") -> ToolResult:
    arguments = ReplaceArguments(path=path, symbol=symbol, code=code)
    return ReplaceSymbol(Workspace(root)).run(arguments, threading.Event())


def replaced(root: Path, symbol: str, code: str, source: str = SOURCE, path: str = "a.py") -> str:
    (root / path).write_text(source)
    replace(root, symbol, code, path)
    return (root / path).read_text()


class TestShapes:
    """What arrives is the same method, in many ways."""

    @pytest.mark.parametrize(
        "code",
        [
            "def render(self):\n    return 2",
            "    def render(self):\n        return 2\n",
            "def render(self):\n        return 2",
            "\n\n  def render(self):\n      return 2\n\n",
            "```python\ndef render(self):\n    return 2\n```",
            "```\n    def render(self):\n        return 2\n```\n",
            "class Report:\n    def render(self):\n        return 2\n",
            'class Report:\n    """A report."""\n\n    def render(self):\n        return 2\n',
            "class Report(Base):\n    def __init__(self, rows):\n        ...\n\n"
            "    def render(self):\n        return 2\n",
            "class Report:\n    # ... existing methods ...\n\n"
            "    def render(self):\n        return 2",
            "# a.py\ndef render(self):\r\n    return 2\r\n",
            "import os\n\ndef render(self):\n    return 2\n",
            "def render(self):\n    return 2\n\nprint(Report([]).render())\n",
            "def render(self):\n\treturn 2\n",
        ],
    )
    def test_of_a_method(self, tmp_path: Path, code: str) -> None:
        expected = SOURCE.replace(RENDER, "    def render(self):\n        return 2\n")
        assert replaced(tmp_path, "Report.render", code) == expected

    @pytest.mark.parametrize(
        "name", ["render", "Report.render", "Report.render()", "def render(self)", "a.Report"]
    )
    def test_of_a_name(self, tmp_path: Path, name: str) -> None:
        code = "class Report:\n    def render(self):\n        return 2\n"
        assert "return 2" in replaced(tmp_path, name, code)

    def test_strings_of_several_lines_keep_their_value(self, tmp_path: Path) -> None:
        code = (
            'def render(self):\n    """Doc.\n\n    More.\n    """\n    return """\nnew\n  raw\n"""'
        )
        text = replaced(tmp_path, "render", code)
        assert (
            '        """Doc.\n\n        More.\n        """\n        return """\nnew\n  raw\n"""'
            in text
        )

    def test_a_string_shifted_with_the_code_comes_back(self, tmp_path: Path) -> None:
        source = 'class A:\n    def f(self):\n        return g("""\n        text\n        """)\n'
        code = 'def f(self):\n    return h("""\n    text\n    """)\n'
        assert replaced(tmp_path, "f", code, source) == source.replace("g(", "h(")

    def test_parameters_on_two_lines(self, tmp_path: Path) -> None:
        source = "class A:\n    def f(self, a,\n          b):\n        return 1\n"
        code = "def f(self, a,\n      b):\n    return 2\n"
        assert replaced(tmp_path, "f", code, source) == source.replace("1", "2")

    def test_tabs(self, tmp_path: Path) -> None:
        source = "class A:\n\tdef f(self):\n\t\treturn 1\n"
        code = "def f(self):\n    if self:\n        return 2\n"
        assert replaced(tmp_path, "f", code, source) == (
            "class A:\n\tdef f(self):\n\t\tif self:\n\t\t\treturn 2\n"
        )

    def test_definitions_in_a_branch(self, tmp_path: Path) -> None:
        source = "if x:\n    def f():\n        return 1\n"
        assert replaced(tmp_path, "f", "def f():\n    return 2", source) == (
            "if x:\n    def f():\n        return 2\n"
        )


class TestKinds:
    def test_a_constant(self, tmp_path: Path) -> None:
        assert replaced(tmp_path, "RATE", "RATE = 0.25  # a quarter") == SOURCE.replace(
            "RATE = 0.2  # a fifth", "RATE = 0.25  # a quarter"
        )

    def test_one_of_several_names_in_a_statement(self, tmp_path: Path) -> None:
        assert replaced(tmp_path, "b", "a, b = 1, 3", "a, b = 1, 2\n") == "a, b = 1, 3\n"

    def test_a_class_attribute(self, tmp_path: Path) -> None:
        assert replaced(tmp_path, "Report.title", 'title = "y"') == SOURCE.replace('"x"', '"y"')

    def test_the_imports(self, tmp_path: Path) -> None:
        assert replaced(tmp_path, "(imports)", "import os\nimport sys") == SOURCE.replace(
            "import os", "import os\nimport sys"
        )

    def test_imports_where_there_were_none(self, tmp_path: Path) -> None:
        assert replaced(tmp_path, "(imports)", "import os", '"""Doc."""\n\nX = 1\n') == (
            '"""Doc."""\n\nimport os\n\nX = 1\n'
        )

    def test_a_class_tells_what_it_lost(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text(SOURCE)
        result = replace(
            tmp_path, "Report", "class Report:\n    def render(self):\n        return 2\n"
        )
        assert "No longer there: Report.title, Report.value, Report.__init__" in result.output

    def test_decorators_stay_unless_new_ones_come(self, tmp_path: Path) -> None:
        text = replaced(tmp_path, "parse", "def parse(text):\n    return int(text)")
        assert "    @staticmethod\n    def parse(text):\n        return int(text)\n" in text
        text = replaced(tmp_path, "parse", "@classmethod\ndef parse(cls, text):\n    return 1")
        assert "    @classmethod\n    def parse(cls, text):" in text
        assert "@staticmethod" not in text

    def test_one_of_two_with_the_same_name(self, tmp_path: Path) -> None:
        assert replaced(tmp_path, "Report.value", "@property\ndef value(self):\n    return 5") == (
            SOURCE.replace("return 1", "return 5")
        )
        assert replaced(tmp_path, "value", "def value(self, new):\n    self.x = new") == (
            SOURCE.replace("self.new", "self.x")
        )
        (tmp_path / "a.py").write_text(SOURCE)
        with pytest.raises(ToolError, match=r"defines Report\.value 2 times \(lines 18, 22\)"):
            replace(tmp_path, "value", "def value(self, x, y):\n    pass")


class TestCompany:
    """Definitions and imports that come along."""

    def test_missing_imports_go_to_the_top(self, tmp_path: Path) -> None:
        code = (
            "from __future__ import annotations\nimport os\nfrom math import (\n    fsum,\n)\n"
            "import json as j\nfrom a import Report\n\ndef mean(xs):\n    return fsum(xs)\n"
        )
        text = replaced(tmp_path, "mean", code)
        assert text.startswith(
            '"""Reports."""\n\nfrom __future__ import annotations\nimport os\n'
            "from math import (\n    fsum,\n)\nimport json as j\n\nRATE"
        )

    def test_part_of_an_import(self, tmp_path: Path) -> None:
        source = "from m import a\n\ndef f():\n    return a\n"
        text = replaced(tmp_path, "f", "from m import a, b\n\ndef f():\n    return b\n", source)
        assert text == "from m import a\nfrom m import b\n\ndef f():\n    return b\n"

    def test_existing_ones_are_replaced_and_new_ones_put_beside(self, tmp_path: Path) -> None:
        code = (
            "def half(x):\n    return x / 2\n\ndef mean(xs):\n    return half(sum(xs))\n\n"
            "RATE = 0.5\n"
        )
        (tmp_path / "a.py").write_text(SOURCE)
        result = replace(tmp_path, "mean", code)
        assert (tmp_path / "a.py").read_text() == SOURCE.replace(
            "def mean(xs):\n    return sum(xs)\n",
            "def half(x):\n    return x / 2\n\n\ndef mean(xs):\n    return half(sum(xs))\n",
        ).replace("RATE = 0.2  # a fifth", "RATE = 0.5")
        assert "[half was added.]\n[RATE was replaced too.]" in result.output

    def test_beside_a_method_methods_go_in_and_functions_out(self, tmp_path: Path) -> None:
        code = (
            "def shout(text):\n    return text\n\ndef render(self):\n    return self.line()\n\n"
            "def line(self):\n    return shout('x')\n"
        )
        text = replaced(tmp_path, "render", code)
        assert "\n\n\ndef shout(text):\n    return text\n\n\nclass Report:" in text
        assert "        return self.line()\n\n    def line(self):\n        return" in text

    def test_a_placeholder_for_another_method_leaves_it(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text(SOURCE)
        result = replace(
            tmp_path,
            "render",
            "class Report:\n    def __init__(self, rows):\n        # as before\n        pass\n\n"
            "    def render(self):\n        return 2\n",
        )
        assert "self.more = 2" in (tmp_path / "a.py").read_text()
        assert "Report.__init__ stays as it is" in result.output

    def test_examples_are_left_out_and_named(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text(SOURCE)
        result = replace(
            tmp_path, "mean", "def mean(xs):\n    return 1\n\nprint(mean([]))\nmean(2)"
        )
        assert "print" not in (tmp_path / "a.py").read_text()
        assert "Left out: 'print(mean([]))' and 1 more lines" in result.output

    def test_comments_above_are_not_doubled(self, tmp_path: Path) -> None:
        code = "# The sum.\n@property\ndef value(self):\n    return 5\n"
        assert replaced(tmp_path, "value", code) == SOURCE.replace("return 1", "return 5")


class TestRefused:
    @pytest.mark.parametrize(
        ("symbol", "code", "message"),
        [
            ("rendr", "x", r"does not define rendr\. Nearest: Report\.render\. It defines: \(imp"),
            ("mean", "return 3", r"defines nothing, not mean\..*\ndef mean\(xs\):"),
            ("mean", "def average(xs):\n    return 3", "defines average, not mean"),
            ("mean", "import os", "defines imports, not mean"),
            ("mean", "def mean(xs):\n    return sum(xs)", "that is what is in a.py already"),
            (
                "mean",
                "def mean(xs):\n    return (",
                r"Line 2 of the code does not parse .*return \(",
            ),
            ("mean", "def mean(xs):\n    return 1\n  x", "indentation of '  x' fits nothing"),
            ("mean", "def mean(xs):\n    # ... existing code ...\n    return 3", "leaves out"),
            ("mean", " \n", "empty"),
        ],
    )
    def test_with_what_to_do(self, tmp_path: Path, symbol: str, code: str, message: str) -> None:
        (tmp_path / "a.py").write_text(SOURCE)
        with pytest.raises(ToolError, match=message):
            replace(tmp_path, symbol, code)
        assert (tmp_path / "a.py").read_text() == SOURCE

    def test_an_ambiguous_name(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text(
            "class A:\n    def f(self): ...\nclass B:\n    def f(self): ...\n"
        )
        with pytest.raises(ToolError, match=r"several f: A\.f, B\.f"):
            replace(tmp_path, "f", "def f(self): return 1")

    def test_what_would_take_others_along(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("a, b = 1, 2\n")
        with pytest.raises(ToolError, match="b would be lost"):
            replace(tmp_path, "a", "a = 5")

    def test_a_language_without_symbols(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x\n")
        with pytest.raises(ToolError, match="no symbols"):
            replace(tmp_path, "x", "y", "a.txt")


class TestBytes:
    def test_every_other_byte_stays(self, tmp_path: Path) -> None:
        before = b"\xef\xbb\xbf# caf\xe9\r\nX = 1\n\r\ndef f():\r\n    return 1\r\n\x0c\nY = 2"
        (tmp_path / "a.py").write_bytes(before)
        replace(tmp_path, "f", "def f():\n    return 2")
        assert (tmp_path / "a.py").read_bytes() == before.replace(b"return 1", b"return 2")

    def test_offsets_are_right_after_wide_characters(self, tmp_path: Path) -> None:
        source = 'X = "日本 é 🎉"\n\n\ndef f():\n    return "ü"\n'
        assert replaced(tmp_path, "f", 'def f():\n    return "→"', source) == source.replace(
            "ü", "→"
        )

    def test_the_result_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text(SOURCE)
        result = replace(tmp_path, "render", "def render(self):\n    return 2")
        assert result.display == "replace Report.render in a.py +1 \N{MINUS SIGN}3"
        assert result.changed == ("a.py",)
        assert result.output.startswith("Changed a.py, lines 31-31:\n29\n30     def render")


class TestLanguages:
    @pytest.mark.parametrize(
        ("path", "source", "symbol", "code", "expected"),
        [
            (
                "a.ts",
                'import { a } from "./a";\n\nexport function z(): number {\n  return a;\n}\n',
                "z",
                'import { a, b } from "./a";\n\nfunction z(): number {\n  return b;\n}',
                'import { a } from "./a";\nimport { b } from "./a";\n\n'
                "export function z(): number {\n  return b;\n}\n",
            ),
            (
                "a.js",
                "class A {\n  m(x) {\n    return `q\nr`;\n  }\n}\n",
                "A.m",
                "m(x) {\n  return `q\ns`;\n}",
                "class A {\n  m(x) {\n    return `q\ns`;\n  }\n}\n",
            ),
            (
                "a.js",
                "class A {\n  m(x) {\n    return 1;\n  }\n}\n",
                "m",
                "class A {\n  m(x) {\n    return 2;\n  }\n}",
                "class A {\n  m(x) {\n    return 2;\n  }\n}\n",
            ),
            (
                "a.go",
                'package a\n\nimport "fmt"\n\nfunc (r *R) M() int {\n\treturn 1\n}\n',
                "R.M",
                'import (\n\t"fmt"\n\t"os"\n)\n\nfunc (r *R) M() int {\n    return 2\n}',
                'package a\n\nimport "fmt"\nimport "os"\n\nfunc (r *R) M() int {\n\treturn 2\n}\n',
            ),
            (
                "a.rs",
                "struct R;\n\nimpl R {\n"
                "    /// One.\n    fn m(&self) -> i32 {\n        1\n    }\n}\n",
                "R::m",
                "impl R {\n    fn m(&self) -> i32 {\n        2\n    }\n}",
                "struct R;\n\nimpl R {\n"
                "    /// One.\n    fn m(&self) -> i32 {\n        2\n    }\n}\n",
            ),
            (
                "A.java",
                "public class A {\n    @Override\n"
                "    public int m() {\n        return 1;\n    }\n}\n",
                "A.m",
                "public int m() {\n    return 2;\n}",
                "public class A {\n    @Override\n"
                "    public int m() {\n        return 2;\n    }\n}\n",
            ),
            (
                "a.c",
                "#include <stdio.h>\n\nint f(int a) {\n    return 1;\n}\n",
                "f",
                "#include <stdlib.h>\nint f(int a) {\n    return 2;\n}",
                "#include <stdio.h>\n#include <stdlib.h>\n\nint f(int a) {\n    return 2;\n}\n",
            ),
        ],
    )
    def test_a_definition(
        self, tmp_path: Path, path: str, source: str, symbol: str, code: str, expected: str
    ) -> None:
        assert replaced(tmp_path, symbol, code, source, path) == expected
