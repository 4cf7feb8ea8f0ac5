#!/usr/bin/env python3
"""Tests of the checks themselves: each must find what it is for in a small tree made for it, and
must leave what is right alone."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from checks import binaries, docs, includes, kernels, mirror, protos, sizes, text  # noqa: E402
from checks.tree import AllowList, Finding, Tree  # noqa: E402

GOOD_PROTO = """syntax = "proto3";
package ragstone.v1;
// A service.
service Echo {
  // Says it again.
  rpc Say(Word) returns (stream Word);
}
// A word.
message Word {
  // The text.
  string text = 1;
  // Counts by name.
  map<string, int64> counts = 2;
}
// A kind.
enum Kind {
  // None.
  KIND_UNSPECIFIED = 0;
}
"""


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, path, content):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def rules(self, module, build=None):
        """(rule, path, line) of what the check finds."""
        return [(f.rule, f.path, f.line) for f in module.check(Tree(self.root, build))]


class IncludesTest(TidyTest):
    def test_arrows_between_modules_are_enforced(self):
        self.write("index/a.cc", '#include "base/status.h"\n#include "ingest/page.h"\n')
        self.write("base/b.h", '#include "index/database.h"\n')
        self.write("llm/c.cc", '#include "services/app.h"\n')
        self.write("services/d.cc", '#include "index/database.h"\n#include "llm/embedder.h"\n')
        self.assertCountEqual(self.rules(includes), [
            ("include-arrow", "index/a.cc", 2), ("include-arrow", "base/b.h", 1),
            ("include-arrow", "llm/c.cc", 1)])

    def test_internal_headers_are_private_to_their_module(self):
        self.write("services/a.cc", '#include "index/internal/store.h"\n')
        self.write("index/b.cc", '#include "index/internal/store.h"\n')
        self.write("tests/unit/index/b_test.cc", '#include "index/internal/store.h"\n')
        self.write("tests/unit/services/a_test.cc", '#include "index/internal/store.h"\n')
        self.assertCountEqual(self.rules(includes), [
            ("include-arrow", "services/a.cc", 1),
            ("include-arrow", "tests/unit/services/a_test.cc", 1)])

    def test_unit_tests_follow_the_arrows_of_their_module(self):
        self.write("tests/unit/ingest/a_test.cc", '#include "llm/tokenizer.h"\n')
        self.assertEqual(self.rules(includes),
                         [("include-arrow", "tests/unit/ingest/a_test.cc", 1)])

    def test_each_library_stays_behind_its_wall(self):
        headers = ["<faiss/IndexHNSW.h>", "<rocksdb/db.h>", "<OutputDev.h>", "<poppler/PDFDoc.h>",
                   '"llama.h"', '"ggml-cpu.h"', "<gguf.h>", "<grpcpp/grpcpp.h>",
                   "<google/protobuf/message.h>", '"ragstone/v1/job.pb.h"']
        for at, header in enumerate(headers):
            self.write(f"base/x{at}.cc", f"#include {header}\n")
        self.assertCountEqual(self.rules(includes), [
            ("library-wall", f"base/x{at}.cc", 1) for at in range(len(headers))])

    def test_libraries_may_be_used_where_they_belong(self):
        self.write("index/internal/a.cc", "#include <rocksdb/db.h>\n#include <faiss/Index.h>\n")
        self.write("tests/unit/index/a_test.cc", "#include <rocksdb/db.h>\n")
        self.write("ingest/poppler/b.cc", "#include <OutputDev.h>\n")
        self.write("llm/llama/c.cc", '#include "llama.h"\n#include "ggml.h"\n')
        self.write("services/d.cc", '#include "ragstone/v1/job.pb.h"\n')
        self.assertEqual(self.rules(includes), [])

    def test_index_outside_internal_may_not_see_rocksdb(self):
        self.write("index/a.h", "#include <rocksdb/db.h>\n")
        self.assertEqual(self.rules(includes), [("library-wall", "index/a.h", 1)])

    def test_includes_are_written_from_the_root(self):
        self.write("index/a.cc", '#include "types.h"\n#include "../base/status.h"\n')
        self.assertEqual([f[0] for f in self.rules(includes)], ["include-path", "include-path"])


class SizesTest(TidyTest):
    def names(self, code):
        return [(name, last - first + 1) for name, first, last in sizes.functions(code)]

    def test_finds_functions_of_every_shape(self):
        code = """
namespace a {
class C : public B<int> {
 public:
  explicit C(int x) : x_{x}, y_(2) { Use(); }
  int Get() const { return x_; }
 private:
  int x_ = 0;
};
template <typename T>
T Twice(const T& t) {
  if (t) { auto f = [&](int q) { return q; }; f(1); }
  return t + t;
}
const std::vector<int> kTable = {1, 2, {3}};
std::string Name(const std::map<int, std::string>& names,
                 int key) noexcept {
  return names.at(key) + "{ not a brace" + '{';  // } neither
}
bool operator==(const C& a, const C& b) { return true; }
}  // namespace a
TEST(Suite, Does) {
}
"""
        self.assertEqual(self.names(code), [
            ("C", 1), ("Get", 1), ("Twice", 5), ("Name", 4), ("operator==", 1),
            ("TEST(Suite, Does)", 2)])

    def test_long_functions_are_found_and_those_at_the_limit_are_not(self):
        self.write("base/a.cc", "void Long() {\n" + "  Do();\n" * 59 + "}\n"
                   + "void Fits() {\n" + "  Do();\n" * 58 + "}\n")
        self.assertEqual(self.rules(sizes), [("function-lines", "base/a.cc", 1)])

    def test_long_files_lines_and_blobs_are_found(self):
        self.write("base/long.cc", "\n" * 501)
        self.write("tests/unit/base/long_test.cc", "\n" * 800)
        self.write("base/wide.h", "// " + "x" * 98 + "\n")
        self.write("tests/cases/blob.txt", b"x" * (1024 * 1024 + 1))
        self.assertCountEqual(self.rules(sizes), [
            ("file-lines", "base/long.cc", 0), ("columns", "base/wide.h", 1),
            ("file-bytes", "tests/cases/blob.txt", 0)])


class TextTest(TidyTest):
    def test_unfinished_work_machine_paths_and_binaries_are_found(self):
        self.write("base/a.cc", "// TO" "DO: later\nint x;\n")
        self.write("docs/b.md", "See /ho" "me/ann/x.\nand /tmp/x, ~/x, ${sourceDir}/x\n")
        self.write("docs/c.dat", b"\x00\x01")
        self.write("deploy/samples/d.pdf", b"%PDF\x00")
        self.write("base/e.h", "int y; \n")
        self.assertCountEqual(self.rules(text), [
            ("unfinished", "base/a.cc", 1), ("machine-path", "docs/b.md", 1),
            ("binary", "docs/c.dat", 0), ("line-end", "base/e.h", 1)])


class MirrorTest(TidyTest):
    def test_sources_without_a_test_are_found(self):
        self.write("index/a.cc", "")
        self.write("index/b.cc", "")
        self.write("index/c.cc", "")
        self.write("services/cli/d.cc", "")
        self.write("tests/unit/index/a_test.cc", "// Covers also index/b.cc.\n")
        self.write("tests/integration/cli_test.py", "# d.cc\n")
        self.assertEqual(self.rules(mirror), [("test-missing", "index/c.cc", 0)])

    def test_a_path_named_in_a_test_does_not_cover_a_namesake(self):
        self.write("index/util.cc", "")
        self.write("llm/util.cc", "")
        self.write("tests/unit/index/a_test.cc", "// index/util.cc\n")
        self.assertEqual(self.rules(mirror), [("test-missing", "llm/util.cc", 0)])


class DocsTest(TidyTest):
    def findings(self, rule):
        return [f for f in docs.check(Tree(self.root)) if f.rule == rule]

    def test_dead_links_are_found(self):
        self.write("README.md", "[a](docs/A.md) [b](docs/B.md#x) [c](https://x.org) [d](#d)\n"
                   "`[e](e.md)`\n```\n[f](f.md)\n```\n")
        self.write("docs/A.md", "[up](../README.md)\n")
        self.assertEqual([(f.path, f.line, f.message) for f in self.findings("docs-link")],
                         [("README.md", 1, "docs/B.md#x leads nowhere")])

    def test_settings_and_their_page_must_agree(self):
        self.write("services/settings.cc", '{{"data_dir", "Where."}, {{"threads", "How many."}')
        self.write("docs/CONFIGURATION.md", "## data_dir\n\n## gone\n")
        self.assertCountEqual([f.item for f in self.findings("settings-docs")], ["threads", "gone"])

    def test_missing_documents_are_found(self):
        self.write("README.md", "")
        self.assertIn("LICENSE", [f.path for f in self.findings("docs-missing")])
        self.assertNotIn("README.md", [f.path for f in self.findings("docs-missing")])


class ProtosTest(TidyTest):
    PATH = "proto/ragstone/v1/echo.proto"

    def write_dump(self):
        tree = Tree(self.root)
        files, error = protos.load(tree, tree.sources(".proto"))
        self.assertIsNone(error)
        self.write(protos.DUMP, protos.dump(files))

    def test_a_commented_proto_with_its_dump_is_right(self):
        self.write(self.PATH, GOOD_PROTO)
        self.write_dump()
        self.assertEqual(self.rules(protos), [])
        self.assertIn("field ragstone.v1.Word    1 text: string",
                      (self.root / protos.DUMP).read_text().splitlines())

    def test_every_kind_of_element_needs_a_comment(self):
        for comment in ("A service.", "Says it again.", "A word.", "The text.", "A kind.", "None."):
            self.write(self.PATH, GOOD_PROTO.replace(f"// {comment}\n", "\n"))
            self.write_dump()
            self.assertEqual([f[0] for f in self.rules(protos)], ["proto-comment"], comment)

    def test_changed_numbers_and_types_are_found(self):
        self.write(self.PATH, GOOD_PROTO)
        self.write_dump()
        for old, new in (("text = 1", "text = 3"), ("string text", "bytes text"),
                         ("stream Word", "Word"), ("int64>", "int32>")):
            self.write(self.PATH, GOOD_PROTO.replace(old, new))
            self.assertEqual([f[0] for f in self.rules(protos)], ["descriptor"] * 2, old)

    def test_new_fields_must_be_listed(self):
        self.write(self.PATH, GOOD_PROTO)
        self.write_dump()
        self.write(self.PATH, GOOD_PROTO.replace("= 2;", "= 2;\n  // More.\n  bool more = 3;"))
        self.assertEqual([f[0] for f in self.rules(protos)], ["descriptor"])

    def test_a_missing_dump_and_a_broken_proto_are_found(self):
        self.write(self.PATH, GOOD_PROTO)
        self.assertEqual([f[0] for f in self.rules(protos)], ["descriptor"])
        self.write(self.PATH, "message {")
        self.assertEqual([f[0] for f in self.rules(protos)], ["proto"])

    def test_reasons_must_equal_the_proto(self):
        self.write(protos.REASONS,
                   'X(kA, 0, "REASON_UNSPECIFIED") X(kB, 1, "NOT_PDF") X(kC, 2, "IO")')
        self.write(protos.ERRORS, 'syntax = "proto3";\npackage ragstone.v1;\n// A.\nenum R {\n'
                   "  // A.\n  ERROR_REASON_UNSPECIFIED = 0;\n"
                   "  // B.\n  ERROR_REASON_NOT_PDF = 1;\n  // C.\n  ERROR_REASON_IO = 3;\n}\n")
        self.write_dump()
        self.assertEqual([f.item for f in protos.check(Tree(self.root))], ["IO"])


class BinariesTest(TidyTest):
    def build(self, name, code, *options):
        self.write("made.c", code)
        target = self.root / "build" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-o", str(target), str(self.root / "made.c"), *options], check=True)

    def test_foreign_symbols_in_the_server_are_found(self):
        self.build("bin/ragstone", "int llama_decode(void) { return 0; }"
                   "int main(void) { return llama_decode(); }")
        self.assertEqual(self.rules(binaries, self.root / "build"),
                         [("linkage", "bin/ragstone", 0)])

    def test_foreign_shared_libraries_are_found(self):
        self.build("lib/libpoppler.so.126", "int f(void) { return 0; }", "-shared", "-fPIC",
                   "-Wl,-soname,libpoppler.so.126")
        library = str(self.root / "build/lib/libpoppler.so.126")
        self.build("libexec/ragstone/ragstone-model-avx2",
                   "int f(void); int main(void) { return f(); }", library)
        self.assertEqual(self.rules(binaries, self.root / "build"),
                         [("linkage", "libexec/ragstone/ragstone-model-avx2", 0)])

    def test_workers_may_have_their_own_library(self):
        self.build("libexec/ragstone/ragstone-model-v2",
                   "int llama_decode(void) { return 0; } int main(void) { return 0; }")
        self.build("bin/ragstone", "int main(void) { return 0; }")
        self.assertEqual(self.rules(binaries, self.root / "build"), [])


class KernelsTest(TidyTest):
    def test_kernels_include_nothing_of_the_standard_library(self):
        self.write("llm/encoder/kernels_avx2.cc", '#include <immintrin.h>\n#include <vector>\n'
                   '#include "llm/encoder/kernels.h"\n')
        self.write("llm/encoder/encoder.cc", "#include <vector>\n")
        self.write("index/internal/vectors/kernels_simd.h", '#include <cstdint>\n#include <bit>\n'
                   '#include "index/internal/vectors/kernels_blocks.h"\n'
                   '#include "llm/encoder/kernels.h"\n')
        self.write("index/internal/vectors/kernel_tiers.cc", "#include <cmath>\n")
        # Compiled for any processor, this one may share code with others.
        half = '#include "index/internal/vectors/half.h"\n'
        self.write("index/internal/vectors/kernels_portable.cc", half)
        self.write("index/internal/vectors/kernels_avx512.cc", half)
        self.assertCountEqual(self.rules(kernels), [
            ("kernel-includes", "llm/encoder/kernels_avx2.cc", 2),
            ("kernel-includes", "index/internal/vectors/kernels_simd.h", 2),
            ("kernel-includes", "index/internal/vectors/kernels_simd.h", 4),
            ("kernel-includes", "index/internal/vectors/kernels_avx512.cc", 1)])

    def test_symbols_that_the_linker_merges_are_found_in_kernels_only(self):
        listing = ("kernels_avx2.cc.o:\n0000 W std::max()\n0010 T Avx2Kernels()\n"
                   "encoder.cc.o:\n0000 W std::min()\n")
        for library in kernels.LIBRARIES:
            found = list(kernels._check_symbols(library, listing))
            self.assertEqual([f.path for f in found], [library.archive])
            self.assertIn("kernels_avx2.cc.o shares std::max()", found[0].message)

    def test_sums_on_the_stack_are_found_in_inner_loops(self):
        listing = ("0000 <M::Fixed<12ul>(Tile)>:\n  10:\tvmovaps %zmm3,0x40(%rsp)\n"
                   "0100 <M::Fixed<2ul>(Tile)>:\n 110:\tvmovaps %zmm3,0x40(%rax)\n"
                   "0200 <M::Norm()>:\n 210:\tvmovaps %zmm3,0x40(%rsp)\n")
        found = list(kernels._check_spills(kernels.ENCODER, listing))
        self.assertEqual(len(found), 1)
        self.assertIn("Fixed<12ul>", found[0].message)
        found = list(kernels._check_spills(kernels.VECTORS, listing.replace("Fixed", "ForRows")))
        self.assertEqual(len(found), 1)
        for library in kernels.LIBRARIES:
            # A check that finds nothing to look at has lost its object.
            missing = list(kernels._check_spills(library, "0000 <M::Norm()>:\n"))
            self.assertIn("to check", missing[0].message)

    def test_instructions_of_other_tiers_are_found(self):
        def found(member, instruction, library=kernels.ENCODER):
            return len(list(kernels._check_instructions(
                library, f"{member}.cc.o:     file format elf64-x86-64\n0000 <M::Norm()>:\n"
                f"  10:\t{instruction}\n  14:\t{instruction}\n")))
        for member, instruction in (
                ("kernels_portable", "vmulps %xmm1,%xmm2,%xmm3"),
                ("kernels_avx2", "vpdpbusd %ymm1,%ymm2,%ymm3"),
                ("kernels_avx512", "vpdpbusd %zmm1,%zmm2,%zmm3"),
                ("kernels_avx512_vnni", "vdpbf16ps %zmm1,%zmm2,%zmm3"),
                ("kernels_amx", "nop")):
            self.assertEqual(found(member, instruction, kernels.VECTORS), 1, (member, instruction))
        self.assertEqual(found("kernels_avx512_vnni", "vpdpbusd %zmm1,%zmm2,%zmm3",
                               kernels.VECTORS), 0)
        for member, instruction in (
                ("kernels_portable", "vmulps %xmm1,%xmm2,%xmm3"),
                ("kernels_avx2", "vaddps %zmm1,%zmm2,%zmm3"),
                ("kernels_avx2", "vaddps %ymm17,%ymm2,%ymm3"),
                ("kernels_avx_vnni", "vpdpbusd %ymm1,%ymm2,%ymm3"),
                ("kernels_avx512_vnni_f32", "vcvtneps2bf16 %zmm1,%ymm2"),
                ("kernels_avx512_vnni_f32", "vdpbf16ps %zmm1,%zmm2,%zmm3"),
                ("kernels_avx512_bf16", "vpdpbusd %zmm1,%zmm2,%zmm3"),
                ("kernels_unknown", "nop")):
            self.assertEqual(found(member, instruction), 1, (member, instruction))
        for member, instruction in (
                ("kernels_portable", "mulps %xmm1,%xmm2"),
                ("kernels_avx2", "vaddps %ymm15,%ymm2,%ymm3"),
                ("kernels_avx_vnni", "{vex} vpdpbusd %ymm1,%ymm2,%ymm3"),
                ("kernels_avx512_vnni_f32", "vpdpbusd %zmm1,%zmm2,%zmm3"),
                ("encoder", "vaddps %zmm1,%zmm2,%zmm3")):
            self.assertEqual(found(member, instruction), 0, (member, instruction))


class AllowListTest(unittest.TestCase):
    def test_allows_by_rule_path_and_item_and_reports_what_is_not_needed(self):
        allowed = AllowList("allow.txt", "# text\n\nfile-lines a.cc  # a table\n"
                            "function-lines b.cc Table  # rows\ncolumns c.cc  # never needed\n")
        self.assertTrue(allowed.allows(Finding("file-lines", "a.cc", 0, "")))
        self.assertTrue(allowed.allows(Finding("function-lines", "b.cc", 7, "", "Table")))
        self.assertFalse(allowed.allows(Finding("function-lines", "b.cc", 9, "", "Other")))
        self.assertEqual([f.line for f in allowed.unused()], [5])

    def test_an_entry_without_a_reason_is_an_error(self):
        self.assertEqual(len(AllowList("allow.txt", "file-lines a.cc\n").errors), 1)


if __name__ == "__main__":
    unittest.main()
