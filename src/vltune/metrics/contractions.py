"""The contractions that the official VQA evaluation restores, by the word as people write it without its apostrophe."""

from __future__ import annotations

# Of a word with several apostrophes the evaluation knows each form that lacks one of them, and not that without any.
# It also lists words with a capital I, which cannot occur once a text is in lower case, and words that stay as they are.
WORDS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd how'll
how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't needn't not've o'clock oughtn't 'ow's'at shan't
she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's
something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas
wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've
why'll why're why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've
""".split()


def _forms(word: str) -> list[str]:
    return [word[:i] + word[i + 1:] for i, letter in enumerate(word) if letter == "'"]


CONTRACTIONS = {form: word for word in WORDS for form in _forms(word)} | {"somebody'd": "somebodyd"}  # the last as it is there
