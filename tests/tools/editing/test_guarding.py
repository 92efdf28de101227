"""What a function does not look out for, and its neighbours do."""

from __future__ import annotations

import pytest

from tools.editing.mends import mends
from tools.editing.mends.guarding import guarded
from tools.editing.mends.neighbours import neighbours
from tools.editing.mends.source import Guard, Neighbours, Rank

BANK = """\
class Account:
    def goal(self, amount):
        \"\"\"What to save for.\"\"\"
        if amount <= 0:
            raise ValueError("amount must be positive")
        if self.closed:
            return None
        self.target = amount

    def pay(self, amount):
        \"\"\"Pay in.\"\"\"
        self.balance += amount
        return self.balance

    def find(self, name, log):
        return self.entries.get(key(name))

    def drop(self, name):
        text = f"{key(name)}"
        self.entries.pop(name.lower())
        return text


RATE = 19
NAMES = "a"


def loan(total): return total
"""
POSITIVE = Guard(
    'if amount <= 0:\n    raise ValueError("amount must be positive")', frozenset(("amount",))
)
PAY = BANK[BANK.index("    def pay") : BANK.index("    def find")].rstrip()
DROP = BANK[BANK.index("    def drop") : BANK.index("def loan")].rstrip()
READ = """\
def read(lines):
    found = []
    for line in lines:
        time, value = line.split()
        if time:
            found.append(float(value))
    return found
"""


def changed(code: str, error: str = "", ranks: tuple[Rank, ...] = tuple(Rank)) -> list[str]:
    return list(mends(code, error, ranks, neighbours(BANK)))


def test_a_module_tells_its_guards_and_calls() -> None:
    found = neighbours(BANK)
    assert [guard.text for guard in found.guards] == [POSITIVE.text]
    assert ("key(name)", "name") in found.calls
    assert ("name.lower()", "name") in found.calls
    assert not any(name == "self" for _, name in found.calls)
    assert found.constants == ("RATE",)
    assert neighbours("def f(:") == Neighbours()


@pytest.mark.parametrize(
    "code",
    [
        "X = 0x" + "f" * 4000 + "\n",
        "def f(x):\n    return " + " + ".join(["x"] * 1200) + "\n",
        "def f(x):\n    if x:\n        pass\n" + "    elif x:\n        pass\n" * 400,
    ],
    ids=["a long number", "a long sum", "many branches"],
)
def test_what_is_too_deep_or_too_long_is_left_out(code: str) -> None:
    assert neighbours(code).guards == ()
    list(mends(code, "ValueError", tuple(Rank), neighbours(code)))


def test_a_neighbours_guard_is_taken_over_behind_the_docstring() -> None:
    assert changed(PAY, ranks=(Rank.USUAL,))[0] == PAY.replace(
        '"""Pay in."""\n',
        '"""Pay in."""\n        if amount <= 0:\n'
        '            raise ValueError("amount must be positive")\n',
    )


def test_it_is_taken_over_for_a_parameter_of_another_name() -> None:
    code = "def loan(total):\n    return total\n"
    assert any('raise ValueError("total must be positive")' in text for text in changed(code))


def test_a_body_beside_its_head_takes_none() -> None:
    assert not any("raise" in text for text in changed("def loan(amount): return amount\n"))


def test_what_neighbours_call_is_called_with_the_variable_of_the_same_name() -> None:
    assert DROP.replace("pop(name.lower())", "pop(key(name))") in changed(DROP)


def test_a_number_that_has_a_name_may_be_what_a_part_is_taken_from() -> None:
    code = "def left(used):\n    return 3 * used\n"
    assert code.replace("3 * used", "3 * (RATE - used)") in changed(code)


SHOP = """\
class Shop:
    stock = []
    size: int = 3

    def __init__(self, name):
        self.name = name

    def add(self, item):
        \"\"\"Add.\"\"\"
        self.stock.append(item)
        self.stock.sort()
        self.total += item

    def swap(self, item, other):
        if other is None:
            return
        self.stock.append(item)


class Empty:
    pass
"""


def of_shop(name: str, following: str) -> list[str]:
    code = SHOP[SHOP.index(f"    def {name}") : SHOP.index(following)].rstrip() + "\n"
    return list(mends(code, "", tuple(Rank), neighbours(SHOP)))


def test_what_a_class_has_becomes_each_objects_own() -> None:
    assert of_shop("__init__", "    def add")[0] == (
        "    def __init__(self, name):\n        self.stock = []\n        self.name = name\n"
    )
    assert not any("stock = []" in text for text in of_shop("add", "    def swap"))


def test_what_neighbours_do_to_the_object_is_done() -> None:
    done = of_shop("swap", "class Empty")
    body = "        if other is None:\n            return\n"
    kept = "        self.stock.append(item)\n"
    for text in ("self.stock.sort()", "self.total += item"):
        head = "    def swap(self, item, other):\n"
        assert f"{head}{body}        {text}\n{kept}" in done
        assert f"{head}{body}{kept}        {text}\n" in done
    assert not any("self.name = name" in text for text in done)


def test_what_another_function_works_out_is_not_done_by_hand() -> None:
    module = "def speed(km, hours):\n    return km / hours\n\n\n"
    code = (
        "def month(rides):\n    km = sum(rides)\n    hours = 1\n"
        "    return sum(r.speed for r in rides) / len(rides)\n"
    )
    found = mends(code, "", tuple(Rank), neighbours(module + code))
    assert code.replace("sum(r.speed for r in rides) / len(rides)", "speed(km, hours)") in found


def test_a_parameter_is_brought_into_one_form() -> None:
    code = "def add(word, size: int):\n    self.add(word, size)\n    return word, size\n"
    added = [text.split("\n")[1].strip() for text in changed(code)]
    assert "word = word.lower()" in added
    assert "word = word.strip()" in added
    assert "size = size.lower()" not in added


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "        time, value = line.split()\n",
            "        try:\n            time, value = line.split()\n"
            "        except ValueError:\n            continue\n",
        ),
        (
            "            found.append(float(value))\n",
            "            try:\n                found.append(float(value))\n"
            "            except ValueError:\n                continue\n",
        ),
    ],
)
def test_the_exception_is_handled_where_it_may_be_raised(old: str, new: str) -> None:
    assert READ.replace(old, new) in changed(READ, "ValueError")
    assert not any("except" in text for text in changed(READ))


def test_a_function_that_handles_it_ends_as_it_does_elsewhere() -> None:
    code = (
        "def size(text):\n    if not text:\n        return -1\n"
        "    return len(\n        load(text)\n    )\n"
    )
    handled = code.replace(
        "    return len(\n        load(text)\n    )\n",
        "    try:\n        return len(\n            load(text)\n        )\n"
        "    except KeyError:\n        return -1\n",
    )
    assert handled in changed(code, "KeyError")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("return int(found[name])", "if name not in found or not found[name]:"),
        ("if name:\n        return int(name)", "if name not in found or not name:"),
    ],
)
def test_what_is_empty_goes_the_way_of_what_is_missing(line: str, wanted: str) -> None:
    code = f"def number(found, name):\n    if name not in found:\n        return None\n    {line}\n"
    assert code.replace("if name not in found:", wanted) in changed(code, "ValueError")
    assert changed(code, "ValueError", (Rank.LIKELY,))
    assert not any(" or not " in text for text in changed(code))


def test_a_slip_is_seldom_to_be_handled() -> None:
    usual = changed(READ, "IndexError", (Rank.LIKELY, Rank.USUAL))
    assert not any("except" in text for text in usual)
    assert any("except IndexError" in text for text in changed(READ, "IndexError"))


@pytest.mark.parametrize(
    ("code", "same"),
    [
        (PAY, False),
        (BANK[BANK.index("    def goal") : BANK.index("    def pay")], True),
        (DROP, True),
        ("def pay(amount): return amount\n", True),
        ("    def pay(self, amount): return amount\n", True),
        ("amount = 1\n", True),
        ("def pay(amount:\n", True),
    ],
    ids=[
        "lacks it",
        "has it",
        "other parameters",
        "on one line",
        "a method on one line",
        "no function",
        "no Python",
    ],
)
def test_a_function_gets_a_guard_that_it_lacks(code: str, same: bool) -> None:
    assert (guarded(code, POSITIVE) == code) is same
