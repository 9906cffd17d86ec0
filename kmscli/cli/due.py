"""`kms run-due`: for cron, or a timer of systemd."""

from typer import Context

from kmscli.cli import _forms
from kmscli.cli._new import verbs
from kmscli.cli._render import Output
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import unlocked
from kmscli.service import due

app = verbs()


@app.command("run-due", cls=Verb)
def run_due(ctx: Context) -> None:
    """Do what is due: automatic rotations, deletions whose waiting is over, expiries of imported material.

    A root's operation on a key does what is due on that key first; this does it for all keys, also for those that
    nobody uses. Run it every day.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    with unlocked(settings) as context:
        found = due.run_due(context)
    output.show(found, _forms.columns(found.done) if found.done else ["nothing is due"])
