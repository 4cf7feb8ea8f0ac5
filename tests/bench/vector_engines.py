"""The engines of vector_bench.py: each builds a graph of Data's rows and answers its queries in one
batch call of one thread. build() and search() return Spent: seconds on the clock and of the
processor; `bytes` is what the engine says it keeps for a row, `resident` what its process grew by.
"""

import dataclasses
import pathlib
import subprocess
import time

import numpy

K = 10


@dataclasses.dataclass
class Spent:
    wall: float
    cpu: float


class Watch:
    def __init__(self):
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def spent(self):
        return Spent(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def own_memory(pid="self"):
    """Bytes of memory that a process does not share with files."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


class Ours:
    """Storage fp32: int8 codes are walked, the best are ranked by their fp32 vectors."""

    rival = False

    def __init__(self, args, storage):
        self.name = f"ours {storage}"
        self._storage = storage
        self._rescore = args.rescore
        self._out = pathlib.Path(args.work) / "hits.i64"
        self._program = args.bench
        self._process = None

    def _ask(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = dict(word.split("=", 1) for word in self._process.stdout.readline().split())
        if not answer or "error" in answer:
            raise RuntimeError(f"vector_bench did not do this: {line}")
        return answer

    def build(self, data, links, ef, threads):
        self._data = data
        self._process = subprocess.Popen([self._program], stdin=subprocess.PIPE, text=True,
                                         stdout=subprocess.PIPE)
        self._ask(f"load {data.base_path} {data.base.shape[1]}")
        before = own_memory(self._process.pid)
        answer = self._ask(f"build {links} {ef} {threads} {self._storage}")
        self.bytes = float(answer["bytes"])
        self.resident = (own_memory(self._process.pid) - before) / len(data.base)
        return Spent(float(answer["wall"]), float(answer["cpu"]))

    def search(self, ef):
        answer = self._ask(f"search {self._data.queries_path} {K} {ef} {self._rescore} {self._out}")
        found = numpy.fromfile(self._out, numpy.int64).reshape(-1, K)
        return found, Spent(float(answer["wall"]), float(answer["cpu"]))

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class Rival:
    """One that is a Python package, in this process."""

    rival = True

    def build(self, data, links, ef, threads):
        self._data = data
        before = own_memory()
        watch = Watch()
        self._build(data.base, links, ef, threads)
        spent = watch.spent()
        self.resident = (own_memory() - before) / len(data.base)
        self.bytes = self._size() / len(data.base)
        return spent

    def search(self, ef):
        self._set(ef)
        watch = Watch()
        found = self._search(self._data.queries)
        return found, watch.spent()

    def close(self):
        self._index = None


class Hnswlib(Rival):
    name = "hnswlib fp32"

    def _build(self, base, links, ef, threads):
        import hnswlib
        self._index = hnswlib.Index("ip", base.shape[1])
        self._index.init_index(len(base), M=links, ef_construction=ef)
        self._index.add_items(base, num_threads=threads)

    def _size(self):
        return self._index.index_file_size()

    def _set(self, ef):
        self._index.set_ef(ef)

    def _search(self, queries):
        return self._index.knn_query(queries, K, num_threads=1)[0].astype(numpy.int64)


class Usearch(Rival):
    def __init__(self, kind):
        self.name = f"usearch {kind}"
        self._kind = kind

    def _build(self, base, links, ef, threads):
        from usearch.index import Index
        self._index = Index(ndim=base.shape[1], metric="cos", dtype=self._kind, connectivity=links,
                            expansion_add=ef)
        self._index.add(numpy.arange(len(base)), base, threads=threads)

    def _size(self):
        return self._index.memory_usage

    def _set(self, ef):
        self._index.expansion_search = ef

    def _search(self, queries):
        return self._index.search(queries, K, threads=1).keys.astype(numpy.int64)


class Faiss(Rival):
    """`kind`: fp32; sq8; or sq8+fp32, whose best 4 k are ranked by fp32 vectors."""

    def __init__(self, kind):
        self.name = f"faiss {kind}"
        self._kind = kind

    def _build(self, base, links, ef, threads):
        import faiss
        faiss.omp_set_num_threads(threads)
        if self._kind == "fp32":
            graph = faiss.IndexHNSWFlat(base.shape[1], links, faiss.METRIC_INNER_PRODUCT)
        else:
            graph = faiss.IndexHNSWSQ(base.shape[1], faiss.ScalarQuantizer.QT_8bit, links,
                                      faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = ef
        self._index = self._graph = graph
        if "+" in self._kind:
            self._index = faiss.IndexRefineFlat(graph)
            self._index.k_factor = 4
        self._index.train(base)
        self._index.add(base)

    def _size(self):
        import faiss
        # Counted as it is written: a copy in memory could be too much.
        total = 0

        def count(block):
            nonlocal total
            total += len(block)

        faiss.write_index(self._index, faiss.PyCallbackIOWriter(count))
        return total

    def _set(self, ef):
        import faiss
        faiss.omp_set_num_threads(1)
        self._graph.hnsw.efSearch = ef

    def _search(self, queries):
        return self._index.search(queries, K)[1]

    def close(self):
        self._index = self._graph = None


def rivals():
    return [Hnswlib(), Usearch("f32"), Usearch("i8"), Faiss("fp32"), Faiss("sq8"),
            Faiss("sq8+fp32")]
