"""Further wordings of captions and questions, and those of things that overlap or differ in size.

The names in braces are those of `captions.py` and `questions.py`; {front} hides a part of {back}.
"""

from __future__ import annotations

# Of captions, by what `captions.TEMPLATES` has them by.
MORE = {
    "single": (
        "{a} can be seen on {ground}", "the picture shows {a} on {ground}", "{a} in front of {ground}",
        "{ground} behind {a}", "{a} alone on {ground}", "an image of {a} against {ground}",
        "in the middle of {ground} there is {a}", "this is {a} on {ground}",
    ),
    "placed": (
        "{a} can be seen {place} of {ground}", "{place} there is {a}", "the picture shows {a} {spot}",
        "{a} {place} in front of {ground}", "in the picture {a} is {place}", "{a} {spot} against {ground}",
        "an image of {a} {place} of {ground}", "this is {a}, {spot} of {ground}",
    ),
    "count": (
        "the picture shows {n} on {ground}", "{n} in front of {ground}", "{ground} behind {n}",
        "{n} and nothing else on {ground}", "an image of {n} against {ground}", "these are {n} on {ground}",
        "we see {n} on {ground}", "in the picture there are {n}",
    ),
    "left of": (
        "{a} on the left and {b} on the right", "{ground} with {a} on the left and {b} on the right",
        "on the left is {a} and on the right is {b}", "{b} on the right of {a}",
        "{a} left of {b} on {ground}", "{b} with {a} to its left",
        "{a} beside {b} on {ground}", "the picture shows {a} and {b} on {ground}",
    ),
    "above": (
        "{a} at the top and {b} at the bottom", "{ground} with {a} at the top and {b} at the bottom",
        "at the top is {a} and at the bottom is {b}", "{b} beneath {a}", "{b} under {a} on {ground}",
        "{b} with {a} above it", "{a} higher up than {b} on {ground}",
        "the picture shows {a} and {b} on {ground}",
    ),
    "row": (
        "{a} on the left, {b} in the middle and {c} on the right",
        "{b} in the middle, {a} on the left and {c} on the right", "{a}, {b} and {c} side by side",
        "{b} with {a} on the left and {c} on the right", "three things on {ground}: {a}, {b} and {c}",
        "{ground} with {b} between {a} and {c}", "between {a} and {c} is {b}",
        "the picture shows {c}, {b} and {a} on {ground}",
    ),
    "column": (
        "{a} at the top, {b} in the middle and {c} at the bottom",
        "{b} in the middle, {a} at the top and {c} at the bottom", "{b} with {a} above it",
        "{b} with {a} at the top and {c} at the bottom", "three things on {ground}: {a}, {b} and {c}",
        "{ground} with {b} between {a} and {c}", "between {a} and {c} is {b}",
        "the picture shows {c}, {b} and {a} on {ground}",
    ),
}
# Of captions of a scene in which a thing hides a part of another.
OVERLAPPING = (
    "{front} in front of {back} on {ground}", "{back} behind {front}", "{back} partly hidden by {front}",
    "{front} partly covers {back}", "{ground} with {front} in front of {back}",
)
# Of questions, by type of template.
MORE_QUESTIONS = {
    "number": ("what is the number of {plural}?", "how many {plural} does the picture show?"),
    "things": ("what is the number of things?", "how many things does the picture show?"),
    "existence": ("does the picture show {a}?", "do you see {a}?", "is {a} in the picture?"),
    "colour": ("what colour is behind everything?", "what colour does the background have?"),
    "position": ("in which part of the picture is the {name}?", "where do you see the {name}?"),
    "relation": ("what can be seen {direction} the {other}?", "name the thing {direction} the {other}."),
    "this": ("what sort of thing is this?", "what sort of thing does the picture show?"),
    "kind": (
        "what sort of thing is {side}?", "what sort of thing can be seen {side}?",
        "what sort of thing is {direction} the {other}?",
    ),
    "amount": ("does the picture show {amount}?", "do you see {amount}?"),
    "further": ("is it true that the {name} is {direction} the {other}?",),
    "between": ("what do you see between the {first} and the {last}?",),
    "size": ("is the {name} {size} in size than the {other}?",),
    "sized": ("name the {size} thing.",),
    "depth": ("can you see the {name} {direction} the {other}?",),
}
