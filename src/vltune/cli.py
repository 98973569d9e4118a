"""The command `vltune`: use, score and hand over what the pipeline has trained. Commands are imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vltune.pipeline.errors import InputError
from vltune.pipeline.process import run

app = typer.Typer(
    help="Use what the pipeline has trained: caption, answer, score, compare, merge, export, import. Search for learning rates; "
         "verify the results.",
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    epilog="Exit codes: 0 all was done; 1 wrong input, or something was left out; 2 an unknown option; 130 Ctrl-C.",
)

Method = Annotated[str, typer.Option(help="A method, or any other folder in models/.")]
Task = Annotated[str, typer.Option(help="caption or vqa.")]
Seed = Annotated[int, typer.Option(help="The seed of the training.")]
Root = Annotated[Path, typer.Option(help="The root of the repository, with params.yaml, data/base and models/.")]
Out = Annotated[Path | None, typer.Argument(metavar="[OUT.json]", help="A JSON file; the standard output if it is not given.")]
NewFolder = Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")]
HERE = Path()


@app.command()
def caption(
    place: Annotated[Path, typer.Argument(metavar="IMAGE_OR_FOLDER", help="An image, or a folder of images.")], out: Out = None, *,
    method: Method, seed: Seed = 0, beams: Annotated[int | None, typer.Option(help="Instead of predict.beams.")] = None,
    root: Root = HERE,
) -> None:
    """Caption an image or a folder of images.

    Written is {name without extension: caption}. Images that cannot be read are reported and left out; the exit code is then 1.

    \b
    Examples:
      vltune caption photo.jpg --method lora
      vltune caption photos captions.json --method lora --beams 5
    """
    def work() -> None:
        from vltune.commands.caption import main
        main(place, out, method, seed, beams, root)
    run(work)


@app.command()
def answer(
    first: Annotated[Path | None, typer.Argument(metavar="IMAGE", help="An image; with --questions, the JSON file to write.")] = None,
    question: Annotated[str | None, typer.Argument(metavar="QUESTION", help="A question about it.")] = None, *,
    method: Method, questions: Annotated[Path | None, typer.Option(help="A question file in VQAv2 format.")] = None,
    images: Annotated[Path | None, typer.Option(help="The folder of its images; otherwise the file's own folder.")] = None,
    seed: Seed = 0, root: Root = HERE,
) -> None:
    """Answer a question, or a file of them.

    For a file, [{"question_id", "answer"}] is written. Images are found by the file's list `images`, or by their names: the
    id itself, or a number at the end.

    \b
    Examples:
      vltune answer photo.jpg "what is on the left?" --method lora
      vltune answer --questions questions.json --images photos answers.json --method lora
    """
    def work() -> None:
        if questions is None and (first is None or question is None):
            raise InputError("give an image and a question, or --questions FILE")
        if questions is not None and question is not None:
            raise InputError("give either an image and a question, or --questions FILE and the file to write")
        from vltune.commands.answer import many, one
        if questions is None:
            one(first, question, method, seed, root)
        else:
            many(questions, images or questions.parent, first, method, seed, root)
    run(work)


@app.command()
def score(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS.json", help="Captions or answers; see below.")],
    annotations: Annotated[Path, typer.Argument(metavar="ANNOTATIONS.json", help="COCO captions, or VQAv2 annotations.")],
    out: Out = None, *, images: Annotated[Path | None, typer.Option(help="Check that every image is in this folder.")] = None,
    root: Root = HERE,
) -> None:
    """Score captions or answers of any system.

    Intervals are over images, by the section `evaluate` of params.yaml.

    PREDICTIONS: {name: caption}, [{"image_id", "caption"}] or [{"question_id", "answer"}]. Every annotated image or question
    must have one, and no other.

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
    results: Annotated[list[str] | None, typer.Argument(metavar="[[NAME=]RESULTS.json]...", help="Instead of the pipeline's.")] = None, *,
    task: Annotated[str | None, typer.Option(help="caption or vqa; otherwise all that are there.")] = None,
    metric: Annotated[str | None, typer.Option(help="One metric, such as CIDEr or accuracy; otherwise a choice.")] = None,
    form: Annotated[str, typer.Option("--format", help="terminal, markdown or csv.")] = "terminal", root: Root = HERE,
) -> None:
    """Compare methods: means with intervals, and a verdict on each pair.

    Compared are the results that `evaluate` wrote into data/results, or the given ones, under the name of their method or
    NAME. Results that were scored differently, or on other images, are refused.

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
def merge(out: NewFolder, *, method: Method, task: Task = "caption", seed: Seed = 0, root: Root = HERE) -> None:
    """Merge a run, for transformers to load.

    The decoder as a plain one in Hugging Face's form, and its projector beside it. Prints the largest difference of a logit
    between merged and unmerged.

    \b
    Example:
      vltune merge merged --method lora --task caption
    """
    def work() -> None:
        from vltune.commands.merge import main
        main(out, method, task, seed, root)
    run(work)


@app.command()
def export(out: NewFolder, *, method: Method, task: Task = "caption", seed: Seed = 0, root: Root = HERE) -> None:
    """Export a run, for Hugging Face's peft.

    A folder that peft loads onto the same decoder, with the projector beside it.

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
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What peft's save_pretrained or `vltune export` wrote.")],
    out: NewFolder, *, task: Task = "caption", root: Root = HERE,
) -> None:
    """Import a folder of Hugging Face's peft.

    OUT becomes a checkpoint; other commands find it in models/NAME/TASK-SEED as method NAME.

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
    *, trials: Annotated[int, typer.Option(min=1, help="How many trials every method gets.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="The steps of a trial; else it is as the section `train` says.")] = 60,
    task: Task = "caption", method: Annotated[list[str] | None, typer.Option(help="Those of params.yaml if it is not given.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of the values that are drawn, and of the trainings.")] = 0,
    out: Annotated[Path, typer.Option(metavar="TABLE.csv", help="The table of trials.")] = Path("results/search.csv"),
    write: Annotated[bool, typer.Option("--write", help="Put the best values into params.yaml.")] = False,
) -> None:
    """Find learning rates, equally for all methods.

    Every method gets the same number of short trainings, at values drawn from the ranges beside the fields in its file; the loss
    on val decides. Trials are recorded in TABLE.csv as they end, and those that are there are not repeated, so that Ctrl-C loses
    nothing and more trials can be added. TABLE.json has the best of each method, where it is from, and what k trials would have
    found on average. The outputs of the pipeline stay as they are.

    \b
    Examples:
      vltune search --task caption --trials 5 --steps 60
      vltune search --trials 8 --method lora --method adapter
      vltune search --trials 8 --write
    """
    def work() -> None:
        from vltune.commands.search import main
        main(task, trials, steps, method or [], seed, out, write)
    run(work)


@app.command()
def verify(
    *, folder: Annotated[Path | None, typer.Option(help="A new folder for the clone, which stays; otherwise it is removed.")] = None,
    root: Root = HERE,
) -> None:
    """Make everything again, and compare every hash.

    Clones HEAD, runs the whole pipeline there from nothing, and compares all hashes of its dvc.lock with the committed ones but
    those of timings. What differs is printed, with the likely cause; the exit code is then 1. It takes as long as `make repro`.

    \b
    Examples:
      vltune verify
      vltune verify --folder /tmp/again
    """
    def work() -> None:
        from vltune.commands.verify import main
        main(root, folder)
    run(work)


def main() -> None:
    """Start the command."""
    app(prog_name="vltune")


if __name__ == "__main__":
    main()
