import collections
import contextlib
import io
import unittest

import fusion_check

Passage = collections.namedtuple("Passage", "chunk vector_score keyword_score")


def judged(vector, keyword, reciprocal, hybrid, name="nq-gold"):
    """What judge() finds wrong with 40 questions of these scores, one of them reversed."""
    def item(v, k, r, h):
        return {"scores": {"vector": v, "keyword": k, "reciprocal": r, "hybrid": h}}

    items = [item(vector, keyword, reciprocal, hybrid)] * 39 + [
        item(hybrid, keyword, hybrid, vector)]
    with contextlib.redirect_stdout(io.StringIO()):
        return fusion_check.judge({name: items}, seed=1)


class FusionCheckTest(unittest.TestCase):
    def test_reciprocal_ranks_add_up_over_the_lists(self):
        # 2: 1/62 + 1/61; 1: 1/61; 3: 1/62.
        self.assertEqual(fusion_check.reciprocal_ranks([[1, 2], [2, 3]]), [2, 1, 3])

    def test_outstanding_is_zero_in_effect_for_equal_scores(self):
        self.assertEqual(fusion_check.outstanding([3, 3, 3], 3), 0.01)
        self.assertAlmostEqual(fusion_check.outstanding([4, 1, 1, 9], 3), 0.5)
        self.assertEqual(fusion_check.outstanding([], 20), 0.01)

    def test_a_short_keyword_list_is_filled_with_zeros(self):
        self.assertAlmostEqual(fusion_check.outstanding([5], 20), 0.95)

    def test_the_rule_weighs_by_what_stands_out(self):
        passages = [Passage(1, 0.8, 3.0), Passage(2, 0.2, 6.0), Passage(3, 0.5, 0.0)]
        halves = {"vector": [0.8, 0.5, 0.2], "keyword": [6.0, 3.0]}
        order = [p.chunk for p in fusion_check.fuse(passages, halves, (0.5, 3))]
        self.assertEqual(order, [1, 2, 3])
        order = [p.chunk for p in fusion_check.fuse(passages, halves, (5.0, 3))]
        self.assertEqual(order, [2, 1, 3])

    def test_no_words_leave_the_order_to_vectors(self):
        passages = [Passage(1, 0.2, 0), Passage(2, 0.9, 0)]
        halves = {"vector": [0.9, 0.2], "keyword": []}
        self.assertEqual([p.chunk for p in fusion_check.fuse(passages, halves, (0.5, 20))], [2, 1])

    def test_hybrid_below_its_better_half_is_wrong(self):
        self.assertIn("better half, vector", judged(0.9, 0.5, 0.6, 0.7)[0])

    def test_hybrid_above_both_is_right(self):
        self.assertEqual(judged(0.7, 0.5, 0.6, 0.9), [])

    def test_hybrid_must_beat_reciprocal_ranks_where_those_lose(self):
        self.assertEqual(judged(0.7, 0.5, 0.95, 0.9), ["nq-gold: hybrid is not above reciprocal "
                                                      "ranks"])
        self.assertEqual(judged(0.7, 0.5, 0.95, 0.9, name="cranfield"), [])


if __name__ == "__main__":
    unittest.main()
