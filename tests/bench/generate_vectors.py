#!/usr/bin/env python3
"""Many vectors made from few real ones, with the covariance and the distances to near neighbours
of the real ones.

A Gaussian of the real mean and covariance has neither near duplicates nor dense places: its rows
are all about equally far from their neighbours. Local noise, along the differences to a row's real
neighbours, spans so few directions that ten rows around one real row lie nearer to each other than
real rows do. So a row is made in two levels: a real row, and noise in all directions,

    mean + sqrt(1 - w²) (real row - mean) + w noise,

scaled to length 1. The noise has the covariance that the first part loses by being shortened, that
of the real rows weighted by w², so that the sum has the real one. How far a row is moved, w, is the
distance of its real row to one of that row's own ten nearest, chosen at random with the nearer ones
preferred, times a factor: rows of dense places stay dense, lonely ones lonely, and the distances
within a family of rows are spread as those around the real row. The factors, one for each eighth of
the real rows by their nearest distance, are fitted until the medians of the distances to the
nearest and to the tenth row come out as the real ones'. What cannot be kept is density further out:
ten times as many rows in the same space have nearer hundredth neighbours. description.json has the
figures of both sets.

    generate_vectors.py --vectors DIR --count 1000000

DIR is a folder of minilm_vectors.py; `base.f32` and `description.json` are written into
DIR/generated-COUNT, in blocks, so that memory holds the real rows only. Queries are the real ones.
"""

import argparse
import json
import pathlib

import numpy

BLOCK = 20_000
NEAR = 10
GROUPS = 8
ROUNDS = 5
MOVED_MAX = 0.95
# Preference of nearer neighbours: the rank is NEAR u^RANK_POWER, u uniform.
RANK_POWER = 2.0
SHOWN = (1, 10, 100)
PERCENTILES = (5, 25, 50, 75, 95)
DIRECTIONS = (1, 10, 50, 100)


def best_cosines(rows, picked, count, own=None):
    """Cosines of the picked vectors to their `count` best of `rows`, largest first. `own`: where
    the picked vectors are in rows themselves, which does not count."""
    best = numpy.full((len(picked), count), -1, numpy.float32)
    for begin in range(0, len(rows), BLOCK):
        scores = picked @ rows[begin:begin + BLOCK].T
        if own is not None:
            inside = numpy.flatnonzero((own >= begin) & (own < begin + scores.shape[1]))
            scores[inside, own[inside] - begin] = -1
        if scores.shape[1] > count:
            scores = -numpy.partition(-scores, count - 1, axis=1)[:, :count]
        both = numpy.concatenate([best, scores], axis=1)
        best = -numpy.partition(-both, count - 1, axis=1)[:, :count]
    return -numpy.sort(-best, axis=1)


def distances(cosines):
    return numpy.sqrt(numpy.maximum(2 - 2 * cosines, 0))


def real_distances(real, cache):
    """Distances of every real row to its NEAR nearest others; computed once."""
    if cache.exists():
        return numpy.load(cache)
    found = numpy.empty((len(real), NEAR), numpy.float32)
    for begin in range(0, len(real), 1000):
        own = numpy.arange(begin, min(begin + 1000, len(real)))
        found[own] = distances(best_cosines(real, numpy.asarray(real[own]), NEAR, own))
    numpy.save(cache, found)
    return found


class Generator:
    """`count` rows around the real ones; the same for the same seed and factors."""

    def __init__(self, real, near, count, seed):
        self.real, self.near, self.count, self.seed = real, near, count, seed
        self.mean = real.mean(axis=0)
        # Rows of a family are as far apart in the file as they can be.
        self.order = numpy.random.default_rng(seed).permutation(len(real))
        edges = numpy.quantile(near[:, 0], numpy.linspace(0, 1, GROUPS + 1)[1:-1])
        self.group_of_real = numpy.searchsorted(edges, near[:, 0])
        self.set_factors(numpy.full(GROUPS, 0.75))

    def moved(self, parents, ranks):
        moved = self.near[parents, ranks] * self.factors[self.group_of_real[parents]]
        return numpy.minimum(moved, MOVED_MAX).astype(numpy.float32)

    def set_factors(self, factors):
        """And the mean and covariance of the noise, which make up for what real rows lose."""
        self.factors = factors
        real = numpy.arange(len(self.real))
        edges = (numpy.arange(NEAR + 1) / NEAR) ** (1 / RANK_POWER)
        lost, kept, taken = (numpy.zeros(len(real), numpy.float32) for _ in range(3))
        for rank, chance in enumerate(numpy.diff(edges)):
            moved = self.moved(real, numpy.full(len(real), rank))
            lost += chance * moved * moved
            kept += chance * numpy.sqrt(1 - moved * moved)
            taken += chance * moved
        centred = self.real - self.mean
        covariance = (centred * lost[:, None]).T @ centred / lost.sum()
        covariance += 1e-7 * numpy.eye(covariance.shape[0])
        self.noise_factor = numpy.linalg.cholesky(covariance).T.astype(numpy.float32)
        self.noise_mean = -(centred * kept[:, None]).mean(axis=0) / taken.mean()

    def parents(self, rows):
        return self.order[rows % len(self.real)]

    def block(self, begin, end):
        chooser = numpy.random.default_rng([self.seed, begin])
        parents = self.parents(numpy.arange(begin, end))
        ranks = (NEAR * chooser.random(end - begin) ** RANK_POWER).astype(int)
        moved = self.moved(parents, ranks)[:, None]
        noise = chooser.standard_normal((end - begin, self.real.shape[1]), numpy.float32)
        rows = self.mean + (self.real[parents] - self.mean) * numpy.sqrt(1 - moved * moved)
        rows += (noise @ self.noise_factor + self.noise_mean) * moved
        return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)

    def write(self, path):
        with open(path, "wb") as file:
            for begin in range(0, self.count, BLOCK):
                block = self.block(begin, min(begin + BLOCK, self.count))
                file.write(block.astype(numpy.float32).tobytes())

    def fit(self, path, sample):
        """Writes the file again and again, with better factors each time."""
        chooser = numpy.random.default_rng(self.seed + 1)
        real_group = [self.near[self.group_of_real == group] for group in range(GROUPS)]
        for number in range(ROUNDS):
            self.write(path)
            if number + 1 == ROUNDS:
                break
            rows = mapped(path, self.real.shape[1])
            picked = numpy.sort(chooser.choice(self.count, min(sample, self.count), replace=False))
            found = distances(best_cosines(rows, numpy.asarray(rows[picked]), NEAR, picked))
            group_of = self.group_of_real[self.parents(picked)]
            factors = self.factors.copy()
            for group in range(GROUPS):
                have, wanted = found[group_of == group], real_group[group]
                if not len(have) or not len(wanted):
                    continue
                ratios = [numpy.median(wanted[:, at]) / max(numpy.median(have[:, at]), 1e-3)
                          for at in (0, NEAR - 1)]
                factors[group] *= numpy.sqrt(ratios[0] * ratios[1])
            self.set_factors(numpy.clip(factors, 0.05, 2))
            print(f"round {number + 1}: factors {self.factors.round(3).tolist()}", flush=True)


def mapped(path, dimensions):
    """The rows of a file, which stay on disk."""
    return numpy.memmap(path, numpy.float32, "r").reshape(-1, dimensions)


def described(rows, queries, sample, seed):
    """What the two sets are compared by."""
    chooser = numpy.random.default_rng(seed)
    picked = numpy.sort(chooser.choice(len(rows), min(sample, len(rows)), replace=False))
    covered = numpy.asarray(rows[::max(1, len(rows) // 50_000)])
    spectrum = numpy.linalg.eigvalsh(numpy.cov(covered.T))[::-1]
    out = {"rows": len(rows), "variance": round(float(spectrum.sum()), 4),
           "length of the mean": round(float(numpy.linalg.norm(covered.mean(axis=0))), 4)}
    for count in DIRECTIONS:
        share = float(spectrum[:count].sum() / spectrum.sum())
        out[f"variance in {count} directions"] = round(share, 4)
    last = min(SHOWN[-1], len(rows) - 1)
    of_rows = best_cosines(rows, numpy.asarray(rows[picked]), last, picked)
    of_queries = best_cosines(rows, queries[:sample], last)
    for who, cosines in (("row", of_rows), ("query", of_queries)):
        for at in SHOWN:
            if at <= last:
                out[f"cosine of a {who} to neighbour {at}"] = [
                    round(float(v), 3) for v in numpy.percentile(cosines[:, at - 1], PERCENTILES)]
    return out


def covariance_difference(real, made):
    """How far the covariances are apart, as a share of the real one (Frobenius norm)."""
    first, second = (numpy.cov(numpy.asarray(rows[::max(1, len(rows) // 50_000)]).T)
                     for rows in (real, made))
    return float(numpy.linalg.norm(first - second) / numpy.linalg.norm(first))


def print_comparison(description):
    print(f"| percentiles {', '.join(map(str, PERCENTILES))} | real | generated |\n|---|---|---|")
    for name, value in description["real"].items():
        print(f"| {name} | {value} | {description['generated'].get(name, '–')} |")
    print(f"| difference of the covariances | | {description['covariance difference']:.4f} |",
          flush=True)


def generate(folder, count, seed=20260101, sample=1000):
    """The file of `count` generated rows, made unless it is there, and its description."""
    folder = pathlib.Path(folder)
    dimensions = json.loads((folder / "vectors.json").read_text())["dimensions"]
    out = folder / f"generated-{count}"
    out.mkdir(exist_ok=True)
    if not (out / "description.json").exists():
        real = numpy.fromfile(folder / "base.f32", numpy.float32).reshape(-1, dimensions)
        queries = numpy.fromfile(folder / "queries.f32", numpy.float32).reshape(-1, dimensions)
        near = real_distances(real, folder / "near10.npy")
        generator = Generator(real, near, count, seed)
        generator.fit(out / "base.f32", 2 * sample)
        made = mapped(out / "base.f32", dimensions)
        description = {"seed": seed, "factors": generator.factors.round(4).tolist(),
                       "covariance difference": covariance_difference(real, made),
                       "real": described(real, queries, sample, seed),
                       "generated": described(made, queries, sample, seed)}
        (out / "description.json").write_text(json.dumps(description, indent=1))
    return out / "base.f32", json.loads((out / "description.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", required=True, help="folder of minilm_vectors.py")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--sample", type=int, default=1000, help="rows that are looked at")
    args = parser.parse_args()
    _, description = generate(args.vectors, args.count, args.seed, args.sample)
    print_comparison(description)


if __name__ == "__main__":
    main()
