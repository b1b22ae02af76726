"""An explanation in words and in numbers."""

from xai_core.report.agreement import agreement_sentences, pair_sentence
from xai_core.report.command import command
from xai_core.report.doubts import check, doubts
from xai_core.report.facts import facts, place_of
from xai_core.report.hiding import hidden_facts, hidden_sentences, hidden_verdict
from xai_core.report.numbers import amount, percent, quote
from xai_core.report.sentences import evidence, sentences, terms

__all__ = [
    "agreement_sentences", "amount", "check", "command", "doubts", "evidence", "facts",
    "hidden_facts", "hidden_sentences", "hidden_verdict", "pair_sentence", "percent",
    "place_of", "quote", "sentences", "terms",
]  # fmt: skip
