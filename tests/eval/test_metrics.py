"""Tests of metrics.py against values worked out by hand."""

import math
import unittest

import metrics


class RetrievalTest(unittest.TestCase):
    def test_ndcg_of_the_ideal_order_is_one(self):
        self.assertAlmostEqual(metrics.ndcg(["a", "b"], {"a": 3, "b": 1}), 1.0)

    def test_ndcg_of_a_single_relevant_item_depends_on_its_rank(self):
        self.assertAlmostEqual(metrics.ndcg(["x", "a"], {"a": 1}), 1 / math.log2(3))
        self.assertAlmostEqual(metrics.ndcg(["x", "y", "a"], {"a": 1}), 0.5)

    def test_ndcg_uses_linear_gains(self):
        # DCG 1 + 3 / log2(3); ideal 3 + 1 / log2(3).
        expected = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
        self.assertAlmostEqual(metrics.ndcg(["b", "a"], {"a": 3, "b": 1}), expected)

    def test_ndcg_counts_a_repeated_id_once(self):
        self.assertAlmostEqual(metrics.ndcg(["a", "a"], {"a": 1, "b": 1}),
                               1 / (1 + 1 / math.log2(3)))

    def test_ndcg_ignores_what_is_below_k_and_grades_of_zero(self):
        self.assertEqual(metrics.ndcg(["x", "a"], {"a": 1}, k=1), 0.0)
        self.assertEqual(metrics.ndcg(["z"], {"z": 0, "y": -1}), 0.0)

    def test_ideal_is_cut_at_k(self):
        self.assertAlmostEqual(metrics.ndcg(["a"], {"a": 1, "b": 1}, k=1), 1.0)

    def test_hits_are_counted_up_to_k(self):
        self.assertEqual(metrics.hit_at(["x", "y", "a"], ["a"], 2), 0.0)
        self.assertEqual(metrics.hit_at(["x", "y", "a"], ["a"], 3), 1.0)
        self.assertEqual(metrics.hit_at([], ["a"], 3), 0.0)

    def test_reciprocal_rank_is_that_of_the_first_relevant_id(self):
        self.assertAlmostEqual(metrics.reciprocal_rank(["x", "a", "b"], ["a", "b"]), 0.5)
        self.assertEqual(metrics.reciprocal_rank(["x"], ["a"]), 0.0)


class AnswerTest(unittest.TestCase):
    def test_normalising_drops_case_punctuation_articles_and_spaces(self):
        self.assertEqual(metrics.squad_normalise("  The  Cat's, an Apple!"), "cats apple")

    def test_exact_match_takes_any_reference(self):
        self.assertEqual(metrics.exact_match("The Panthers.", ["Bears", "panthers"]), 1.0)
        self.assertEqual(metrics.exact_match("Carolina Panthers", ["panthers"]), 0.0)

    def test_f1_is_the_harmonic_mean_of_word_precision_and_recall(self):
        # Two of three predicted words, two of four expected ones: P 2/3, R 1/2, F1 4/7.
        self.assertAlmostEqual(metrics.token_f1("red green blue", ["red green grey white"]), 4 / 7)

    def test_f1_counts_each_expected_word_once(self):
        # P 1/2, R 1: 2/3.
        self.assertAlmostEqual(metrics.token_f1("red red", ["red"]), 2 / 3)

    def test_f1_of_nothing(self):
        self.assertEqual(metrics.token_f1("", ["red"]), 0.0)
        self.assertEqual(metrics.token_f1("the", ["a"]), 1.0)
        self.assertEqual(metrics.token_f1("red", []), 0.0)

    def test_f1_takes_the_best_reference(self):
        self.assertAlmostEqual(metrics.token_f1("red green", ["blue", "red green"]), 1.0)

    def test_containment_needs_whole_words_in_order(self):
        self.assertEqual(metrics.contains_answer("It is about 1,500 feet long [1].", ["1500"]), 1.0)
        self.assertEqual(metrics.contains_answer("It is 15001 feet long.", ["1500"]), 0.0)
        self.assertEqual(metrics.contains_answer("long tree", ["tree long"]), 0.0)
        self.assertEqual(metrics.contains_answer("50% of them", ["50 percent", "50%"]), 1.0)

    def test_containment_never_matches_a_citation_number(self):
        self.assertEqual(metrics.contains_answer("Nothing is known [10].", ["10"]), 0.0)

    def test_containment_of_signs_and_decimals(self):
        self.assertEqual(metrics.contains_answer("IO-540-S1-A5 engine", ["IO-540-S1-A5"]), 1.0)
        self.assertEqual(metrics.contains_answer("It was 30.27 inches.", ["30.2"]), 0.0)
        self.assertEqual(metrics.contains_answer("It was 30.27.", ["30.27"]), 1.0)


class StatisticsTest(unittest.TestCase):
    def test_percentile_interpolates(self):
        self.assertAlmostEqual(metrics.percentile([1.0, 2.0, 4.0], 0.75), 3.0)
        self.assertEqual(metrics.percentile([], 0.5), 0.0)

    def test_interval_of_equal_values_is_that_value(self):
        self.assertEqual(metrics.bootstrap_interval([0.5] * 20, seed=1), (0.5, 0.5))

    def test_interval_of_a_fair_coin_is_near_the_normal_one(self):
        # 1.96 * 0.5 / sqrt(400) = 0.049 on either side of 0.5.
        low, high = metrics.bootstrap_interval([0, 1] * 200, seed=7)
        self.assertAlmostEqual(low, 0.451, delta=0.01)
        self.assertAlmostEqual(high, 0.549, delta=0.01)

    def test_same_seed_gives_the_same_interval(self):
        values = [0.1, 0.4, 0.9, 0.3]
        self.assertEqual(metrics.bootstrap_interval(values, seed=3),
                         metrics.bootstrap_interval(values, seed=3))

    def test_exact_permutation_p_of_three_equal_gains(self):
        # Of 8 sign patterns only +++ and --- are as far from 0: p = 2/8.
        self.assertAlmostEqual(metrics.sign_flip_p([1, 1, 1]), 0.25)

    def test_p_of_no_difference_is_one(self):
        self.assertEqual(metrics.sign_flip_p([0, 0]), 1.0)
        self.assertEqual(metrics.sign_flip_p([1, -1]), 1.0)

    def test_p_of_many_equal_gains_is_as_small_as_permutations_allow(self):
        self.assertAlmostEqual(metrics.sign_flip_p([1] * 100, seed=5, permutations=999), 0.001)

    def test_paired_difference_gives_mean_interval_and_count(self):
        result = metrics.paired_difference([0, 0, 0, 1], [1, 1, 1, 1], seed=2)
        self.assertEqual(result["n"], 4)
        self.assertAlmostEqual(result["difference"], 0.75)
        self.assertLessEqual(result["low"], 0.75)
        self.assertGreaterEqual(result["high"], 0.75)
        self.assertAlmostEqual(result["p"], 0.25)

    def test_lists_of_different_length_cannot_be_paired(self):
        with self.assertRaises(ValueError):
            metrics.paired_difference([1], [1, 2])


if __name__ == "__main__":
    unittest.main()
