"""Which token comes next, by an answer's `Sampling`.

Owns the chain of llama.cpp's samplers. Must not know text, forms or the cache.
"""

from __future__ import annotations

from typing import Any

import llama_cpp.llama_cpp as lib

from agent.models.base import Sampling
from agent.models.local.driver import Driver


class Sampler:
    """Chooses tokens by one answer's `Sampling`."""

    def __init__(self, driver: Driver, sampling: Sampling) -> None:
        self._driver = driver
        self._chain: Any = None
        greedy = sampling.temperature <= 0
        if greedy and sampling.repeat_penalty == 1.0:
            return
        chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        add = lib.llama_sampler_chain_add
        if sampling.repeat_penalty != 1.0:
            penalties = lib.llama_sampler_init_penalties(
                driver.n_vocab, 64, sampling.repeat_penalty, 0.0, 0.0
            )
            add(chain, penalties)
        if greedy:
            add(chain, lib.llama_sampler_init_greedy())
        else:
            if sampling.top_k > 0:
                add(chain, lib.llama_sampler_init_top_k(sampling.top_k))
            if sampling.top_p < 1.0:
                add(chain, lib.llama_sampler_init_top_p(sampling.top_p, 1))
            if sampling.min_p > 0.0:
                add(chain, lib.llama_sampler_init_min_p(sampling.min_p, 1))
            add(chain, lib.llama_sampler_init_temp(sampling.temperature))
            add(chain, lib.llama_sampler_init_dist(sampling.seed & 0xFFFFFFFF))
        self._chain = chain

    def choose(self) -> int:
        """A token by the driver's logits as they stand, masked or not."""
        if self._chain is None:
            return int(self._driver.logits().argmax())
        return int(lib.llama_sampler_sample(self._chain, self._driver.context, -1))

    def close(self) -> None:
        if self._chain is not None:
            lib.llama_sampler_free(self._chain)
            self._chain = None
