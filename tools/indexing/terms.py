"""Text as terms: how identifiers and prose become the words that are matched.

Owns splitting, stemming and what counts as a mention of code. Must not know files or scores.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

_WORD = re.compile(r"[^\W\d]\w+")
_ASCII_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]+")
"""The same where the text has no other letters, in half the time."""
_RANDOM_FROM = 16
"""Characters; what is shorter may be any name."""
_RANDOM = re.compile(r"(?<![A-Za-z\d])(?=[A-Za-z]*\d+[A-Za-z]+\d)[A-Za-z\d]{16,}")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_STOP_WORDS = (
    "self this def return none true false null import from class and not for the with are was "
    "has have had can could should would will been being but its his her they them their there "
    "then than that these those what when where which who why how does did doing done you your "
    "our out into over under again very just only some such same own too also any all each few "
    "more most other nor both between about if else elif while try except finally raise pass "
    "break continue in is it as at be by do an or of on to we he up so no my me go us am "
    "function const let var void int str string static public private protected final new fn "
    "mut pub impl struct enum func package use mod type interface extends implements extern "
    "export default async await yield lambda global assert print args kwargs cls "
)
"""Said everywhere: keywords of the languages, and English without content."""
_STOP = frozenset(_STOP_WORDS.split())
_CODE = re.compile(
    r"(?P<path>(?:[\w.\-]+[/\\])*[\w\-]+\.(?:pyi?|[cm]?[jt]sx?|go|rs|java|[ch])\b)"
    r"|(?P<dotted>[^\W\d]\w*(?:(?:\.|::)[^\W\d]\w*)+)"
    r"|(?P<plain>[^\W\d]\w*)(?P<call>\()?"
)
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)(?:, in ([\w.<>]+))?')
_QUOTED = re.compile(r"`+([^`\n]{1,120})`+")


@dataclass(frozen=True, slots=True)
class Trace:
    """A line of a traceback, as a text quotes it."""

    path: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Query:
    """What a text asks for."""

    terms: dict[str, float]
    """Term to weight: how often it is said, more in the first line."""
    names: dict[str, float]
    """Names that read as code, dotted or plain, to weight: 1 when they cannot be prose."""
    paths: tuple[str, ...]
    """What looks like a file's path, or the end of one."""
    traces: tuple[Trace, ...]
    """Outermost first, as Python prints them."""


class Splitter(dict[str, tuple[str, ...]]):
    """`split`, remembered: a lookup costs half of a cached call."""

    def __init__(self) -> None:
        super().__init__()
        self.random: set[str] = set()
        """Which of the words that were looked up are digests or keys rather than names."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        if looks_random(word):
            self.random.add(word)
        self[word] = found = split(word)
        return found


def words(text: str) -> list[str]:
    """All identifiers and words of two characters or more, in their order."""
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def looks_random(word: str) -> bool:
    """Whether a word is a digest or a key rather than a name; those are not kept."""
    return len(word) >= _RANDOM_FROM and _RANDOM.search(word) is not None


def without_random(text: str) -> str:
    """The text with `...` for what looks random."""
    return _RANDOM.sub("...", text)


def split(word: str) -> tuple[str, ...]:
    """The terms of a word: itself, and its parts where it has several; no stop words.

    What looks random has none.
    """
    if looks_random(word):
        return ()
    whole = word.strip("_").lower()
    terms = [stem(whole)] if whole not in _STOP and len(whole) > 1 else []
    if not word.isascii() or (word.isalpha() and word.islower()):
        return tuple(terms)  # it has one part
    parts = [part.lower() for part in _PART.findall(word)]
    if len(parts) > 1:
        terms += [stem(part) for part in parts if len(part) > 1 and part not in _STOP]
    return tuple(terms)


def stem(word: str) -> str:
    """Without the commonest endings, so that `fields` and `caching` meet `field` and `cache`."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "siu":
        word = word[:-1]
    for ending in ("ing", "ed", "e"):
        if word.endswith(ending) and len(word) - len(ending) > 3:
            return word[: -len(ending)]
    return word


def parse(text: str) -> Query:
    """Read a task's description: prose, code, tracebacks, Markdown, in any mixture."""
    lines = text.strip().split("\n", 1)
    counts = Counter(words(text))
    title = Counter(words(lines[0])) if lines else Counter()
    terms: defaultdict[str, int] = defaultdict(int)
    for said, times in ((counts, 1), (title, 3)):
        for word, count in said.items():
            for term in split(word):
                terms[term] += count * times
    names: dict[str, float] = {}
    paths: dict[str, None] = {}
    quoted = {word for span in _QUOTED.findall(text) for word in words(span)}
    for match in _CODE.finditer(text):
        if (path := match["path"]) is not None:
            paths[path.replace("\\", "/")] = None
        elif (name := match["dotted"]) is not None:
            names[name.replace("::", ".")] = 1.0
        elif (weight := _codelike(match["plain"], bool(match["call"]), quoted)) > 0:
            names[match["plain"]] = max(weight, names.get(match["plain"], 0.0))
    traces = tuple(
        Trace(path.replace("\\", "/"), int(line), function)
        for path, line, function in _FRAME.findall(text)
    )
    return Query(
        {term: 1.0 + min(count, 12) / 4 for term, count in terms.items()},
        names,
        tuple(paths),
        traces,
    )


def _codelike(word: str, called: bool, quoted: set[str]) -> float:
    """How surely a word of a text is an identifier: 1 certain, 0 prose."""
    if "_" in word.strip("_") or re.search(r"[a-z\d][A-Z]", word) or word in quoted or called:
        return 1.0
    if word.lower() in _STOP or len(word) < 3:
        return 0.0
    return 0.3 if word[0].isupper() else 0.2
