"""Where in a text a candidate stands: its line, what is beside it on the line, and the words within reach."""

from tempmail.domain.codes_shapes import Shape
from tempmail.domain.codes_text import Reading
from tempmail.domain.lexicon.table import Concept

_OPENING = " \t*_`\"'“”«[(【「<"
_POINTING = (":", "=", "->", "→", ">", "⇒")
_LOOK = 80
_PARTICLE = 5
_REACH_BEFORE, _REACH_AFTER, _REACH_ABOVE = 160, 100, 300
_STREET_BEFORE, _STREET_AFTER, _PHONE_BEFORE = 45, 30, 30


class Place:
    """A shape in its surroundings.

    `is_alone`: no letter or digit beside it on its line. `opens_line`, `ends_line`: none before, none after.
    `is_pointed_at`: a colon or arrow right before it. `is_set_apart`: alone, or last on its line and pointed at.
    `reach`: the concepts in its sentence, and on the lines around it if it stands alone.
    """

    __slots__ = (
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
        self.is_pointed_at = before.rstrip(_OPENING).endswith(_POINTING)
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
        reading, shape = self.reading, self.shape
        start = reading.sentence_start(shape.start, max(self.line_start, shape.start - _REACH_BEFORE))
        end = reading.sentence_end(shape.end, min(self.line_end, shape.end + _REACH_AFTER))
        if self.opens_line or start == self.line_start:
            start = max(reading.line_span(max(0, self.line - 2))[0], shape.start - _REACH_ABOVE)
        if self.is_alone and not reading.is_last_line(self.line):
            below, below_end = reading.line_span(self.line + 1)
            end = reading.sentence_end(below, min(below_end, below + _REACH_AFTER))
        return reading.concepts_between(start, end)

    def is_beside_a_word_for_typing(self) -> bool:
        """Right behind "enter", or right before it in languages that put the verb last."""
        if not self.reading.concepts & Concept.ASK:
            return False
        start, end = self.shape.start, self.shape.end
        for _, hit_end, concepts in self.reading.hits_between(max(self.line_start, start - 16), start):
            if concepts & Concept.ASK and not self.text[hit_end:start].strip(" :\"'“«"):
                return True
        return any(
            concepts & Concept.ASK and not self.text[hit_start:hit_end].isascii() and hit_start - end <= _PARTICLE
            for hit_start, hit_end, concepts in self.reading.hits_between(end, min(self.line_end, end + 16))
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
