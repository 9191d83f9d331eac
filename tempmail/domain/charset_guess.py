"""Which charset unlabelled bytes are in, by how much of the text they would give is ordinary text.

Deterministic and bounded: every candidate reads the same short sample and gets a score from 0 to 1. A character
counts by how common it is in its language; a character that hardly occurs in running text counts nothing.
"""

import codecs
import re
from collections.abc import Callable
from functools import partial

SAMPLE_BYTES = 512
"""How much is read, from the first byte outside ASCII on."""

_SIMPLIFIED = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事"
    "成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已"
    "工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信"
    "您请验证码密登录账户邮箱注册确认激活分钟有效点击链接重置收到操作忽略客服"
)
_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事"
    "成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已"
    "工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信"
    "您請驗證碼密登錄帳戶郵箱註冊確認啟用分鐘有效點擊連結重設收到操作忽略客服電子信箱件"
)
_HANGUL = frozenset(
    "이다는에을의하가고를한로기지은사도인어서리시나자대해과으일라아니스그전정보부수제구있여원들만것상면장게주적안성동요선물공"
    "신용화었모야경관오국우문생조위되당회간년방개행거연중비소등내무할발때심계증번호입력확링크메일습계정인증"
)
_RUSSIAN = frozenset("оеаинтсрвлкмдпуяыьгзб")
_GREEK = frozenset("αοιετσνηυρπκμλςήίόάωέθ")
_HEBREW = frozenset("יוהלאמרתבשנעכםדקחפצטן")
_ARABIC = frozenset("اليمونترعبدسفهكقحجشةأى")
_WESTERN = frozenset("éèàçùâêîôûëïüäößñóíáúãõåøæÉÈÀÇÜÄÖÑÓÍÁÚÃÕÅØÆ’“”–—…«»¡¿€°·")
_CENTRAL = frozenset("ąćęłńóśźżáčďéěíňřšťúůýžäöüßőűĄĆĘŁŃÓŚŹŻÁČĎÉĚÍŇŘŠŤÚŮÝŽÄÖÜŐŰ„”–’")
_TURKISH = frozenset("ğışçöüâĞİŞÇÖÜ’“”")
_PUNCTUATION = re.compile("[\u2010-\u2027\u2030-\u203b\u3000-\u301f\uff01-\uff60\u20ac\u00a3\u00b7\u00a9\u00ae\u2122]")
_HEBREW_MISSPELT = re.compile("[ךםןףץ](?!$)|[כמנצ]$")
"""Final letters inside a word, or letters at its end that have a final form."""
_WORD = re.compile(r"[^\W\d_]+")


def guess(data: bytes) -> str:
    """The Python codec that reads `data` (not UTF-8, not ASCII) most like ordinary text; else windows-1252."""
    sample, cut = _sample(data)
    best, best_score = "cp1252", 0.35
    for codec, score in _CANDIDATES:
        text = _read(sample, codec, cut)
        if text is not None and (value := score(text)) > best_score:
            best, best_score = codec, value
    return best


def score_as(data: bytes, codec: str) -> float:
    """How much like ordinary text `data` is in `codec`, one of those that `guess` gives."""
    sample, cut = _sample(data)
    text = _read(sample, codec, cut)
    return 0.0 if text is None else dict(_CANDIDATES)[codec](text)


_HIGH = re.compile(rb"[\x80-\xff]")


def _sample(data: bytes) -> tuple[bytes, bool]:
    """From the word that holds the first byte outside ASCII; whether it was cut at its end."""
    match = _HIGH.search(data)
    start = match.start() if match else 0
    word = start
    while word > 0 and start - word < 20 and data[word - 1 : word].isalpha():
        word -= 1
    return data[word : word + SAMPLE_BYTES], len(data) > word + SAMPLE_BYTES


def _read(sample: bytes, codec: str, cut: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(codec)("strict").decode(sample, final=not cut)
    except UnicodeError:
        return None


def _chinese(text: str, *, common: frozenset[str], codec: str, last_level_1_lead: int) -> float:
    total = value = 0.0
    for char in text:
        if char <= "\x7f":
            continue
        total += 1
        if char in common:
            value += 1
        elif "\u4e00" <= char <= "\u9fff":
            try:
                value += 0.6 if char.encode(codec)[0] <= last_level_1_lead else 0.15
            except UnicodeEncodeError:
                continue
        elif _PUNCTUATION.match(char):
            value += 0.7
    return value / total if total else 0.0


def _japanese(text: str) -> float:
    total = value = 0.0
    for char in text:
        if char <= "\x7f":
            continue
        total += 1
        if "\u3041" <= char <= "\u30fe":
            value += 1
        elif "\u4e00" <= char <= "\u9fff":
            lead = char.encode("euc_jp", "ignore")[:1]
            value += 0.65 if b"\xb0" <= lead <= b"\xcf" else 0.15
        elif _PUNCTUATION.match(char):
            value += 0.7
    return value / total if total else 0.0


def _korean(text: str) -> float:
    total = value = 0.0
    for char in text:
        if char <= "\x7f":
            continue
        total += 1
        if char in _HANGUL:
            value += 1
        elif "\uac00" <= char <= "\ud7a3":
            value += 0.5 if len(char.encode("euc_kr", "ignore")) == 2 else 0.05
        elif _PUNCTUATION.match(char):
            value += 0.7
    return value / total if total else 0.0


def _alphabet(text: str, *, first: str, last: str, common: frozenset[str]) -> float:
    """For scripts of their own: whole words in them, in ordinary case."""
    total = sum(1 for char in text if char > "\x7f")
    value = 0.0
    for word in _WORD.findall(text):
        high = sum(1 for char in word if char > "\x7f")
        if not high or any(not first <= char <= last for char in word):
            continue
        lower = word.lower()
        weight = 1.0 if word[1:] == lower[1:] else 0.97 if word == word.upper() else 0.5
        if _HEBREW_MISSPELT.search(word):
            weight = 0.3
        value += weight * sum(1.0 if char in common else 0.55 for char in lower)
    value += 0.7 * len(_PUNCTUATION.findall(text)) + 0.5 * sum(text.count(char) for char in "«»№\xa0–—")
    return min(1.0, value / total) if total else 0.0


def _latin(text: str, *, common: frozenset[str], weight: float) -> float:
    """For Latin script: marked letters among plain ones."""
    total = value = 0.0
    for char in text:
        if char <= "\x7f":
            continue
        total += 1
        if char in common:
            value += 1
        elif char == "\xa0":
            value += 0.5
    if not total:
        return 0.0
    marked = sum(
        1 for word in _WORD.findall(text) if len(word) > 2 and word.isascii() is False and _mostly_marked(word)
    )
    return max(0.0, weight * value / total - 0.3 * marked)


def _mostly_marked(word: str) -> bool:
    high = sum(1 for char in word if char > "\x7f")
    return high * 2 > len(word) or not (word == word.lower() or word == word.upper() or word[1:] == word[1:].lower())


_CANDIDATES: tuple[tuple[str, Callable[[str], float]], ...] = (
    ("gb18030", partial(_chinese, common=_SIMPLIFIED, codec="gb2312", last_level_1_lead=0xD7)),
    ("big5hkscs", partial(_chinese, common=_TRADITIONAL, codec="big5", last_level_1_lead=0xC6)),
    ("cp949", _korean),
    ("cp932", _japanese),
    ("euc_jp", _japanese),
    ("cp1251", partial(_alphabet, first="\u0400", last="\u04ff", common=_RUSSIAN)),
    ("koi8_r", partial(_alphabet, first="\u0400", last="\u04ff", common=_RUSSIAN)),
    ("koi8_u", partial(_alphabet, first="\u0400", last="\u04ff", common=_RUSSIAN)),
    ("iso8859_5", partial(_alphabet, first="\u0400", last="\u04ff", common=_RUSSIAN)),
    ("cp866", partial(_alphabet, first="\u0400", last="\u04ff", common=_RUSSIAN)),
    ("cp1255", partial(_alphabet, first="\u0590", last="\u05ff", common=_HEBREW)),
    ("cp1253", partial(_alphabet, first="\u0370", last="\u03ff", common=_GREEK)),
    ("cp1256", partial(_alphabet, first="\u0600", last="\u06ff", common=_ARABIC)),
    ("cp874", partial(_alphabet, first="\u0e00", last="\u0e7f", common=frozenset("านรอกเงมยลวดทตสะปบคหแจพชขใไโผ่้ั์ิีุู"))),
    ("cp1252", partial(_latin, common=_WESTERN, weight=0.9)),
    ("cp1250", partial(_latin, common=_CENTRAL, weight=0.88)),
    ("cp1254", partial(_latin, common=_TURKISH, weight=0.88)),
)
