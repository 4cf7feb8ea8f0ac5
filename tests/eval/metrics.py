"""Measures of retrieval and of answers, and what is needed to compare two systems.

Standard library only, so that the numbers can be worked out anywhere. Every random choice takes a
seed.
"""

import math
import random
import re
import string
import unicodedata

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = set(string.punctuation)
_CITATION = re.compile(r"\s*\[\d+\]")


def dcg(gains):
    """Discounted cumulative gain of gains in rank order, linear as in trec_eval."""
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


def ndcg(ranked_ids, relevance, k=10):
    """nDCG of a ranking: `relevance` maps an id to its grade; grades below 1 count nothing."""
    ideal = dcg(sorted((max(grade, 0) for grade in relevance.values()), reverse=True)[:k])
    if ideal == 0:
        return 0.0
    seen = set()
    gains = []
    for item in ranked_ids[:k]:
        # An id that comes twice earns its grade once.
        gains.append(0 if item in seen else max(relevance.get(item, 0), 0))
        seen.add(item)
    return dcg(gains) / ideal


def hit_at(ranked_ids, relevant_ids, k):
    """1.0 if one of the first `k` ids is relevant, else 0.0."""
    relevant = set(relevant_ids)
    return 1.0 if any(item in relevant for item in ranked_ids[:k]) else 0.0


def reciprocal_rank(ranked_ids, relevant_ids, k=10):
    """1 / rank of the first relevant id among the first `k`, or 0.0."""
    relevant = set(relevant_ids)
    for rank, item in enumerate(ranked_ids[:k]):
        if item in relevant:
            return 1.0 / (rank + 1)
    return 0.0


def squad_normalise(text):
    """Lower case, no ASCII punctuation, no English articles, single spaces: SQuAD's rule."""
    text = "".join(c for c in text.lower() if c not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def exact_match(prediction, references):
    """1.0 if the prediction equals a reference after normalising."""
    normal = squad_normalise(prediction)
    return 1.0 if any(normal == squad_normalise(r) for r in references) else 0.0


def token_f1(prediction, references):
    """Highest F1 of word overlap between the prediction and a reference."""
    return max((_f1(prediction, reference) for reference in references), default=0.0)


def _f1(prediction, reference):
    predicted = squad_normalise(prediction).split()
    expected = squad_normalise(reference).split()
    if not predicted or not expected:
        return float(predicted == expected)
    left = {}
    for word in expected:
        left[word] = left.get(word, 0) + 1
    common = 0
    for word in predicted:
        if left.get(word, 0) > 0:
            left[word] -= 1
            common += 1
    if common == 0:
        return 0.0
    precision = common / len(predicted)
    recall = common / len(expected)
    return 2 * precision * recall / (precision + recall)


def strip_citations(text):
    """Takes "[1]" and the like out of an answer, which would match numbers otherwise."""
    return _CITATION.sub("", text)


def containment_tokens(text):
    """Words and numbers of a text for matching: a number keeps its value, "1,500" being "1500"."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    # A number keeps its decimals; a point elsewhere ends a word. Letters part from digits, so that
    # "10%" and "10 percent" both hold "10".
    return re.findall(r"\d+(?:\.\d+)*|[^\W\d_]+", text)


def contains_answer(prediction, references):
    """1.0 if a reference is in the prediction as a run of whole words and numbers."""
    words = containment_tokens(strip_citations(prediction))
    for reference in references:
        wanted = containment_tokens(reference)
        if wanted and any(words[i:i + len(wanted)] == wanted
                          for i in range(len(words) - len(wanted) + 1)):
            return 1.0
    return 0.0


def mean(values):
    """Arithmetic mean; 0.0 of nothing."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0


def percentile(sorted_values, fraction):
    """Value at a fraction of a sorted list, interpolated; 0.0 of nothing."""
    if not sorted_values:
        return 0.0
    place = fraction * (len(sorted_values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(sorted_values) - 1)
    return sorted_values[low] + (sorted_values[high] - sorted_values[low]) * (place - low)


def bootstrap_interval(values, seed=0, resamples=1000, confidence=0.95):
    """Percentile bootstrap interval (low, high) of the mean."""
    values = list(values)
    if not values:
        return (0.0, 0.0)
    rng = random.Random(seed)
    n = len(values)
    means = sorted(sum(rng.choices(values, k=n)) / n for _ in range(resamples))
    tail = (1 - confidence) / 2
    return (percentile(means, tail), percentile(means, 1 - tail))


def paired_difference(before, after, seed=0, resamples=2000):
    """Compares two lists of scores of the same items.

    Returns the mean difference (after - before), its 95 % bootstrap interval, and the two-sided p
    of a permutation test that flips the sign of each difference.
    """
    if len(before) != len(after):
        raise ValueError(f"{len(before)} scores cannot be paired with {len(after)}")
    differences = [b - a for a, b in zip(before, after)]
    low, high = bootstrap_interval(differences, seed, resamples)
    return {"n": len(differences), "difference": mean(differences), "low": low, "high": high,
            "p": sign_flip_p(differences, seed, resamples)}


def sign_flip_p(differences, seed=0, permutations=2000):
    """Two-sided p of the hypothesis that the differences are symmetric around 0.

    Exact, over all sign patterns, for up to 12 differences that are not 0; drawn at random beyond.
    """
    changed = [d for d in differences if d != 0]
    observed = abs(sum(changed)) - 1e-12
    if not changed:
        return 1.0
    if len(changed) <= 12:
        patterns = 1 << len(changed)
        extreme = sum(
            abs(sum(-d if bits >> i & 1 else d for i, d in enumerate(changed))) >= observed
            for bits in range(patterns))
        return extreme / patterns
    rng = random.Random(seed)
    extreme = 0
    for _ in range(permutations):
        bits = rng.getrandbits(len(changed))
        extreme += abs(sum(-d if bits >> i & 1 else d for i, d in enumerate(changed))) >= observed
    # The observed order counts as one of the permutations, so that p is never 0.
    return (extreme + 1) / (permutations + 1)
