"""A long list, shown in pages that are numbered from one."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Paginator(Generic[T]):
    """Cuts a sequence into pages of equal size; only the last may be shorter."""

    def __init__(self, entries: Sequence[T], size: int = 10) -> None:
        if size < 1:
            raise ValueError("a page holds at least one entry")
        self.entries = entries
        self.size = size

    @property
    def count(self) -> int:
        """How many pages there are."""
        return len(self.entries) // self.size + 1

    def page(self, number: int) -> Sequence[T]:
        """The entries of one page; an empty one past the end."""
        if number < 1:
            raise ValueError("pages are numbered from one")
        start = (number - 1) * self.size
        return self.entries[start : start + self.size]

    def is_last(self, number: int) -> bool:
        return number >= self.count

    def title(self, number: int) -> str:
        return f"page {number} of {self.count}"

    def __iter__(self) -> Iterator[Sequence[T]]:
        for number in range(1, self.count + 1):
            yield self.page(number)
