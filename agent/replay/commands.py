"""`agent replay`, `agent replay new`, `agent report`: their options.

Owns the words of the command line. Must not know how anything is done; what does it is imported
when it is asked for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from agent.errors import InputError


class _Replay(click.Group):
    """What is no subcommand is the set of tasks, or an option before it: `agent replay TASKS`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = ["run", *(args or ["--help"])]
        return super().parse_args(ctx, args)


class _Run(click.Command):
    """Keeps its words as they were said, for going on with the run by them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = tuple(args)
        return super().parse_args(ctx, args)


_WORDS = "parity.replay.words"
_folder = click.Path(path_type=Path, file_okay=False)
_file = click.Path(path_type=Path, dir_okay=False)


@click.group("replay", cls=_Replay)
def replay() -> None:
    """Replay benchmark tasks on models, and measure."""


@replay.command("run", cls=_Run)
@click.argument("tasks")
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    help="As `agent fix` takes it; `gold` plays each instance's own fix, `empty` does nothing. "
    "May be given several times.",
)
@click.option("--output", "-o", type=_folder, required=True, help="The run's folder; a run that "
              "is in it goes on.")  # fmt: skip
@click.option("--workers", "-w", type=click.IntRange(1), help="Attempts at a time. Default: half "
              "of the processors.")  # fmt: skip
@click.option("--local-workers", type=click.IntRange(1), default=1, show_default=True,
              help="Of those, by models on this machine.")  # fmt: skip
@click.option("--attempts", type=click.IntRange(1), default=1, show_default=True,
              help="At each instance, by each model.")  # fmt: skip
@click.option("--filter", "pattern", default="", metavar="REGEX", help="Instances whose id it is "
              "found in.")  # fmt: skip
@click.option("--difficulty", multiple=True, help="As the set says it; may be given several times.")
@click.option("--shuffle", is_flag=True, help="In an order of chance, the same for a seed.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--slice", "part", default="", metavar="A:B", help="Of those that are left.")
@click.option("--environment", type=click.Choice(["local", "docker"]), default="local",
              show_default=True, help="Where repositories are worked on.")  # fmt: skip
@click.option("--mirrors", type=_folder, multiple=True, help="A folder with clones.")
@click.option("--recipes", type=_file, help="Tasks whose rows say how their environments are made, "
              "for rows of the same repositories and versions that do not.")  # fmt: skip
@click.option("--cache", type=_folder, help="Where clones and environments are kept.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="On this machine, or on a Ray cluster.")  # fmt: skip
@click.option("--steering", type=click.Choice(["free", "guided"]), help="Who takes the steps.")
@click.option("--effort", type=click.Choice(["low", "medium", "high", "xhigh", "max"]),
              help="How much a Claude model puts into an answer.")  # fmt: skip
@click.option("--hints", is_flag=True, help="Tell what was said of the issue before the fix.")
@click.option("--max-steps", type=int, help="The most answers of the model in an attempt.")
@click.option("--max-tokens", type=int, help="The most tokens read and written in an attempt.")
@click.option("--max-seconds", type=float, help="The most seconds of the session.")
@click.option("--max-usd", type=float, help="The most dollars in an attempt.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=3600.0,
              show_default=True, help="Seconds for an attempt with all that belongs to "
              "it.")  # fmt: skip
@click.option("--total-tokens", type=click.IntRange(1), help="The most tokens of the whole run.")
@click.option("--total-usd", type=click.FloatRange(min=0, min_open=True),
              help="The most dollars of the whole run.")  # fmt: skip
@click.option("--validate/--no-validate", default=None, help="Try each instance with its own fix "
              "and with none first. Default: where a model is measured.")  # fmt: skip
@click.option("--trajectories", multiple=True,
              type=click.Choice(["atif", "swe-agent", "mini-swe-agent"]),
              help="Write each attempt's trajectory in this format too, into its folder. May be "
              "given several times, and afterwards.")  # fmt: skip
@click.option("--retry", is_flag=True, help="Make attempts again that the infrastructure failed.")
@click.option("--yes", "-y", is_flag=True, help="Never ask; take the answer to be yes.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    tasks: str,
    models: tuple[str, ...],
    pattern: str,
    difficulty: tuple[str, ...],
    shuffle: bool,
    seed: int,
    part: str,
    workers: int | None,
    effort: str | None,
    max_steps: int | None,
    max_tokens: int | None,
    max_seconds: float | None,
    max_usd: float | None,
    total_tokens: int | None,
    total_usd: float | None,
    **given: Any,  # noqa: ANN401  the options of a run, by their names
) -> None:
    """Replay TASKS on models and keep what they came to.

    TASKS is a JSON, JSONL or parquet file in the format of SWE-bench, HumanEval, MBPP, QuixBugs or
    LiveCodeBench; `lite`, `verified`, `full`, `multilingual`; or OWNER/NAME on the hub.
    `agent replay new` makes a task of a fix in a repository of yours.

    \b
    Exit codes: 0 every attempt ended   2 bad input   4 a limit of the whole run was reached
                130 interrupted; the same command goes on
    """
    from agent.replay.run import RunOptions, replay  # the whole agent
    from agent.replay.schedule import Budget
    from agent.replay.selection import Selection

    flags = {
        "effort": effort,
        "max_steps": max_steps,
        "max_tokens": max_tokens,
        "max_seconds": max_seconds,
        "max_usd": max_usd,
    }
    options = RunOptions(
        tasks,
        tuple(dict.fromkeys(models)),
        selection=Selection(pattern, difficulty, shuffle, seed, part),
        workers=workers or 0,
        flags=flags,
        budget=Budget(total_usd, total_tokens),
        words=ctx.meta[_WORDS],
        **given,
    )
    raise SystemExit(replay(options, ctx.obj or _confirm))


@replay.command("new")
@click.argument("commit")
@click.option("--repo", type=_folder, default=Path("."), help="Default: the current folder.")
@click.option("--output", "-o", type=_file, default=Path("tasks.jsonl"), show_default=True,
              help="The row is added to this file.")  # fmt: skip
@click.option("--issue", type=_file, help="What was wrong, in Markdown. Default: the commit's "
              "message.")  # fmt: skip
@click.option("--test-command", default="", help="How the tests are run. Default: found.")
@click.option("--id", "name", default="", help="Default: the repository's name and the commit.")
@click.option("--requirement", "requirements", multiple=True, metavar="PIN",
              help="As pip reads it. Default: what is installed where the tests ran.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0,
              show_default=True, help="Seconds for one run of the tests.")  # fmt: skip
def new(
    commit: str,
    repo: Path,
    output: Path,
    issue: Path | None,
    test_command: str,
    name: str,
    requirements: tuple[str, ...],
    timeout: float,
) -> None:
    """Make a task of COMMIT, a merged fix in a repository of yours.

    Its tests are run before and after it: those that it fixed are what an answer must pass.
    """
    from agent.interrupting import interruptible  # the whole agent
    from agent.replay.new import NewOptions, make_instance

    options = NewOptions(commit, repo, output, issue, test_command, name, requirements, timeout)
    with interruptible() as cancel:
        raise SystemExit(make_instance(options, cancel))


@click.command("report")
@click.argument("folders", nargs=-1, required=True, type=_folder, metavar="DIR...")
@click.option("--output", "-o", type=_file, help="The page. Default: report.html in the first "
              "folder.")  # fmt: skip
@click.option("--format", "style", type=click.Choice(["text", "markdown", "json"]), default="text",
              show_default=True, help="Of what is printed.")  # fmt: skip
@click.option("--sessions", type=click.FloatRange(min=0), help="Your sessions a day.")
@click.option("--usd-per-session", type=click.FloatRange(min=0), help="What the API asks for one.")
@click.option("--minutes", type=click.FloatRange(min=0), help="That your card works on one.")
@click.option("--watts", type=click.FloatRange(min=0), help="That it draws meanwhile. Default: "
              "as the settings say.")  # fmt: skip
@click.option("--usd-per-kwh", type=click.FloatRange(min=0), help="The price of electricity. "
              "Default: as the settings say.")  # fmt: skip
@click.option("--card-usd", type=click.FloatRange(min=0), help="The price of the card. Default: "
              "as the settings say.")  # fmt: skip
def report(folders: tuple[Path, ...], output: Path | None, style: str, **month: float) -> None:
    """Show what the replays in DIR came to, and write it as a page.

    The page is one file, and needs no network.
    """
    from agent.project import configure  # the whole agent
    from agent.replay.report.economics import Month
    from agent.replay.report.writing import Style
    from agent.replay.report.writing import report as write

    own = configure({}, os.environ, None).settings
    known = {"watts": own.watts, "usd_per_kwh": own.usd_per_kwh, "card_usd": own.card_usd}
    known |= {name: value for name, value in month.items() if value is not None}
    given = {name: value for name, value in known.items() if value is not None}
    raise SystemExit(write(folders, output, Style(style), Month(**given)))


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise InputError("This asks a question and there is no terminal: give --yes.")
    return click.confirm(question, default=False, err=True)
