"""Rows in SWE-bench's format, and those of the sets that grew from it.

Owns the meaning of their columns, also of those that only some sets have. Must not know how a
repository is got or a test is run.
"""

from __future__ import annotations

import re

from agent.replay.instance import Instance, Recipe, RepositoryTask
from agent.replay.sources.rows import BadRow, Row

COLUMNS = ("instance_id", "repo", "patch", "problem_statement", "FAIL_TO_PASS", "PASS_TO_PASS")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_REPOSITORY = re.compile(r"[\w.][\w.-]*/[\w.][\w.-]*|/[^\0\n]+")
_IMAGES = ("image", "image_name", "docker_image")
_FAIL_ONLY = "fail_only"


def read_swebench(row: Row, source: str) -> Instance:
    """One row as an instance.

    Raises:
        BadRow: A column is missing or holds something else.
    """
    name = row.text("instance_id")
    repo = row.text("repo")
    if _REPOSITORY.fullmatch(repo) is None:
        raise BadRow(f"repo is neither owner/name nor an absolute path: {repo!r}")
    for column in ("FAIL_TO_PASS", "PASS_TO_PASS"):
        if not row.has(column):
            raise BadRow(f"there is no column {column}")
    fail_to_pass = row.texts("FAIL_TO_PASS")
    if not fail_to_pass:
        raise BadRow("FAIL_TO_PASS names no test")
    excluded = frozenset(row.texts("p2p_excluded"))
    recipes = tuple(_recipe(each) for key in ("env", "env_alt") for each in row.inners(key))
    patch, commit = row.text("patch"), row.optional("base_commit")
    if not commit and row.has("image_name"):
        # SWE-smith: the patch put the fault in, the branch of that name holds it, and its last
        # commit takes the tests away.
        patch, commit = reverse(patch), f"{name}~1"
    elif _COMMIT.fullmatch(commit) is None:
        raise BadRow(
            f"base_commit is no commit: {commit!r}" if commit else "there is no column base_commit"
        )
    meta = row.inner("meta")
    task = RepositoryTask(
        repo=repo,
        base_commit=commit,
        patch=patch,
        test_patch=row.optional("test_patch"),
        fail_to_pass=fail_to_pass,
        pass_to_pass=tuple(test for test in row.texts("PASS_TO_PASS") if test not in excluded),
        version=row.optional("version"),
        recipes=recipes,
        image=next((row.optional(key) for key in _IMAGES if row.has(key)), ""),
        eval_script=row.optional("eval_script"),
        log_parser=row.optional("log_parser") or (recipes[0].log_parser if recipes else ""),
        fail_only=row.optional("eval_type") == _FAIL_ONLY,
    )
    return Instance(
        id=name,
        problem=row.text("problem_statement"),
        task=task,
        hints=row.optional("hints_text"),
        difficulty=row.optional("difficulty") or (meta.optional("difficulty") if meta else ""),
        source=source,
    )


def _recipe(row: Row) -> Recipe:
    variables = row.inner("env_vars")
    try:
        return Recipe(
            name=row.text("name"),
            python=row.text("python"),
            # What was frozen holds what the requirements need, too: they are installed alone.
            requirements=row.texts("pip_freeze") or row.texts("requirements"),
            install=row.optional("install_command"),
            test=row.text("test_command"),
            log_parser=row.text("log_parser"),
            variables={key: variables.optional(key) for key in variables.columns}
            if variables
            else {},
            normalise=row.optional("name_normalise"),
        )
    except BadRow as error:
        raise BadRow(f"env: {error}") from None


def reverse(patch: str) -> str:
    """The patch that takes a patch back; of text files alone.

    Raises:
        BadRow: It is no patch.
    """
    # 20 ms; only needed for SWE-smith
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        files = PatchSet(patch)
    except UnidiffParseError as error:
        raise BadRow(f"patch cannot be read: {error}") from None
    lines: list[str] = []
    for file in files:
        old, new = file.source_file, file.target_file
        path = new if new != "/dev/null" else old
        plain = path.partition("/")[2]
        lines.append(f"diff --git a/{plain} b/{plain}\n")
        if file.is_added_file:
            lines += ["deleted file mode 100644\n"]
        elif file.is_removed_file:
            lines += ["new file mode 100644\n"]
        lines.append(f"--- {_side(new, 'a')}\n+++ {_side(old, 'b')}\n")
        for hunk in file:
            lines.append(
                f"@@ -{hunk.target_start},{hunk.target_length} "
                f"+{hunk.source_start},{hunk.source_length} @@\n"
            )
            for line in hunk:
                kind = {"+": "-", "-": "+"}.get(line.line_type, line.line_type)
                value = line.value if line.value.endswith("\n") else f"{line.value}\n"
                lines.append(f"{kind}{value}" if kind != "\\" else f"\\{value}")
    return "".join(lines)


def _side(path: str, prefix: str) -> str:
    return path if path == "/dev/null" else f"{prefix}/{path.partition('/')[2]}"
