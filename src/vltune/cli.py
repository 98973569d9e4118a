"""The command `vltune`: use, score and export trained runs.

The module of a command is imported when the command is called, so that `vltune --help` needs no torch.
"""

from __future__ import annotations

import gc
from pathlib import Path

import typer

from vltune.commands import demo_command, options, plan_command, rating_command, study_command
from vltune.commands.forget_command import forget
from vltune.pipeline.errors import InputError
from vltune.pipeline.process import run

app = typer.Typer(
    help="Use the runs that the pipeline has trained: caption, answer, score, compare, plan, merge, "
         "export, import, demo. Search for learning rates; make a long table of results in pieces; verify "
         "the results; let people rate captions.",
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    epilog="Exit codes: 0 success; 1 wrong input, or something was left out; 2 unknown option; 130 Ctrl-C.",
)

HERE = Path()


@app.command()
def caption(
    image_or_folder: options.ImageOrFolder, out: options.Out = None, *, method: options.Method,
    seed: options.Seed = 0, beams: options.Beams = None, attention: options.AttentionPicture = None,
    decoder: options.DecoderFile = None, root: options.Root = HERE,
) -> None:
    """Caption an image or a folder of images.

    The output is {name without extension: caption}. Images that
    cannot be read are reported and left out; the exit code is then 1.

    \b
    Examples:
      vltune caption photo.jpg --method lora
      vltune caption photos captions.json --method lora --beams 5
      vltune caption photo.jpg --method lora --attention attention.png
    """
    def work() -> None:
        from vltune.commands.caption import main
        main(image_or_folder, out, method, seed, beams, root, attention, decoder)
    run(work)


@app.command()
def answer(
    image_or_out: options.ImageOrOut = None, question: options.QuestionText = None, *, method: options.Method,
    questions: options.QuestionFile = None, images: options.ImageFolder = None, seed: options.Seed = 0,
    root: options.Root = HERE,
) -> None:
    """Answer a question about an image, or a file of questions.

    For a file, the output is [{"question_id", "answer"}]. Images are found by the file's list `images`, or by
    their names: the image id itself, or a name that ends in it.

    \b
    Examples:
      vltune answer photo.jpg "what is on the left?" --method lora
      vltune answer --questions questions.json --images photos answers.json --method lora
    """
    def work() -> None:
        if questions is None and (image_or_out is None or question is None):
            raise InputError("give an image and a question, or --questions FILE")
        if questions is not None and question is not None:
            raise InputError("give either an image and a question, or --questions FILE and the file to write")
        from vltune.commands.answer import answer_file, answer_question
        if questions is None:
            answer_question(image_or_out, question, method, seed, root)
        else:
            answer_file(questions, images or questions.parent, image_or_out, method, seed, root)
    run(work)


@app.command()
def score(
    predictions: options.Predictions, annotations: options.Annotations, out: options.Out = None, *,
    images: options.CheckedFolder = None, root: options.Root = HERE,
) -> None:
    """Score captions or answers of any system.

    Confidence intervals are bootstrapped over images, with
    the settings of the section `evaluate` of params.yaml.

    PREDICTIONS: {name: caption}, [{"image_id", "caption"}] or [{"question_id", "answer"}]. There must be
    exactly one for each annotated image or question. CLIPScore needs --images, and clipscore.weights there.

    \b
    Examples:
      vltune score captions.json data/raw/captions_test.json
      vltune score answers.json data/raw/answers_test.json scores.json --images data/raw/images/test
    """
    def work() -> None:
        from vltune.commands.score import main
        main(predictions, annotations, images, out, root)
    run(work)


@app.command()
def compare(
    results: options.Results = None, *, task: options.ComparedTask = None, metric: options.Metric = None,
    form: options.Format = "terminal", root: options.Root = HERE,
) -> None:
    """Compare methods: means with intervals, and a verdict on each pair.

    The results are those that the stage `evaluate` wrote into data/results,
    or the given files. A file is listed under NAME, or under its method.
    Results that were scored differently, or on other images, are refused.

    \b
    Examples:
      vltune compare
      vltune compare --task caption --metric METEOR
      vltune compare --format csv > comparison.csv
      vltune compare rank4=old/lora.json rank8=data/results/lora/caption-0.json
    """
    def work() -> None:
        from vltune.commands.compare import main
        main(results or [], task, metric, form, root)
    run(work)


@app.command()
def merge(
    out: options.NewFolder, *, method: options.Method, task: options.Task = "caption", seed: options.Seed = 0,
    root: options.Root = HERE,
) -> None:
    """Merge a run into a plain decoder, for transformers to load.

    OUT gets the decoder in Hugging Face's format, and the projector. The largest difference of a logit
    between the merged and the unmerged model is printed.

    \b
    Example:
      vltune merge merged --method lora --task caption
    """
    def work() -> None:
        from vltune.commands.merge import main
        main(out, method, task, seed, root)
    run(work)


@app.command()
def export(
    out: options.NewFolder, *, method: options.Method, task: options.Task = "caption", seed: options.Seed = 0,
    root: options.Root = HERE,
) -> None:
    """Export a run for Hugging Face's peft.

    OUT gets the files that peft loads onto the same decoder, and the projector.

    \b
    Example:
      vltune export adapter --method lora --task caption
    """
    def work() -> None:
        from vltune.commands import peft
        peft.export(out, method, task, seed, root)
    run(work)


@app.command(name="import")
def import_(
    folder: options.PeftFolder, out: options.NewFolder, *, task: options.Task = "caption",
    root: options.Root = HERE,
) -> None:
    """Import a run from a folder of Hugging Face's peft.

    OUT becomes a checkpoint. If it is models/NAME/TASK-SEED, other commands know it as method NAME.

    \b
    Examples:
      vltune import adapter models/theirs/caption-0 --task caption
      vltune caption photo.jpg --method theirs
    """
    def work() -> None:
        from vltune.commands import peft
        peft.import_folder(folder, out, task, root)
    run(work)


@app.command()
def search(
    *, trials: options.Trials = 8, steps: options.Steps = 60, task: options.Task = "caption",
    method: options.Methods = None, seed: options.SearchSeed = 1000,
    out: options.Table = Path("results/search.csv"), write: options.Write = False,
) -> None:
    """Search for learning rates, with the same number of trials for every method.

    A trial is a training at values drawn from the ranges in the method's file, which span a factor of 100 for
    every method; the lowest validation loss wins. Each trial is recorded in TABLE.csv as it ends. Recorded
    trials are not repeated, so that Ctrl-C loses nothing and trials can be added later. TABLE.json has the
    best trial of each method, and the expected best loss of k trials. The pipeline's outputs stay unchanged.

    \b
    Examples:
      vltune search --task caption --trials 8 --steps 60
      vltune search --trials 8 --method lora --method adapter
      vltune search --task vqa --trials 8 --write
    """
    def work() -> None:
        from vltune.commands.search import main
        main(task, trials, steps, method or [], seed, out, write)
    run(work)


@app.command()
def verify(*, folder: options.CloneFolder = None, root: options.Root = HERE) -> None:
    """Reproduce all results from scratch, and compare every hash.

    Clones HEAD, runs the whole pipeline there, and compares the hashes in its dvc.lock with the committed
    ones, except those of timings. Differences are printed with the likely cause; the exit code is then 1. It
    takes as long as `make repro`.

    \b
    Examples:
      vltune verify
      vltune verify --folder /tmp/again
    """
    def work() -> None:
        from vltune.commands.verify import main
        main(root, folder)
    run(work)


for command in (forget, plan_command.plan, rating_command.rate, study_command.study,
                demo_command.demo):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="vltune")
    finally:
        gc.freeze()  # Python's last collection would walk through all of torch: more than a second


if __name__ == "__main__":
    main()
