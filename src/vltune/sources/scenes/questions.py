"""Questions about drawn scenes: answers true by construction,
and balanced so that a question alone says little."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from vltune.pipeline.questions import Question
from vltune.sources.scenes.captions import NUMBERS, with_article
from vltune.sources.scenes.compose import ARRANGEMENTS, COLOURS, PLACES, RELATIONS, Scene
from vltune.sources.scenes.concepts import KINDS, KINDS_OF, Concept
from vltune.sources.scenes.several import Candidate, ask_several
from vltune.sources.scenes.wordings import MORE_QUESTIONS

ANSWER_TYPES = {"count": "number", "existence": "yes/no", "comparison": "yes/no"}  # the others: other
EXISTENCE = 0.2  # share of the questions; what the other types get follows from what the scenes show
SAME = 10  # VQAv2 has the answers of ten people
MOST = 2  # questions of one type about one image
TEMPLATES = {
    "number": (
        "how many {plural} are there?", "how many {plural} are in the picture?",
        "how many {plural} can you see?",
    ),
    "things": (
        "how many things are there?", "how many things are in the picture?", "how many things can you see?",
    ),
    "existence": ("is there {a}?", "is there {a} in the picture?", "can you see {a}?"),
    "colour": (
        "what colour is the background?", "what is the colour of the background?",
        "which colour does the background have?",
    ),
    "position": (
        "where is the {name}?", "where in the picture is the {name}?", "where can you see the {name}?",
    ),
    "relation": (
        "what is {direction} the {other}?", "which thing is {direction} the {other}?",
        "what do you see {direction} the {other}?",
    ),
    "this": (
        "what kind of thing is this?", "what kind of thing is in the picture?",
        "what kind of thing do you see?",
    ),
    "kind": (
        "what kind of thing is {side}?", "what kind of thing do you see {side}?",
        "what kind of thing is {direction} the {other}?",
    ),
    "amount": ("{is_there} {amount}?", "{is_there} {amount} in the picture?", "can you see {amount}?"),
    "further": ("is the {name} {further} than the {other}?", "is the {name} {direction} the {other}?"),
    "between": ("what is between the {first} and the {last}?",),
    "size": ("is the {name} {size} than the {other}?",),
    "sized": ("which thing is {size}?", "what is the {size} thing?"),
    "depth": ("is the {name} {direction} the {other}?",),
}


def ask(
    scenes: list[tuple[int, Scene]], concepts: list[Concept], per_image: int, rng: random.Random,
    more: bool = False,
) -> list[Question]:
    """Ask `per_image` different questions about each scene, fewer where it has no more.

    Existence: of each concept as often where it is as where it is not. Of all other candidates an image gets
    those whose answer is the rarest so far for its type and group; a yes is given only if it doesn't lead
    over no, and the other way.

    Args:
        scenes: id of the image and what it shows.
        concepts: what could be shown.
        per_image: number of questions.
        rng: decides all that balance leaves open.
        more: whether questions have further wordings.
    """
    chosen_by_scene = _existence([scene for _, scene in scenes], per_image, rng)
    cells = _cells(len(concepts))
    counts: Counter[tuple[str, str, str]] = Counter()
    for i in rng.sample(range(len(scenes)), len(scenes)):
        shown = _shown(scenes[i][1])
        absent = rng.choice([concept for concept in concepts if concept not in shown])
        possible = [*_candidates(scenes[i][1]), _number(absent, 0)]
        rng.shuffle(possible)
        while len(chosen_by_scene[i]) < per_image:
            allowed = _allowed(possible, chosen_by_scene[i], counts)
            if not allowed:
                break
            chosen = min(allowed, key=lambda candidate: counts[_cell(candidate)] * cells[candidate.type])
            counts[_cell(chosen)] += 1
            chosen_by_scene[i].append(chosen)
    questions = []
    for (image, _), chosen in zip(scenes, chosen_by_scene, strict=True):
        mixed = rng.sample(chosen, len(chosen))
        questions += [
            _question(image, image * per_image + n, candidate, rng, more) for n, candidate in enumerate(mixed)
        ]
    return questions


def _cell(candidate: Candidate) -> tuple[str, str, str]:
    """Give what is to be asked equally often: a type, a group of it and an answer."""
    return candidate.type, candidate.group, candidate.answer


def _allowed(
    possible: list[Candidate], chosen: list[Candidate], counts: Counter[tuple[str, str, str]]
) -> list[Candidate]:
    """Give the candidates that may be asked of an image beside those that are chosen."""
    used = Counter(candidate.type for candidate in chosen)
    return [candidate for candidate in possible
            if candidate not in chosen and used[candidate.type] < MOST and not _leads(candidate, counts)]


def _cells(concepts: int) -> dict[str, int]:
    """Count the groups and answers of each type: with equal
    counts in each, the types would be equally frequent too."""
    count = len(ARRANGEMENTS) + 1
    return {
        "count": 2 * count + 1, "colour": len(COLOURS), "position": len(PLACES) + 1, "relation": concepts,
        "category": len(set(KINDS.values()) | set(KINDS_OF)) - 1,
        "comparison": 2 * (2 * (count - 1) + 2 * len(RELATIONS)),
    }


def _shown(scene: Scene) -> Counter[Concept]:
    return Counter(thing.concept for thing in scene.things)


def _leads(candidate: Candidate, counts: Counter[tuple[str, str, str]]) -> bool:
    other = {"yes": "no", "no": "yes"}.get(candidate.answer)
    return other is not None and counts[_cell(candidate)] > counts[candidate.type, candidate.group, other]


def _existence(scenes: list[Scene], per_image: int, rng: random.Random) -> list[list[Candidate]]:
    """Ask about existence in pairs: about a thing where it is, and about the same where it is not.

    Scenes of one thing come first: there is less else to ask about them.
    """
    chosen_by_scene: list[list[Candidate]] = [[] for _ in scenes]
    mixed = rng.sample(range(len(scenes)), len(scenes))
    waiting = sorted(mixed, key=lambda i: len(scenes[i].things) > 1)[
        : round(len(scenes) * min(1, per_image * EXISTENCE))
    ]
    rng.shuffle(waiting)
    while waiting:
        here = waiting.pop()
        concept = rng.choice(scenes[here].things).concept
        there = next((i for i in waiting if concept not in _shown(scenes[i])), None)
        if there is not None:
            waiting.remove(there)
            for i, answer in ((here, "yes"), (there, "no")):
                chosen_by_scene[i].append(
                    Candidate(
                        "existence", concept.name, "existence", {"a": with_article(concept.name)}, answer
                    )
                )
    return chosen_by_scene


def _candidates(scene: Scene) -> Iterator[Candidate]:
    """Give what can be asked about a scene, but existence and what is not there."""
    yield Candidate("colour", "", "colour", {}, scene.colour)
    yield Candidate("count", "things", "things", {}, str(len(scene.things)))
    for concept, number in _shown(scene).items():
        yield _number(concept, number)
        yield from _amounts(concept, number)
    if scene.relation:
        yield from ask_several(scene)
        return
    concept = scene.things[0].concept
    if concept.category is not None:
        yield Candidate("category", "", "this", {}, concept.category)
    if scene.layout != "count":
        position = " ".join(
            word
            for word in (scene.position or "middle").split()
            if word in "top bottom left right middle".split()
        )
        yield Candidate("position", "", "position", {"name": concept.name}, position)


def _number(concept: Concept, number: int) -> Candidate:
    return Candidate("count", "number", "number", {"plural": concept.plural}, str(number))


def _amounts(concept: Concept, number: int) -> Iterator[Candidate]:
    """Compare a number, one to the most of a scene, with
    every number for which the answer may be yes or no."""
    for limit in range(1, max(ARRANGEMENTS)):
        more = {"is_there": "is there" if limit == 1 else "are there",
                "amount": f"more than {NUMBERS[limit]} {concept.name if limit == 1 else concept.plural}"}
        yield Candidate("comparison", f"more than {limit}", "amount", more, "yes" if number > limit else "no")
        fewer = {"is_there": "are there", "amount": f"fewer than {NUMBERS[limit + 1]} {concept.plural}"}
        yield Candidate(
            "comparison", f"fewer than {limit + 1}", "amount", fewer, "yes" if number <= limit else "no"
        )


def _question(image: int, number: int, candidate: Candidate, rng: random.Random, more: bool) -> Question:
    templates = TEMPLATES[candidate.template]
    if more:
        templates += MORE_QUESTIONS[candidate.template]
    text = rng.choice(templates).format(**candidate.words)
    return Question(
        number, image, text, candidate.type, ANSWER_TYPES.get(candidate.type, "other"),
        [candidate.answer] * SAME,
    )
