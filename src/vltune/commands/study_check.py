"""The parameters of a study, checked as the stages will check them, before the first of them runs."""

from __future__ import annotations

from vltune.commands.study_plan import Study, is_method
from vltune.methods import interface
from vltune.metrics.bootstrap import Evaluate
from vltune.metrics.clip import ClipScore
from vltune.pipeline.launch import Launch
from vltune.pipeline.params import Section, check
from vltune.prediction.explain import Attention
from vltune.prediction.forgetting import Costs
from vltune.prediction.predict import Predict
from vltune.preprocessing.settings import Preprocess
from vltune.sources.fetch import Fetch
from vltune.sources.scenes.draw import Scenes
from vltune.training.align import Align, ProjectorSettings
from vltune.training.budget import Budget
from vltune.training.train import Train

SECTIONS: dict[str, type[Section]] = {
    "fetch": Fetch, "scenes": Scenes, "preprocess": Preprocess, "projector": ProjectorSettings,
    "align": Align, "train": Train, "budget": Budget, "predict": Predict, "attention": Attention,
    "costs": Costs, "evaluate": Evaluate, "clipscore": ClipScore, "launch": Launch,
}


def check_settings(study: Study) -> None:
    """Check every section that a run of the study reads.

    Raises:
        InputError: a value is of a wrong type or out of range; names section and key.
    """
    for variant in study.content.variants:
        merged = study.sections(variant)
        methods = {run.method for run in study.runs() if run.variant == variant and is_method(run.method)}
        types = SECTIONS | {method: interface.method(method) for method in methods}
        for name, section_type in types.items():
            check(section_type, name, merged[name], study.file)
