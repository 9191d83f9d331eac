"""Where in a text a candidate stands: its line, what is beside it on the line, and the words within reach."""

import re
from typing import Final

from tempmail.domain.codes_shapes import Shape
from tempmail.domain.codes_text import Reading
from tempmail.domain.lexicon.table import Concept

_OPENING = " \t*_`\"'“”«[(【「<"
_POINTING = (":", "=", "->", "→", ">", "⇒", "...", "…")
# What divides the columns of a table in plain text.
_NEXT_COLUMN = "   "
_LOOK = 80
_PARTICLE = 5
# Where the verb comes last, a place may stand before it: "482913 를 로그인 화면에 입력".
_PARTICLES = re.compile(r"[ ”\"'»」]{0,2}[\u3040-\u30ff\u1100-\u11ff\uac00-\ud7af][^\n.,。、，0-9]{0,14}")
_REACH_BEFORE, _REACH_AFTER, _REACH_ABOVE = 160, 100, 300
_STREET_BEFORE, _STREET_AFTER, _PHONE_BEFORE = 45, 30, 30
_LINES_AWAY = 3
_WRAPPED_CHARS, _WRAPPED_LINES = 50, 3
_MIN_LEAD_IN = 3
_LAST_WORD = 16
# From here on, letters of languages whose particles follow the number at once.
_FIRST_OF_RUNS = "\u1100"
_GOES_ON = frozenset("-–—:=\n")
_ENDS_A_SENTENCE = frozenset(".!?。！？।؟۔")
_USES: Final = Concept.ASK | Concept.AUTH | Concept.CONFIRM | Concept.VERIFY | Concept.LOGIN


def _tells_to_type(concepts: int) -> bool:
    """Whether a word tells to type something: not "dial", which tells to call."""
    return bool(concepts & Concept.ASK) and not concepts & Concept.PHONE


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
        self.opens_line = not before or not any(map(str.isalnum, before))
        self.ends_line = end == line_end or not any(map(str.isalnum, text[end : min(line_end, end + _LOOK)]))
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
        if not hits:
            return False
        return self.is_tied or (start - hits[-1][1] <= 1 and reading.speaks_of(Concept.ASK, sentence, start))

    def is_beside_a_word_for_typing(self) -> bool:
        """Right behind "enter", or right before it in languages that put the verb last."""
        if not self.reading.concepts & Concept.ASK:
            return False
        start, end = self.shape.start, self.shape.end
        for _, hit_end, concepts in self.reading.hits_between(max(self.line_start, start - 16), start):
            if _tells_to_type(concepts) and not self.text[hit_end:start].strip(" :\"'“«"):
                return True
        return any(
            _tells_to_type(concepts)
            and not self.text[hit_start:hit_end].isascii()
            and (hit_start - end <= _PARTICLE or _PARTICLES.fullmatch(self.text, end, hit_start))
            for hit_start, hit_end, concepts in self.reading.hits_between(end, min(self.line_end, end + 20))
        )

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

    def is_on_a_street(self) -> bool:
        start = max(self.line_start, self.shape.start - _STREET_BEFORE)
        end = min(self.line_end, self.shape.end + _STREET_AFTER)
        return self.reading.speaks_of(Concept.STREET, start, end)

    def is_behind_a_word_for_telephones(self) -> bool:
        start = max(self.line_start, self.shape.start - _PHONE_BEFORE)
        return self.reading.speaks_of(Concept.PHONE, start, self.shape.start)

    def is_joined(self, start: int, end: int) -> bool:
        """Whether a colon, dash or copula in a span ties what is on both sides of it together."""
        gap = self.text[start:end]
        if ":" in gap or gap.strip() in ("-", "–", "—", "->", "→", "=", "⇒"):
            return True
        return self.reading.speaks_of(Concept.COPULA, start, end)
