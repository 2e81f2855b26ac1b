"""``rag eval``: its subcommands, found by name when they are called."""

from __future__ import annotations

import click

from rag.options import LazyGroup, common_options

#: Subcommand → where it lives.
_COMMANDS = {
    "init": "eval.cli_run:init",
    "run": "eval.cli_run:run",
    "history": "eval.cli_history:history",
    "report": "eval.cli_report:report",
    "compare": "eval.cli_trials:compare",
    "gate": "eval.cli_gate:gate",
    "calibrate": "eval.cli_gate:calibrate",
    "schedule": "eval.cli_schedule:schedule",
}


@click.command("eval", cls=LazyGroup, lazy=_COMMANDS, no_args_is_help=False)
@common_options
def eval_() -> None:
    """Score the pipeline on your own questions, and see what got worse.

    \b
    rag eval init                     draft questions from the index, to be edited
    rag eval run questions.jsonl      ask them, score the answers, compare with the last run
    rag eval report                   one page about it
    """
