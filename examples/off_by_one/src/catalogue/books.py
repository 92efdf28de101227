"""Books and how a shelf of them is sorted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Book:
    title: str
    author: str
    year: int


def sorting_key(book: Book) -> tuple[str, int, str]:
    """By the author's last name, then by year, then by title."""
    last_name = book.author.rsplit(" ", 1)[-1].casefold()
    return (last_name, book.year, book.title.casefold())


def shelf(books: list[Book]) -> list[Book]:
    return sorted(books, key=sorting_key)
