from __future__ import annotations

from agent.models.base import CallForm, Form
from agent.models.fenced_calls import fenced_calls

REPLACING = CallForm(
    "replace_symbol",
    (
        (("path", "b.py"), ("symbol", "Bill.tax")),
        (("path", "b.py"), ("symbol", "Bill")),
        (("path", "m.py"), ("symbol", "percent")),
    ),
    ("code",),
    ("    def tax", "class Bill", "def percent"),
)
SHOWING = CallForm("show", REPLACING.headers)
WRITING = CallForm(
    "write_file",
    ((("path", "test_x.py"),),),
    ("content",),
    ("import m\n\n\ndef test_issue():\n    ",),
)


def found(text: str, call: CallForm, most: int = 8) -> list[dict[str, object]]:
    return [dict(made.arguments) for made in fenced_calls(text, Form((call,), max_calls=most))]


def fenced(code: str, label: str = "python") -> str:
    return f"Here:\n```{label}\n{code}\n```\nThat is all."


def test_a_definition_alone_is_taken_whole() -> None:
    code = "def percent(cents, rate):\n    # per cent\n\n    return cents * rate / 100"
    assert found(fenced(code), REPLACING) == [{"path": "m.py", "symbol": "percent", "code": code}]


def test_each_of_several_is_cut_out_with_its_decorators() -> None:
    text = fenced("@cache\ndef percent(c):\n    return (\n        c\n)\n\n\ndef other():\n    pass")
    text += fenced("def tax(self):\n    return 1")
    assert found(text, REPLACING) == [
        {
            "path": "m.py",
            "symbol": "percent",
            "code": "@cache\ndef percent(c):\n    return (\n        c\n)",
        },
        {"path": "b.py", "symbol": "Bill.tax", "code": "def tax(self):\n    return 1"},
    ]
    assert len(found(text, REPLACING, most=1)) == 1


def test_a_class_that_is_given_whole_holds_its_methods() -> None:
    code = "class Bill:\n    def tax(self):\n        return 1"
    assert found(fenced(code), REPLACING) == [{"path": "b.py", "symbol": "Bill", "code": code}]


def test_a_method_of_another_class_is_another() -> None:
    other = "class Offer:\n    def tax(self):\n        return 1\n\n\n"
    mine = "class Bill:\n    rate = 3\n\n    def tax(self):\n        return 2"
    only = CallForm("replace_symbol", REPLACING.headers[:1], ("code",), REPLACING.openings)
    assert found(fenced(other), only) == []
    code = "    def tax(self):\n        return 2"
    assert [call["code"] for call in found(fenced(other + mine), only)] == [code]


def test_only_a_definition_counts() -> None:
    assert found(fenced("print(percent(3, 4))\ntax = 3"), REPLACING) == []
    assert found(fenced("def percentage(c):\n    return c"), REPLACING) == []
    assert found("def percent(c):\n    return c", REPLACING) == []


def test_names_are_taken_where_names_are_asked_for() -> None:
    wanted = [{"path": "b.py", "symbol": "Bill.tax"}, {"path": "b.py", "symbol": "Bill"}]
    assert found("`Bill.tax` must be seen.", SHOWING) == wanted
    assert found("percentage", SHOWING) == []


def test_a_test_file_gets_the_head_it_was_to_begin_with() -> None:
    body = "def test_issue():\n    assert m.percent(1, 2) == 3"
    whole = f"import m\n\n\n{body}"
    assert found(fenced(body), WRITING) == [{"path": "test_x.py", "content": whole}]
    assert found(fenced(whole), WRITING) == [{"path": "test_x.py", "content": whole}]


def test_a_fence_that_is_never_closed_still_counts() -> None:
    assert found("```\ndef percent(c):\n    return c", REPLACING)[0]["code"].endswith("return c")  # type: ignore[attr-defined]
