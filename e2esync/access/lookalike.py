"""Names that look alike, or are not what they seem to be (SPEC 8.8): marked wherever a person chooses by them.

Invariants: nothing is refused and nothing that is stored or compared by the protocol depends on this; two names that
a person can tell apart by their letters alone have different skeletons, as far as the confusables of UTS 39 go.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, TypeVar

Key = TypeVar("Key")

# From the confusables of UTS 39: what looks like a Latin letter or a digit once it is decomposed (NFKD). `l` stands
# for the letters and digits that are a vertical stroke, `o` for those that are a ring.
_LOOK: Final = {
    "2": "ƧƻϨᒿ➁ꙄꛯꝚ",
    "3": "ƷȜЗҘӠ➂ⳌꝪꞫ𑣊𖼻𝈆",
    "4": "Ꮞ➃𑢯",
    "5": "Ƽ➄𑢻",
    "6": "бᏮ➅Ⳓ𑣕",
    "7": "➆𐓒𑣆𝈒",
    "8": "ȣ৪੪ଃ➇𐌚",
    "9": "৭੧୨൭➈Ⳋꝯ𑣌𑣖",
    "a": "ɑαаᎪᗅ⍶⍺ꓮ𐊠𖽀",
    "b": "ƀƃƄɓΒБВЬѣҍᏏᏴᑲᑳᖯᗷꓐꞴ𐊂𐊡𐌁",
    "c": "¢©ȼΣςсҫᏟᴄⲥꓚ𐊢𐌂𐐽𐔜𑣩𑣲🝌",
    "d": "ÐđƌɖɗԁᎠᏧᑯᗞᗪ₫ꓒꓓ",
    "e": "ɇΕеҽҿᎬ℮⋿ⴹꓰꬲ𐊆𑢦𑢮",
    "f": "ƒϜքᖴᵮẝꓝꞙꬵ𐊇𐊥𐔥𑣂𝈓",
    "g": "ƍǥɠɡԌցᏀᏳᶃꓖ",
    "h": "ħɦΗнћҢһӇӉհᎻᏂᏲᕼⱧⲎꓧꚕ𐋏",
    "j": "ɉϳјᎫᒍꓙꞲ",
    "k": "ƙΚКҚҞᏦᛕ₭ⱩⲔꓗꝀ𐔘",
    "l": "|ıłƚǀɨɩɪɫɭιіӏ۱ᎥᏞᒪᛁᣳᵻᵼ∣⍳⍸⏽│➀ⲒⳐⵏꓡꓲꙇ𐊊𐌉𐌠𐐛𐔦𑢲𑣃𖼖𖼨𝈪",
    "m": "ɱΜϺМӍᎷᗰᛖᵯ₥Ⲙꓟꭑ𐊰𐌑𑜀𑣣",
    "n": "ƞɲɳΝηոռᵰⲚꓠ𐆎𐔓",
    "o": "øɵθοσоѳөօ۵०০੦૦ଠ୦௦ం౦ಂ೦ംഠ൦ං๐໐ဝ၀ჿዐᎾᏫᴏᴑ⊖⊝⍬ⲟⴱⵁⵔ〇ꓳꝋꬽꬾꭴ𐊒𐊫𐐬𐓪𐔖𑓐𑢵𑣈𑣗𑣠𝈚🄍🜔",
    "p": "ƥρрᏢᑭᣖᵽ℗⍴ⲣꓑ𐊕",
    "q": "ʠԛգզⵕ",
    "r": "®ƦɍɼɽгғᎡᏒᖇᣴᴦᵲⲅꓣꭇꭈꮁ𐒴𖼵𝈖",
    "s": "ƽʂѕՏᏕᏚᣵᵴꓢꜱ𐊖𐑈𑣁𖼺",
    "t": "ŧƫƭƮȾΤТҬᎢᵵ⊤⍡⟙Ⲧꓔ𐊗𐊱𐌕𑢼𖼊🝨",
    "u": "ɄʋυսሀᏌᑌᴜᵾ∪⋃ꓴꞟꭎꭒ𐓶𑣘𖽂",
    "v": "νѵ۷Ꮩᐯᴠ∨⋁ⴸꓦꛟ𐆗𐔝𑜆𑣀𖼈𝈍",
    "w": "ɯѡԝաᎳᏔᴡ₩ꓪꝡ𑓅𑜊𑜎𑜏𑣦𑣯",
    "x": "×ΧхҲᕁᕽ᙭᙮ᚷ╳⤫⤬⨯⨰ⲬⵝꓫꞳ𐆖𐊐𐊴𐌗𐌢𐔧𑣬",
    "y": "¥ƴɏɣʏΥγуүұყᎩᎽᶌỿⲨꓬꭚ𐊲𑢤𑣜𖽃",
    "z": "ƶȥʐΖᏃᙆᴢᵶꓜ𐋵𑢩𑣄𑣥",
}
_PROTOTYPES: Final = {source: shape for shape, sources in _LOOK.items() for source in sources} | dict.fromkeys(
    "iI1", "l") | {"0": "o"}
_ACCENTS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_BLANK: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0"
                           "\U000e0100-\U000e01ef]")
_JOINERS: Final = "\u200c\u200d"
"""Persian and Indian scripts, and emoji, are spelt with these: alone they are no sign of deceit."""
_ALPHABETS: Final = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
"""What has letters in common with the Latin alphabet, by the first word of a character's name."""


def skeleton(name: str) -> str:
    """What is left of a name for somebody who glances at it: equal for names that look alike."""
    visible = _BLANK.sub("", "".join(char for char in name if unicodedata.category(char) not in ("Cf", "Cc")))
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", visible))
    drawn = "".join(_drawn(char) for char in bare)
    return " ".join(drawn.replace("rn", "m").split())


def _drawn(char: str) -> str:
    folded = char.casefold()
    return _PROTOTYPES.get(char) or _PROTOTYPES.get(folded, folded)


def alike(name: str, others: Mapping[Key, str]) -> tuple[Key, ...]:
    """Those of the others whose names look like this one, or are this one. A name that is not there is like none."""
    wanted = skeleton(name)
    return tuple(key for key, other in others.items() if wanted and skeleton(other) == wanted)


def is_disguised(name: str) -> bool:
    """Whether a name holds what is not seen, turns the direction of reading, or mixes alphabets within a word."""
    if name.isascii() and name.isprintable():
        return False
    if any(unicodedata.category(char) in ("Cf", "Cc") and char not in _JOINERS for char in name):
        return True
    return any(len(_ALPHABETS & {unicodedata.name(char, "").partition(" ")[0] for char in word}) > 1
               for word in re.findall(r"\w+", name))
