"""Where in a text a candidate stands: its line, what is beside it on the line, and the words within reach."""

import re
from typing import Final

from tempmail.domain.codes_shapes import GROUPED, Shape
from tempmail.domain.codes_text import Hit, Reading, has_word
from tempmail.domain.lexicon.letters import fold
from tempmail.domain.lexicon.table import Concept, is_means, names_a_check

_OPENING: Final = " \t*_`\"'“”«[(【「<"
_POINTING: Final = (":", "៖", "՝", "=", "->", "→", ">", "⇒", "...", "…")
# What divides the columns of a table in plain text.
_NEXT_COLUMN: Final = "   "
# Letters that are shown before the digits of a code and not typed: "TR 61 40 92".
_LETTERS_BEFORE: Final = re.compile(r"[ \t*]{0,8}[A-Z]{1,3}[ -]")
_LOOK: Final = 80
_PARTICLE: Final = 5
# Where the verb comes last, a place may stand before it: "482913 를 로그인 화면에 입력".
_PARTICLES: Final = re.compile(r"[ ”\"'»」]{0,2}[\u3040-\u30ff\u1100-\u11ff\uac00-\ud7af][^\n.,。、，0-9]{0,14}")
_REACH_BEFORE: Final = 160
_REACH_AFTER: Final = 100
_REACH_ABOVE: Final = 300
_STREET_BEFORE: Final = 45
_STREET_AFTER: Final = 30
_PHONE_BEFORE: Final = 30
_LINES_AWAY: Final = 3
_WRAPPED_CHARS: Final = 50
_WRAPPED_LINES: Final = 3
_MIN_LEAD_IN: Final = 3
_LAST_WORD: Final = 16
# Nothing, or a pronoun or article, between a verb and its object: "vul dan T4X8 in".
_SHORT_WORD: Final = re.compile(r"[ :\"'“«*]*(?:[^\W\d_]{2,4} [\"'“«*]*)?")
_LONGEST_VERB: Final = 30
_NEAR_VERB: Final = 30
_TIGHT: Final = 3
_LONG_WORD: Final = 5
# From here on, letters of languages whose particles follow the number at once.
_FIRST_OF_RUNS: Final = "\u1100"
_GOES_ON: Final = frozenset("-–—:=\n")
_ENDS_A_SENTENCE: Final = frozenset(".!?。！？।؟۔")
_ENDS_A_GREETING: Final = frozenset(",!،，、！:：")
_PARTICULARS: Final = Concept.ORDER | Concept.TRAVEL | Concept.IDENT | Concept.TAIL | Concept.PICKUP
_PROVING: Final = Concept.AUTH | Concept.VERIFY | Concept.CONFIRM | Concept.LOGIN | Concept.OCCASION
_NAMES_A_PROOF: Final = Concept.AUTH | Concept.LOGIN | Concept.VERIFY | Concept.CONFIRM | Concept.RESET
_ASIDE: Final = Concept.PROMO | Concept.MEETING | Concept.PHONE | Concept.STREET
_ENDS_OF_STATEMENTS: Final = frozenset({". ", "! ", ".", "!", ".\n", "!\n", "。"})
_LONGEST_WITH: Final = 4
_BARE_GAP: Final = frozenset(" :\"'“”«»„*")
_LONGEST_ARTICLE: Final = 4
_LONGEST_NAME: Final = 40
# From here on, scripts that put no spaces between words.
_FIRST_OF_UNSPACED: Final = "\u0e00"
_ROW: Final = re.compile(r"[^\W\d_][^\n\t:]{0,30}(?:[:\t]|   )")
_LONG_NUMBER: Final = re.compile(r"\d{5}|\d{4} \d{4}")
_ROWS_AROUND: Final = 2
_LONGEST_ROW: Final = 80
_USES: Final = Concept.ASK | Concept.AUTH | Concept.CONFIRM | Concept.VERIFY | Concept.LOGIN


def _tells_to_type(concepts: int) -> bool:
    """Whether a word tells to type something: not "dial", which tells to call."""
    return bool(concepts & Concept.ASK) and not concepts & Concept.PHONE


def _asks(hit: Hit) -> bool:
    return _tells_to_type(hit[2])


class Place:
    """A shape in its surroundings.

    `is_alone`: no letter or digit beside it on its line. `opens_line`, `ends_line`: none before, none after.
    `is_pointed_at`: a colon or arrow right before it. `is_set_apart`: alone, or last on its line and pointed at.
    `reach`: the concepts in its sentence, and on the lines around it if it stands alone.
    """

    __slots__ = (
        "_reach",
        "ends_line",
        "is_alone",
        "is_pointed_at",
        "is_set_apart",
        "line",
        "line_end",
        "line_start",
        "opens_line",
        "reading",
        "shape",
        "text",
    )

    def __init__(self, reading: Reading, shape: Shape) -> None:
        self._reach: int | None = None
        self.reading = reading
        self.shape = shape
        self.text = text = reading.text
        start, end = shape.start, shape.end
        self.line = line = reading.line_of(start)
        self.line_start, self.line_end = line_start, line_end = reading.line_span(line)
        before = text[max(line_start, start - _LOOK) : start]
        self.opens_line = (
            not before
            or not has_word(before)
            or (shape.kind == GROUPED and _LETTERS_BEFORE.fullmatch(before) is not None)
        )
        self.ends_line = end == line_end or not has_word(text[end : min(line_end, end + _LOOK)])
        self.is_alone = self.opens_line and self.ends_line
        self.is_pointed_at = before.rstrip(_OPENING).endswith(_POINTING) or (
            before.endswith(_NEXT_COLUMN) and not self.opens_line
        )
        self.is_set_apart = self.is_alone or (self.is_pointed_at and self.ends_line)

    @property
    def is_tied(self) -> bool:
        """Whether a colon, arrow or copula stands right before it."""
        if self.is_pointed_at or not self.reading.concepts & Concept.COPULA:
            return self.is_pointed_at
        start = self.shape.start
        hits = self.reading.hits_between(max(self.line_start, start - 12), start)
        if not hits:
            return False
        _, end, concepts = hits[-1]
        return bool(concepts & Concept.COPULA) and start - end <= 2

    def reach(self) -> int:
        if self._reach is None:
            self._reach = self._concepts_in_reach()
        return self._reach

    def _concepts_in_reach(self) -> int:
        reading, shape = self.reading, self.shape
        start = reading.sentence_start(shape.start, max(self.line_start, shape.start - _REACH_BEFORE))
        end = reading.sentence_end(shape.end, min(self.line_end, shape.end + _REACH_AFTER))
        if self.opens_line or start == self.line_start:
            start = max(self._paragraph_above(), shape.start - _REACH_ABOVE)
        if self.is_alone and (below := self.line_below()) is not None:
            below_start, below_end = reading.line_span(below)
            end = reading.sentence_end(below_start, min(below_end, below_start + _REACH_AFTER))
        return reading.concepts_between(start, end)

    def sentence(self, further: int = 0) -> int:
        """The concepts of its sentence, which may begin on the line above and end on the line below, and of the
        `further` sentences behind it."""
        reading, shape = self.reading, self.shape
        start = reading.sentence_start(shape.start, max(self.line_start, shape.start - _REACH_BEFORE))
        if start == self.line_start and self.line and not self.opens_line:
            above, above_end = reading.line_span(self.line - 1)
            is_cut = self.text[above:above_end].rstrip()[-1:] not in _ENDS_A_SENTENCE
            if is_cut and above_end - above >= _WRAPPED_CHARS:
                start = reading.sentence_start(max(above, above_end - 1), max(above, above_end - _REACH_BEFORE))
        end = reading.sentence_end(shape.end, min(self.line_end, shape.end + _REACH_AFTER))
        if end >= self.line_end and self.line_end - self.line_start >= _WRAPPED_CHARS and not self.ends_line:
            end = reading.sentence_end(min(end + 1, len(self.text)), min(len(self.text), end + _WRAPPED_CHARS))
        for _ in range(further):
            end = reading.sentence_end(min(end + 1, len(self.text)), min(len(self.text), end + _REACH_AFTER))
        return reading.concepts_between(start, end)

    def line_above(self) -> int | None:
        """The nearest line above that is not blank, if it is near."""
        for line in range(self.line - 1, max(-1, self.line - 1 - _LINES_AWAY), -1):
            start, end = self.reading.line_span(line)
            if self.text[start:end].strip():
                return line
        return None

    def line_below(self) -> int | None:
        """The nearest line below that is not blank, if it is near."""
        line = self.line
        for _ in range(_LINES_AWAY):
            if self.reading.is_last_line(line):
                return None
            line += 1
            start, end = self.reading.line_span(line)
            if self.text[start:end].strip():
                return line
        return None

    def _paragraph_above(self) -> int:
        """Where the two lines above start, blank ones left out, or more lines where these are wrapped."""
        line = self.line_above()
        if line is None:
            return self.line_start
        start = self.reading.line_span(line)[0]
        for further in range(_WRAPPED_LINES):
            if line == 0:
                break
            above, above_end = self.reading.line_span(line - 1)
            length = len(self.text[above:above_end].strip())
            if not length or (further and length < _WRAPPED_CHARS):
                break
            line, start = line - 1, above
        return start

    def is_introduced(self) -> bool:
        """Whether it stands alone and the line above points at it, or breaks off in the middle of a sentence."""
        line = self.line_above() if self.is_alone else None
        if line is None:
            return False
        start, end = self.reading.line_span(line)
        lead = self.text[start:end].rstrip(_OPENING)
        last = self.text[self.reading.sentence_start(max(start, end - 1), start) : end]
        if len(last.split()) < _MIN_LEAD_IN and lead.isascii():
            return False
        if lead.endswith(_POINTING):
            return True
        if lead[-1:] in _ENDS_A_SENTENCE:
            return False
        hits = self.reading.hits_between(max(start, end - _LAST_WORD), end)
        if hits and hits[-1][2] & (Concept.ASK | Concept.LINK_FOR) and hits[-1][1] == start + len(lead):
            return True
        below = self.line_below()
        return below is not None and self.text[self.reading.line_span(below)[0] :][:1].islower()

    def follows_a_sentence(self) -> bool:
        """Whether the line above is the end of a sentence, not the name of what stands below it."""
        line = self.line_above()
        if line is None:
            return False
        start, end = self.reading.line_span(line)
        lead = self.text[start:end].rstrip()
        return lead[-1:] in _ENDS_A_SENTENCE and (len(lead.split()) >= _MIN_LEAD_IN or not lead.isascii())

    def opens_the_mail(self) -> bool:
        """Whether nothing stands above it but a short line that greets: "Hi Ada,"."""
        lead = self.text[: self.line_start].strip()
        return not lead or (len(lead) <= _LONGEST_NAME and "\n" not in lead and lead[-1] in _ENDS_A_GREETING)

    def opens_a_sentence_about_its_use(self, wanted: int = 0) -> bool:
        """Whether its sentence begins with it and goes on with what to do with it ("41906 is what to type")."""
        reading, shape = self.reading, self.shape
        behind = self.text[shape.end : shape.end + 4].lstrip(" *_")[:1]
        if behind not in _GOES_ON and behind < _FIRST_OF_RUNS and not self.is_followed_by_function_word():
            return False
        start = reading.sentence_start(shape.start, self.line_start)
        lead = self.text[start : shape.start].strip(_OPENING) if start < shape.start else ""
        if lead and not (lead[0] in "[【" and lead[-1] in "]】") and any(map(str.isalnum, lead)):
            return False
        ceiling = min(len(self.text), shape.end + _REACH_AFTER)
        end = reading.sentence_end(shape.end, ceiling)
        wanted = wanted or _USES
        if not reading.concepts_between(shape.end, end) & wanted:
            end = reading.sentence_end(end, ceiling)
        return bool(reading.concepts_between(shape.end, end) & wanted)

    def is_called_a_number(self) -> bool:
        """Whether a word like "number" in its sentence is tied to it by a colon or copula, or stands right before it
        where the sentence asks to type it."""
        reading = self.reading
        if not reading.concepts & Concept.NUMBER:
            return False
        start = self.shape.start
        sentence = reading.sentence_start(start, max(self.line_start, start - _LOOK))
        hits = [hit for hit in reading.hits_between(sentence, start) if hit[2] & Concept.NUMBER]
        if not hits or self.is_qualified(hits[-1][1]):
            return False
        return self.is_tied or (start - hits[-1][1] <= 1 and reading.speaks_of(Concept.ASK, sentence, start))

    def is_qualified(self, end: int) -> bool:
        """Whether an unknown word between the `end` of a name and a colon says what it is of: "number of the pass:"."""
        start = self.shape.start
        if not self.is_pointed_at:
            return False
        reading = self.reading
        for word in range(self.shape.first_word - 1, -1, -1):
            at = reading.starts[word]
            if at < end:
                return False
            if start - at > _LOOK or len(reading.words[word]) < _LONG_WORD or not reading.words[word].isalpha():
                continue
            if not reading.hits_between(at, reading.end_of(word)):
                return True
        return False

    def is_used_to_sign_in(self) -> bool:
        """Whether it stands right behind "with" or "with the number" in a sentence about proving who one is, and about
        nothing else."""
        if not (self._is_behind_with() or self._is_before_with()):
            return False
        spoken = self.sentence()
        return bool(spoken & _PROVING) and not spoken & (_PARTICULARS | _ASIDE)

    def _is_behind_with(self) -> bool:
        reading, start, text = self.reading, self.shape.start, self.text
        lead = text[max(self.line_start, start - _LONGEST_ARTICLE) : start].rstrip(_OPENING)
        if lead[-1:] >= _FIRST_OF_UNSPACED:
            return is_means(lead[-1]) or is_means(lead)
        for word in range(self.shape.first_word - 1, max(-1, self.shape.first_word - 1 - _LONGEST_WITH), -1):
            at, end = reading.starts[word], reading.end_of(word)
            if at < self.line_start or not _BARE_GAP.issuperset(text[end:start]):
                return False
            if is_means(fold(reading.words[word])):
                return True
            is_article = end - at <= _LONGEST_ARTICLE and reading.words[word].islower()
            if not is_article and not reading.speaks_of(Concept.NUMBER, at, end):
                return False
            start = at
        return False

    def _is_before_with(self) -> bool:
        """Where "with" follows what it belongs to."""
        behind = self.text[self.shape.end : min(self.line_end, self.shape.end + _LONGEST_NAME)].split(maxsplit=1)
        return bool(behind) and is_means("-" + fold(behind[0]))

    def is_named_after_signing_in(self) -> bool:
        """Whether it ends a line whose few words name a check of who one is: "Sign-in check:"."""
        if not (self.is_pointed_at and self.ends_line) or self.opens_line:
            return False
        lead = self.text[self.line_start : self.shape.start].strip(_OPENING + ":：")
        if len(lead) > _LONGEST_NAME or not names_a_check(fold(lead)):
            return False
        spoken = self.reading.concepts_between(self.line_start, self.shape.start)
        return bool(spoken & _NAMES_A_PROOF) and not spoken & (_PARTICULARS | _ASIDE | Concept.MARK)

    def is_beside_a_word_for_typing(self) -> bool:
        """Right behind "enter", or right before it in languages that put the verb last."""
        if not self.reading.concepts & Concept.ASK:
            return False
        start, end = self.shape.start, self.shape.end
        for _, hit_end, concepts in self.reading.hits_between(max(self.line_start, start - _LONGEST_VERB), start):
            if _tells_to_type(concepts) and _SHORT_WORD.fullmatch(self.text, hit_end, start):
                return True
        return any(
            _tells_to_type(concepts)
            and not self.text[hit_start:hit_end].isascii()
            and (hit_start - end <= _PARTICLE or _PARTICLES.fullmatch(self.text, end, hit_start))
            for hit_start, hit_end, concepts in self.reading.hits_between(end, min(self.line_end, end + 20))
        )

    def is_typed_into_a_field(self) -> bool:
        """Whether a word for typing stands near it in its sentence, which also names a page, screen or box."""
        reading = self.reading
        if not (reading.concepts & Concept.ASK and reading.concepts & Concept.FIELD):
            return False
        start, end = self.shape.start, self.shape.end
        floor = reading.sentence_start(start, max(self.line_start, start - _REACH_BEFORE))
        ceiling = reading.sentence_end(end, min(self.line_end, end + _REACH_AFTER))
        before = reading.hits_between(floor, start)
        if before and before[-1][2] & Concept.FIELD and start - before[-1][1] <= 1:
            # "Page 4821" is none; where a verb stands around both, the number is what is typed on the page.
            behind = reading.hits_between(end, end + _NEAR_VERB)
            if not any(map(_asks, before[:-1])) and not (behind and _asks(behind[0]) and behind[0][0] - end <= _TIGHT):
                return False
        near = [hit for hit in before if hit[1] >= start - _NEAR_VERB] + reading.hits_between(end, end + _NEAR_VERB)
        return any(map(_asks, near)) and bool(reading.concepts_between(floor, ceiling) & Concept.FIELD)

    def is_followed_by_function_word(self) -> bool:
        """Whether the sentence ends behind it, or goes on with "in", "to", "as", not with what it might count."""
        end = self.shape.end
        if not self.text[end : min(self.line_end, end + 2)].strip(" ").isalnum():
            return True
        hits = self.reading.hits_between(end, min(self.line_end, end + 12))
        if not hits:
            return False
        start, _, concepts = hits[0]
        return start - end <= 1 and bool(concepts & (Concept.LINK_FOR | Concept.COPULA))

    def ends_a_statement(self) -> bool:
        """Whether "is" stands right before it and its sentence ends behind it."""
        return self.is_tied and (
            self.ends_line or self.text[self.shape.end : self.shape.end + 2] in _ENDS_OF_STATEMENTS
        )

    def is_said_to_be_a_number(self) -> bool:
        """Whether "is your number" follows."""
        reading, end = self.reading, self.shape.end
        hits = reading.hits_between(end, min(self.line_end, end + _LOOK)) if reading.concepts & Concept.NUMBER else []
        if not hits or hits[0][0] - end > 1 or not hits[0][2] & Concept.COPULA:
            return False
        return bool(hits[-1][2] & Concept.NUMBER)

    def is_said_to_let_in(self) -> bool:
        """Whether it opens its sentence and "gets you in" or the like follows at once."""
        reading, end = self.reading, self.shape.end
        if not reading.concepts & Concept.OCCASION or not self.opens_line:
            return False
        hits = reading.hits_between(end, min(self.line_end, end + _NEAR_VERB))
        return bool(hits) and hits[0][0] - end == 1 and bool(hits[0][2] & Concept.OCCASION)

    def is_asked_for_below(self) -> int:
        """The concepts of its sentence and the next line, if these ask to type; otherwise 0."""
        spoken = self.sentence(further=1)
        below = self.line_below()
        if below is not None:
            start, end = self.reading.line_span(below)
            spoken |= self.reading.concepts_between(start, end)
        return spoken if spoken & Concept.ASK else 0

    def is_on_a_street(self) -> bool:
        start = max(self.line_start, self.shape.start - _STREET_BEFORE)
        end = min(self.line_end, self.shape.end + _STREET_AFTER)
        return self.reading.speaks_of(Concept.STREET, start, end)

    def is_behind_a_word_for_telephones(self) -> bool:
        start = max(self.line_start, self.shape.start - _PHONE_BEFORE)
        return self.reading.speaks_of(Concept.PHONE, start, self.shape.start)

    def is_among_particulars(self, label_end: int, fewest: int) -> bool:
        """Whether its line is a name and a value among such lines about orders, customers or amounts, `fewest` or
        more of the two above and the two below."""
        reading, text = self.reading, self.text
        if (
            not self.ends_line
            or text[label_end : self.shape.start].strip(_OPENING + ":")
            or label_end < self.line_start
        ):
            return False
        kin = 0
        for line in range(max(0, self.line - _ROWS_AROUND), self.line + _ROWS_AROUND + 1):
            if line == self.line or (line > self.line and reading.is_last_line(line - 1)):
                continue
            start, end = reading.line_span(line)
            if start < end <= start + _LONGEST_ROW and _ROW.search(text, start, end):
                kin += reading.speaks_of(_PARTICULARS, start, end) or _LONG_NUMBER.search(text, start, end) is not None
        return kin >= fewest

    def lasts_briefly(self) -> bool:
        """Whether the rest of its line or the line below, which is short, says how many minutes it lasts."""
        reading, end = self.reading, self.shape.end
        if reading.speaks_of(Concept.BRIEF, end, min(self.line_end, end + _LONGEST_ROW)):
            return True
        below = self.line_below() if self.ends_line else None
        if below is None:
            return False
        start, end = reading.line_span(below)
        return end - start <= _LONGEST_ROW and reading.speaks_of(Concept.BRIEF, start, end)

    def is_joined(self, start: int, end: int) -> bool:
        """Whether a colon, dash or copula in a span ties what is on both sides of it together."""
        gap = self.text[start:end]
        if ":" in gap or gap.strip() in ("-", "–", "—", "->", "→", "=", "⇒"):
            return True
        return self.reading.speaks_of(Concept.COPULA, start, end)
