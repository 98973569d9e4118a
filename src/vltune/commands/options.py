"""The arguments and options of the command line: types, metavars and help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Method = Annotated[str, typer.Option(help="A method, or any other folder in models/.")]
Task = Annotated[str, typer.Option(help="caption or vqa.")]
Seed = Annotated[int, typer.Option(help="The seed of the training.")]
Root = Annotated[Path, typer.Option(
    help="The root of the repository, with params.yaml, data/base and models/.")]
Out = Annotated[Path | None, typer.Argument(
    metavar="[OUT.json]", help="A JSON file; by default the standard output.")]
NewFolder = Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")]
ImageOrFolder = Annotated[Path, typer.Argument(
    metavar="IMAGE_OR_FOLDER", help="An image, or a folder of images.")]
Beams = Annotated[int | None, typer.Option(help="The number of beams; by default predict.beams.")]
AttentionPicture = Annotated[Path | None, typer.Option(
    metavar="OUT.png", help="Draw the attention on an image for each token of its caption into a PNG file.")]
DecoderFile = Annotated[Path | None, typer.Option(
    metavar="DECODER.bin", help="The decoder as the course NTU DLCV gives it; by default data/base/decoder.")]
ImageOrOut = Annotated[Path | None, typer.Argument(
    metavar="IMAGE", help="An image; with --questions, the JSON file to write.")]
QuestionText = Annotated[str | None, typer.Argument(metavar="QUESTION", help="A question about the image.")]
QuestionFile = Annotated[Path | None, typer.Option(help="A question file in VQAv2 format.")]
ImageFolder = Annotated[Path | None, typer.Option(
    help="The folder of the images; by default the folder of the question file.")]
Predictions = Annotated[Path, typer.Argument(
    metavar="PREDICTIONS.json", help="Captions or answers; see below.")]
Annotations = Annotated[Path, typer.Argument(
    metavar="ANNOTATIONS.json", help="COCO captions, or VQAv2 annotations.")]
CheckedFolder = Annotated[Path | None, typer.Option(
    help="Check that every image is in this folder; CLIPScore reads them there.")]
Results = Annotated[list[str] | None, typer.Argument(
    metavar="[[NAME=]RESULTS.json]...", help="Result files; by default those of the pipeline.")]
ComparedTask = Annotated[str | None, typer.Option(help="caption or vqa; by default every task with results.")]
Metric = Annotated[str | None, typer.Option(
    help="One metric, such as CIDEr or accuracy; by default the main ones.")]
Format = Annotated[str, typer.Option("--format", help="terminal, markdown or csv.")]
PeftFolder = Annotated[Path, typer.Argument(
    metavar="FOLDER", help="A folder written by peft's save_pretrained or by `vltune export`.")]
Trials = Annotated[int, typer.Option(min=1, help="The number of trials of each method.")]
Steps = Annotated[int, typer.Option(
    min=1, help="The steps of a trial; all else is as in the section `train` of params.yaml.")]
Methods = Annotated[list[str] | None, typer.Option(
    help="A method to search; by default those of params.yaml.")]
SearchSeed = Annotated[int, typer.Option(
    help="The seed of the drawn values and of the trainings; no seed of a reported run.")]
Table = Annotated[Path, typer.Option(metavar="TABLE.csv", help="The table of trials.")]
Write = Annotated[bool, typer.Option("--write", help="Write the best values into params.yaml.")]
CloneFolder = Annotated[Path | None, typer.Option(
    help="A new folder for the clone, which is kept; by default a temporary one.")]
