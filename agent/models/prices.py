"""What tokens cost, by a table of the providers' prices that is installed with the agent.

Owns the lookups in `genai-prices`. Must not know sessions or limits. Nothing is fetched: the
package's updater is never started, so a price is as new as the installed release.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agent.models.base import Tariff, Usage

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider, TieredPrices


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars for a million tokens."""

    input: float
    output: float
    cache_read: float
    """Of prompt tokens that the provider's cache held."""
    cache_write: float
    """Of prompt tokens that were written to it, for five minutes."""
    over: int = 0
    """The rates hold for requests whose prompt has more tokens than this."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What is known of a model whose tokens are sold."""

    title: str
    provider: str
    context: int | None
    """Tokens of its window."""
    rates: tuple[Rates, ...]
    """By the length of the prompt, ascending; one pays the highest that applies, for all of it."""


def price(usage: Usage, tariff: Tariff, when: datetime | None = None) -> float | None:
    """Dollars for the tokens of one request.

    Args:
        usage: Of one request: where long prompts cost more, sums would seem long.
        tariff: Whose prices.
        when: The time of the request; None: now. Prices change by date, some by the hour.

    Returns:
        None if the table does not know the model.
    """
    from genai_prices import Usage as Counted

    found = _find(tariff)
    if found is None:
        return None
    provider, model = found
    # A server may tell of more cached tokens than prompt tokens.
    read = min(usage.reused, usage.prompt)
    counted = Counted(
        input_tokens=usage.prompt,
        cache_read_tokens=read,
        cache_write_tokens=min(usage.cache_written, usage.prompt - read),
        output_tokens=usage.output,
    )
    return float(
        model.calc_price(counted, provider, genai_request_timestamp=when).total_price,
    )


def sold(tariff: Tariff, when: datetime | None = None) -> Sold | None:
    """What is known of a model whose tokens are sold; None if the table does not know it."""
    found = _find(tariff)
    if found is None:
        return None
    provider, model = found
    from datetime import UTC

    prices = model.get_prices(when or datetime.now(UTC))
    kinds = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok)
    starts = {tier.start for kind in kinds for tier in getattr(kind, "tiers", ())}
    rates = []
    for start in sorted({0, *starts}):
        plain, out, read, write = (_rate(kind, start) for kind in kinds)
        if plain is None or out is None:
            return None
        # What has no price of its own is paid for like any other prompt token.
        rates.append(
            Rates(
                plain,
                out,
                plain if read is None else read,
                plain if write is None else write,
                start,
            )
        )
    return Sold(model.name or model.id, provider.name, model.context_window, tuple(rates))


def load() -> None:
    """Read the table, if it was not read yet; a lookup then takes a quarter of a millisecond."""
    _table()


def _rate(price: Decimal | TieredPrices | None, over: int) -> float | None:
    from genai_prices.types import TieredPrices

    if not isinstance(price, TieredPrices):
        return None if price is None else float(price)
    tiers = [tier.price for tier in price.tiers if tier.start <= over]
    return float(tiers[-1] if tiers else price.base)


def _find(tariff: Tariff) -> tuple[Provider, ModelInfo] | None:
    by_url = "://" in tariff.provider
    try:
        return _table().find_provider_model(
            tariff.model,
            None,
            None if by_url else tariff.provider or None,
            tariff.provider if by_url else None,
        )
    except LookupError:
        return None


def _table() -> DataSnapshot:
    # 500 ms, thousands of prices and an HTTP library among them; only needed to price an API's
    # tokens
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()
