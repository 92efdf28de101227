"""A repository that needs repair, and what any model needs to work on it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.equipment import Equipment
from agent.limits import Limits
from agent.loop import Agent
from agent.models.base import EditFormat, Model
from agent.steering.bench import Bench
from agent.steering.evidence import Case
from agent.steering.free import Free
from agent.steering.guided import Guided
from tools.base import Tool, Toolbox
from tools.edit import Edit, ReplaceSymbol
from tools.files import ReadFile, WriteFile
from tools.outline import Index
from tools.testing.find_tests import find_command
from tools.tests import RunTests
from tools.workspace import Workspace

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "wrong_formula"
ISSUE = (EXAMPLE / "ISSUE.md").read_text()
INVOICE = "billing/invoice.py"


@dataclass
class Garage:
    """One workspace and what every model needs to work on it."""

    workspace: Workspace
    case: Case

    @classmethod
    def at(cls, root: Path) -> Garage:
        shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        return cls(Workspace(root), Case())

    def free(self, model: Model) -> Equipment:
        toolbox = self._toolbox(model.spec.edit_format)
        steering = Free(self.workspace, toolbox.specs, None, True, self.case)
        return Equipment(model, toolbox, steering)

    def guided(self, model: Model) -> Equipment:
        def index() -> Index:
            return Index.build(self.workspace, None)

        steering = Guided(Bench(self.workspace, index, model.spec, model.count, True, self.case))
        return Equipment(model, self._toolbox(EditFormat.SYMBOL), steering)

    def agent(self, first: Equipment, limits: Limits | None = None) -> Agent:
        steering = first.steering
        return Agent(first.model, first.toolbox, self.workspace, steering, limits or Limits())

    def _toolbox(self, edits: EditFormat) -> Toolbox:
        workspace = self.workspace
        tests = find_command(workspace.root, workspace.files())
        assert tests is not None
        replaces = edits is EditFormat.SEARCH_REPLACE
        edit: Tool[Any] = Edit(workspace) if replaces else ReplaceSymbol(workspace)
        run = RunTests(workspace.root, tests, 60)
        return Toolbox.of([ReadFile(workspace), edit, WriteFile(workspace), run])
