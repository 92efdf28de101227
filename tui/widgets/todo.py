"""The list that the model keeps of its work, above the prompt.

Owns its look. Must not know who ticks it off.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widgets import Static

from agent.conversation import Conversation
from agent.events import Event, ToolFinished, TurnStarted
from agent.messages import AssistantMessage, Message
from tools.text import shown
from tools.todo import NAME, State, TodoList, told_in
from tui.themes import MUTED

ROWS = 6
"""Items that are shown at once."""
_LOOKS = {
    State.OPEN: ("○", MUTED, ""),
    State.AT_WORK: ("◐", "$text-primary", "bold"),
    State.DONE: ("●", "$text-success", f"{MUTED} strike"),
}


class TodoPanel(Static):
    """Shown while there is something on the list."""

    def __init__(self) -> None:
        super().__init__(markup=False, id="todo")
        self.todo = TodoList(())

    def opened(self, conversation: Conversation) -> None:
        """A session is ready; one that goes on has its list again."""
        self._take(_last(conversation.agent.history) or TodoList(()))

    def show(self, event: Event) -> None:
        """Take what an event tells."""
        match event:
            case ToolFinished(result=result) if isinstance(result.details, TodoList):
                self._take(result.details)
            case TurnStarted() if self.todo.done == len(self.todo.items):
                self._take(TodoList(()))

    def _take(self, todo: TodoList) -> None:
        self.todo = todo
        self.display = bool(todo.items)
        if not todo.items:
            return
        items = todo.items
        begin = next((n for n, item in enumerate(items) if item.state is not State.DONE), 0)
        first = max(0, min(begin - 1, len(items) - ROWS))
        head = Content.assemble(("To do", "bold"), (f"  {todo.done} of {len(items)}", MUTED))
        lines = [head]
        for item in items[first : first + ROWS]:
            mark, colour, style = _LOOKS[item.state]
            lines.append(Content.assemble((f" {mark} ", colour), (shown(item.text), style)))
        if more := len(items) - first - ROWS if len(items) > first + ROWS else 0:
            lines.append(Content.styled(f"   and {more} more", MUTED))
        self.update(Content("\n").join(lines))


def _last(history: Iterable[Message]) -> TodoList | None:
    found = None
    for message in history:
        if isinstance(message, AssistantMessage):
            for call in message.calls:
                if call.name == NAME:
                    found = told_in(call.arguments) or found
    return found
