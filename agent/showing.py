"""`agent config`: every setting, its value and where that came from.

Owns the table and its JSON. Must not know what a setting does.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from agent import config_file
from agent.errors import ExitCode, InputError
from agent.project import Project, configure
from agent.session import state_folder
from agent.work_tree import find_root
from tools.errors import ToolError
from tools.text import shown


def show_configuration(folder: Path, as_json: bool) -> ExitCode:
    """Show the settings as they would hold for a folder.

    Raises:
        InputError: There is no such folder, or a setting cannot be used.
    """
    try:
        project = Project(find_root(folder), state_folder())
        made = configure({}, os.environ, project.settings())
    except ToolError as error:
        raise InputError(str(error)) from error
    values = made.settings.model_dump(mode="json")
    if as_json:
        rows = [
            {"name": name, "value": value, "origin": made.origins[name]}
            for name, value in values.items()
        ]
        print(json.dumps(rows, indent=2))
        return ExitCode.VERIFIED
    lines = [("SETTING", "VALUE", "ORIGIN")]
    lines += [(name, _text(value), shown(made.origins[name])) for name, value in values.items()]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for name, text, origin in lines:
        print(f"{name:<{widths[0]}}  {text:<{widths[1]}}  {origin}")
    file = config_file.user_file()
    print(f"\nYour file: {file}{'' if file.exists() else ' (there is none)'}", file=sys.stderr)
    for notice in project.notices(folder):
        print(notice, file=sys.stderr)
    return ExitCode.VERIFIED


def _text(value: object) -> str:
    match value:
        case None | "" | []:
            return "-"
        case list():
            return shown(os.pathsep.join(map(str, value)))
        case _:
            return shown(str(value))
