"""The repository obeys its rules, and each rule can fail: it is tried on a made-up tree first."""
import pytest
from rules import ROOT, RULES

CMAKE = """
# tribune_library(comment LIBRARIES nothing)
tribune_library(base USES PkgConfig::SODIUM OPEN fmt::fmt)
tribune_library(http LIBRARIES base)
tribune_library(net LIBRARIES http base USES PkgConfig::CURL)
tribune_library(balancer LIBRARIES net http base)
tribune_library(cache_node LIBRARIES net http base)
"""
GOOD = {
    "CMakeLists.txt": CMAKE,
    "src/base/result.h": "#pragma once\n// A result.\n#include <string>\n#include <tl/expected.hpp>\n",
    "src/base/signing.cpp": "#include <sodium.h>\n#include <sys/stat.h>\n",
    "src/http/uri.h": '#pragma once\n\n// A URI.\n#include "base/result.h"\n',
    "src/net/client.h": '#pragma once\n// Fetches.\nstruct event_base;\n#include "http/uri.h"\n',
    "src/net/curl_handle.h": "#pragma once\n// Inside this library only.\n#include <curl/curl.h>\n",
    "src/net/client.cpp": '#include "net/client.h"\n#include "net/curl_handle.h"\n#include <fmt/format.h>\nint f() {\n  return 1;\n}\n',
    "src/balancer/role.cpp": '#include "net/client.h"\n',
    "src/cache_node/role.cpp": '#include "net/client.h"\n',
    "tests/e2e/routing/test_zones.py": "import pytest\nfrom harness.event import Event\n",
    "tests/http/uri_test.cpp": '#include <doctest/doctest.h>\nTEST_CASE("a URI is read") {}\nTEST_CASE_FIXTURE(Uris,\n    "IPv6 hosts "\n    "stay in brackets") {}\n',
    "tests/support/uris.h": "#pragma once\nnamespace tribune::test {\n}  // namespace tribune::test\n",
    "docs/page.md": "[the start](../README.md) and [elsewhere](https://example.org/)\n",
    "README.md": "hello\n",
}

FOLDERS = {
    "src/net/README.md": "| Folder | Contents | Uses |\n|---|---|---|\n| `server` | accepts | |\n| `client` | asks | |\n",
    "src/net/server/x.h": "#pragma once\n// x\n",
    "src/net/client/x.cpp": '#include "net/client.h"\n',
}

BROKEN = {
    "a role includes another role": ("wrong_layers", {"src/balancer/x.cpp": '#include "cache_node/role.h"\n'}),
    "a lower library includes a higher one": ("wrong_layers", {"src/http/x.cpp": '#include "net/client.h"\n'}),
    "an include without its library": ("wrong_layers", {"src/http/x.cpp": '#include "uri.h"\n'}),
    "a library that no layer knows": ("wrong_layers", {"src/attic/x.cpp": "int x;\n"}),
    "a library that CMake does not know": ("wrong_layers", {"src/hls/x.cpp": "int x;\n"}),
    "an include that the LIBRARIES do not name": ("wrong_layers", {"CMakeLists.txt": CMAKE.replace("balancer LIBRARIES net http base", "balancer LIBRARIES net"),
                                                               "src/balancer/x.cpp": '#include "base/result.h"\n'}),
    "a link upwards": ("wrong_layers", {"CMakeLists.txt": CMAKE.replace("http LIBRARIES base", "http LIBRARIES base net")}),
    "a folder without a row": ("wrong_folders", {"src/net/server/x.cpp": "int x;\n", "src/net/client/x.cpp": "int y;\n"}),
    "an include that the folder's row does not name": ("wrong_folders", {**FOLDERS, "src/net/client/x.cpp": '#include "net/server/x.h"\n'}),
    "a row that names a later one": ("wrong_folders", {**FOLDERS, "src/net/README.md": FOLDERS["src/net/README.md"].replace("| accepts | |", "| accepts | `client` |")}),
    "a row without a folder": ("wrong_folders", {**FOLDERS, "src/net/README.md": FOLDERS["src/net/README.md"] + "| `attic` | old | |\n"}),
    "a folder that includes what wires it": ("wrong_folders", {**FOLDERS, "src/net/role.h": '#pragma once\n// x\n#include "net/server/x.h"\n',
                                                             "src/net/client/x.cpp": '#include "net/role.h"\n'}),
    "a type's name that stands twice": ("repeated_types", {"src/base/x.h": "#pragma once\n// x\nstruct Line {\n};\n", "src/http/x.cpp": "class Line final : public X {\n};\n"}),
    "a local name that stands twice": ("repeated_local_names", {name: "namespace {\n\nint twice(int x) { return 2 * x; }\n\n}  // namespace\n"
                                                                for name in ("src/net/a.cpp", "src/net/b.cpp")}),
    "a fixture that stands twice": ("repeated_local_names", {name: "namespace {\nstruct Fixture {\n};\n}  // namespace\n"
                                                             for name in ("tests/net/a_test.cpp", "tests/net/b_test.cpp")}),
    "a library outside its owner": ("wrong_owners", {"src/http/x.cpp": "#include <curl/curl.h>\n"}),
    "an unknown library": ("wrong_owners", {"src/http/x.cpp": "#include <boost/any.hpp>\n"}),
    "a library linked outside its owner": ("wrong_owners", {"CMakeLists.txt": CMAKE.replace("http LIBRARIES base", "http LIBRARIES base USES PkgConfig::CURL")}),
    "a header that leaks a library": ("leaking_headers", {"src/balancer/x.cpp": '#include "net/curl_handle.h"\n'}),
    "a header that leaks it through another": ("leaking_headers", {"src/net/outer.h": '#pragma once\n// x\n#include "net/curl_handle.h"\n',
                                                                   "src/balancer/x.cpp": '#include "net/outer.h"\n'}),
    "a long file": ("long_files", {"src/base/long.cpp": "int x;\n" * 601}),
    "a long test": ("long_files", {"tests/base/long_test.cpp": "int x;\n" * 601}),
    "a long function": ("long_functions", {"src/base/x.cpp": "int f(int a) {\n" + "  a++;\n" * 51 + "}\n"}),
    "a folder named utils": ("forbidden_names", {"src/base/utils/x.cpp": "int x;\n"}),
    "a file named connection_manager": ("forbidden_names", {"src/net/connection_manager.h": "#pragma once\n// x\n"}),
    "a header without a comment": ("odd_headers", {"src/base/x.h": "#pragma once\nint x();\n"}),
    "a header without a guard": ("odd_headers", {"src/base/x.h": "// x\nint x();\n"}),
    "a note for later": ("forbidden_words", {"src/base/x.cpp": "// " + "TO" + "DO: finish\n"}),
    "a party with two meanings": ("forbidden_words", {"src/base/x.cpp": "int upstream;\n"}),
    "a test that sleeps": ("sleeping_tests", {"tests/base/x_test.cpp": "std::this_thread::sleep_for(1s);\n"}),
    "a scenario that sleeps": ("sleeping_tests", {"tests/e2e/test_x.py": "import time\ntime.sleep(1)\n"}),
    "a test that imports another test": ("imported_tests", {"tests/e2e/routing/test_x.py": "from test_zones import start\n"}),
    "a test that imports a test of a package": ("imported_tests", {"tests/e2e/routing/test_x.py": "def f():\n    import routing.test_zones\n"}),
    "a scenario with a number": ("numbered_scenarios", {"tests/e2e/routing/test_07_x.py": "import pytest\n"}),
    "a scenario in no folder": ("scenarios_without_area", {"tests/e2e/test_x.py": "import pytest\n"}),
    "a scenario in the harness": ("scenarios_without_area", {"tests/e2e/harness/test_x.py": "import pytest\n"}),
    "a scenario in a folder of an area": ("scenarios_without_area", {"tests/e2e/routing/zones/test_x.py": "import pytest\n"}),
    "a test whose name begins with a capital letter": ("odd_case_names", {"tests/http/x_test.cpp": 'TEST_CASE_FIXTURE(X, "A URI is read") {}\n'}),
    "a test whose name ends with a period": ("odd_case_names", {"tests/http/x_test.cpp": 'SUBCASE("it is read.") {}\n'}),
    "a test whose name is one word": ("odd_case_names", {"tests/http/x_test.cpp": 'TEST_CASE("later") {}\n'}),
    "a test with a long name": ("odd_case_names", {"tests/http/x_test.cpp": 'TEST_CASE("a URI ' + 60 * "x" + '"\n"' + 60 * "x" + '") {}\n'}),
    "a fixture in another namespace": ("odd_test_namespaces", {"tests/http/x.h": "#pragma once\nnamespace tribune::http::testing {\n}\n"}),
    "code that throws": ("throwing_code", {"src/base/x.cpp": "void f() { throw 1; }\n"}),
    "a document that names a file of the past": ("dead_names", {"docs/other.md": "see `src/base/gone.h`\n"}),
    "a document that names a test of the past": ("dead_names", {"docs/other.md": "`test_nothing_of_the_kind`\n"}),
    "a comment that names a file of the past": ("dead_names", {"src/base/x.cpp": "// See gone.h for the rest.\n"}),
    "a dead link": ("dead_links", {"docs/other.md": "[gone](nowhere.md)\n"}),
}


def tree(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_a_good_tree_passes(tmp_path, rule):
    assert rule(tree(tmp_path, GOOD)) == []


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_tree_fails(tmp_path, case):
    name, files = BROKEN[case]
    rule = next(r for r in RULES if r.__name__ == name)
    assert rule(tree(tmp_path, {**GOOD, **files})), f"{name} does not see {case}"


def test_every_rule_was_seen_failing():
    assert {name for name, _ in BROKEN.values()} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_the_repository_obeys(rule):
    wrong = rule(ROOT)
    assert not wrong, "\n" + "\n".join(wrong)
