"""Suite `retrieval`: how well Search finds the right passage, beside plain BM25."""

import concurrent.futures
import random
import sys
import time

import client as client_module
import datasets
import metrics

# More passages than are scored, because several may be of one document.
SEARCH_TOP_K = 50


def add_corpus(client, collection, corpus, threads=16):
    """Adds the passages that are not there yet as text documents named `<id>.txt`."""
    present = {document.path for document in client.documents(collection)}
    missing = [(key, text) for key, text in corpus.items() if f"{key}.txt" not in present]
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(client.add, collection, f"{key}.txt", text.encode(), "text/plain")
                for key, text in missing]
        for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            job.result()
            if done % 500 == 0 or done == len(jobs):
                print(f"{collection}: {done} of {len(jobs)} passages added, "
                      f"{done / (time.monotonic() - begin):.0f}/s", file=sys.stderr)


def distinct_ids(passages):
    """Document names without ".txt", in rank order, each once."""
    return list(dict.fromkeys(p.path.removesuffix(".txt") for p in passages))


def scores_of(ranked, relevance):
    relevant = [key for key, grade in relevance.items() if grade > 0]
    return {"ndcg@10": metrics.ndcg(ranked, relevance),
            "hit@1": metrics.hit_at(ranked, relevant, 1),
            "hit@5": metrics.hit_at(ranked, relevant, 5),
            "hit@10": metrics.hit_at(ranked, relevant, 10)}


def sample(keys, limit, seed):
    """At most `limit` of the keys, drawn with the seed, in their own order; 0 means all."""
    keys = list(keys)
    if not limit or limit >= len(keys):
        return keys
    chosen = set(random.Random(seed).sample(keys, limit))
    return [key for key in keys if key in chosen]


def run(env):
    """Fills one results file per mode, and one for the rival; the item id is set/query."""
    loaders = datasets.retrieval_sets(env.eval_dir)
    names = env.sets or list(loaders)
    unknown = [name for name in names if name not in loaders]
    if unknown:
        sys.exit(f"unknown set {unknown[0]}; there are {', '.join(loaders)}")
    rival = env.results("retrieval", {"system": "bm25 k1=1.2 b=0.75"}, of_build=False)
    ours = {mode: env.results("retrieval", {"mode": mode, "top_k": SEARCH_TOP_K})
            for mode in env.modes}
    for name in names:
        data = loaders[name]()
        keys = sample(data.queries, env.limit, env.seed)
        _run_rival(rival, data, keys)
        if any(result.get(f"{name}/{key}") is None for result in ours.values() for key in keys):
            client = env.client()
            add_corpus(client, f"eval-{name}", data.corpus)
            for mode, result in ours.items():
                _run_mode(client, result, data, keys, mode)
    env.report([("bm25", rival), *ours.items()],
               lambda item: item.split("/")[0] in names)


def _run_rival(result, data, keys):
    keys = [key for key in keys if result.get(f"{data.name}/{key}") is None]
    index = datasets.Bm25(data.corpus) if keys else None
    for key in keys:
        ranked = index.search(data.queries[key])
        result.put(f"{data.name}/{key}", data.name, scores_of(ranked, data.relevance[key]))


def _run_mode(client, result, data, keys, mode):
    keys = [key for key in keys if result.get(f"{data.name}/{key}") is None]

    def one(key):
        begin = time.monotonic()
        try:
            response = client.search(f"eval-{data.name}", data.queries[key], SEARCH_TOP_K, mode)
        except client_module.RagstoneError as error:
            if error.code != "INVALID_ARGUMENT":
                raise
            # A query that is refused, being too long for instance, found nothing.
            result.put(f"{data.name}/{key}", data.name, scores_of([], data.relevance[key]),
                       error=str(error))
            return
        milliseconds = (time.monotonic() - begin) * 1000
        ranked = distinct_ids(response.passages)[:10]
        result.put(f"{data.name}/{key}", data.name, scores_of(ranked, data.relevance[key]),
                   ms=round(milliseconds, 2), ranked=ranked)

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done, _ in enumerate(pool.map(one, keys), 1):
            if done % 1000 == 0 or done == len(keys):
                print(f"{data.name} {mode}: {done} of {len(keys)} queries, "
                      f"{done / (time.monotonic() - begin):.0f}/s", file=sys.stderr)
