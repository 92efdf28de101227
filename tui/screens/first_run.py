"""What a person sees where there is no model to work with: what is here, what fits, what to do.

Owns the choice. Must not know how a model is fetched or a key is kept beyond whom to ask.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, ProgressBar, Static
from textual.widgets.option_list import Option

from agent import config_file
from agent.errors import AgentError, InputError
from agent.models.catalogue import Catalogue
from agent.models.claude.access import KEY
from agent.models.download import pull
from agent.models.offers import Offer, Offers, Way, survey
from agent.secrets import user_keys
from agent.wanted import Wanted
from tools.text_filter import printable
from tui.themes import MUTED

_REDRAW = 0.1
"""Seconds between two drawings of the progress."""


class _Stopped(Exception):
    """The user does not want the fetch any more."""


@dataclass
class _Surveyed(Message):
    offers: Offers


@dataclass
class _Came(Message):
    """So much of a stage has come."""

    what: str
    done: int
    total: int


@dataclass
class _Told(Message):
    line: str


@dataclass
class _Fetched(Message):
    """The fetch has ended; empty: the model is here."""

    offer: Offer
    problem: str = ""


class _Meter:
    """Implements `agent.models.progress.Progress`: some messages a second, and the way to stop."""

    def __init__(self, screen: FirstRun) -> None:
        self._screen = screen
        self._what = ""
        self._total = 0
        self._told = 0.0

    def begin(self, what: str, total: int, done: int = 0) -> None:
        self._what, self._total, self._told = what, total, 0.0
        self.update(done)

    def update(self, done: int) -> None:
        if self._screen.stopped:
            raise _Stopped
        now = time.monotonic()
        if now - self._told >= _REDRAW or done >= self._total:
            self._told = now
            self._screen.post_message(_Came(self._what, done, self._total))

    def end(self) -> None:
        pass


class FirstRun(ModalScreen[Wanted | None]):
    """Offers models; ends with what to open a session with, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back")]

    def __init__(self, wanted: Wanted, problem: Exception) -> None:
        """
        Args:
            wanted: What could not be opened.
            problem: Why.
        """
        super().__init__()
        self._wanted = wanted
        self._problem = problem
        self._offers: tuple[Offer, ...] = ()
        self._fetching = False
        self.stopped = False
        """Whether the fetch is to end."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = "Parity needs a model"
            dialog.border_subtitle = "Enter chooses · Esc back · Ctrl+Q leaves"
            yield Static(printable(str(self._problem)), classes="problem", markup=False)
            yield Static("Looking at this machine …", id="machine", markup=False)
            yield OptionList(id="offers", markup=False)
            yield Input(placeholder=f"{KEY}, then Enter", password=True, id="key")
            yield ProgressBar(id="progress", show_eta=True)
            yield Static(id="told", classes="note", markup=False)

    def on_mount(self) -> None:
        for name in ("#key", "#progress", "#offers"):
            self.query_one(name).display = False
        self._look()

    @work(thread=True, exit_on_error=False)
    def _look(self) -> None:
        self.post_message(_Surveyed(survey(user_keys())))

    @on(_Surveyed)
    def _surveyed(self, message: _Surveyed) -> None:
        self._offers = message.offers.offers
        self.query_one("#machine", Static).update("\n".join(map(printable, message.offers.machine)))
        options = self.query_one(OptionList)
        options.add_options(
            Option(_line(offer), disabled=not offer.possible) for offer in self._offers
        )
        options.display = True
        options.action_first()
        options.focus()

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        offer = self._offers[message.option_index]
        match offer.way:
            case Way.USE:
                self._done(offer)
            case Way.FETCH:
                self._begin(offer)
            case Way.KEY:
                field = self.query_one("#key", Input)
                field.display = True
                field.focus()
                field.scroll_visible()

    @on(Input.Submitted)
    def _pasted(self, message: Input.Submitted) -> None:
        message.input.clear()
        offer = next(offer for offer in self._offers if offer.way is Way.KEY)
        try:
            place = user_keys().keep(KEY, message.value)
        except (InputError, OSError) as error:
            self._tell(str(error))
            return
        self._tell(f"The key is kept in {place}.")
        self._done(offer)

    def _begin(self, offer: Offer) -> None:
        self._fetching, self.stopped = True, False
        self.query_one(OptionList).disabled = True
        bar = self.query_one(ProgressBar)
        bar.display = True
        bar.scroll_visible()
        self._fetch(offer)

    @work(thread=True, exit_on_error=False)
    def _fetch(self, offer: Offer) -> None:
        assert offer.entry is not None

        def tell(line: str) -> None:
            self.post_message(_Told(line))

        try:
            pull(offer.entry, Catalogue.load().folder, tell, _Meter(self))
        except _Stopped:
            self.post_message(_Fetched(offer, "Stopped; what has come is kept, and goes on later."))
        except (AgentError, OSError) as error:
            self.post_message(_Fetched(offer, str(error)))
        else:
            self.post_message(_Fetched(offer))

    @on(_Came)
    def _came(self, message: _Came) -> None:
        self.query_one(ProgressBar).update(total=message.total, progress=message.done)
        size = f"{message.done / 1e6:,.0f} of {message.total / 1e6:,.0f} MB"
        self._tell(f"{message.what}: {size} · Esc stops, what has come is kept")

    @on(_Told)
    def _told(self, message: _Told) -> None:
        self._tell(message.line)

    @on(_Fetched)
    def _fetched(self, message: _Fetched) -> None:
        self._fetching = False
        if not message.problem:
            self._done(message.offer)
            return
        self._tell(message.problem)
        self.query_one(ProgressBar).display = False
        options = self.query_one(OptionList)
        options.disabled = False
        options.focus()

    def action_back(self) -> None:
        field = self.query_one("#key", Input)
        if self._fetching:
            self.stopped = True
        elif field.has_focus:
            field.clear()
            field.display = False
            self.query_one(OptionList).focus()
        else:
            self.dismiss(None)

    def on_unmount(self) -> None:
        self.stopped = True

    def _tell(self, line: str) -> None:
        self.query_one("#told", Static).update(printable(line))

    def _done(self, offer: Offer) -> None:
        """Work with it; it stays the user's model where none was named."""
        given = self._wanted.flags.get("model")
        if not given and offer.way is not Way.FETCH:
            try:
                config_file.remember(config_file.user_file(), "model", offer.model)
            except InputError as error:
                self.notify(str(error), severity="warning", markup=False)
        self.dismiss(replace(self._wanted, flags={**self._wanted.flags, "model": offer.model}))


def _line(offer: Offer) -> Content:
    verb = {Way.USE: "Use", Way.FETCH: "Fetch", Way.KEY: "Paste a key for"}[offer.way]
    title = Content.styled(f"{verb} {printable(offer.title)}", "bold")
    return Content("\n  ").join([title, Content.styled(printable(offer.detail), MUTED)])
