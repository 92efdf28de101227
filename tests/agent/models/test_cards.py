from __future__ import annotations

import pytest

from agent.models.cards import Cards


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("NVIDIA GeForce RTX 3090", 936),
        ("NVIDIA GeForce RTX 3090 Ti", 1008),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", 672),
        ("NVIDIA L40S", 864),
        ("NVIDIA A100-SXM4-80GB", 2039),
        ("Apple M3 Pro", 150),
    ],
)
def test_the_longest_name_wins(name: str, rate: float) -> None:
    assert Cards.load().bandwidth(name) == rate * 1e9


def test_an_unknown_card_is_not_guessed() -> None:
    assert Cards.load().bandwidth("NVIDIA A1000") is None


def test_typical_cards_are_known_ones() -> None:
    cards = Cards.load()
    assert all(cards.bandwidth(name) for name in cards.typical.values())
