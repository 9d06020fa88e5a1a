"""The rules of the repository as functions: each takes the root of a tree and returns what is wrong, one line each."""
import re
from pathlib import Path

# From the top down. A library includes only libraries on lower lines, never one on its own line.
LAYERS = [
    ["app"],
    ["balancer", "cache_node", "api", "web", "http_cache"],
    ["shop"],
    ["access", "accounts", "runtime", "contracts"],
    ["net", "store"],
    ["http", "hls", "config"],
    ["base"],
]

# Third-party headers, by the beginning of what stands between the angle brackets, and the only library that may include them.
OWNERS = {
    "rapidjson/": "base", "spdlog/": "base", "prometheus/": "base", "sodium": "base",
    "event2/": "net", "event.h": "net", "curl/": "net", "zlib.h": "net", "openssl/": "net", "nghttp2/": "net",
    "lmdb.h": "store", "systemd/": "runtime", "maxminddb.h": "balancer", "xxhash.h": "cache_node",
    "CLI/": "app", "doctest/": "tests",
}
OPEN_TO_ALL = ("fmt/", "tl/expected.hpp")
SYSTEM = re.compile(
    r"(sys|netinet|arpa|linux|net)/\w+\.h|(unistd|fcntl|poll|signal|sched|pthread|dirent|dlfcn|netdb|errno|time|stdio|stdlib|"
    r"string|stdint|limits|malloc|syslog|strings|ctype|grp|pwd|spawn)\.h|[a-z_0-9]+")
USES = {
    "base": {"PkgConfig::SODIUM", "prometheus-cpp::core", "spdlog::spdlog"},
    "net": {"PkgConfig::LIBEVENT", "PkgConfig::CURL", "PkgConfig::ZLIB", "PkgConfig::OPENSSL", "PkgConfig::NGHTTP2", "OpenSSL::SSL", "OpenSSL::Crypto"},
    "store": {"${LMDB_LIBRARY}"},
    "runtime": {"PkgConfig::SYSTEMD"},
    "balancer": {"PkgConfig::MAXMINDDB"},
    "cache_node": {"PkgConfig::XXHASH"},
    "app": {"CLI11::CLI11", "PkgConfig::CLI11"},
}

MAX_LINES = 600
MAX_FUNCTION_LINES = 50
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
SOURCE_ENDINGS = {".cpp", ".h", ".c", ".py", ".ts", ".tsx", ".js", ".mjs", ".css", ".sh"}
FORBIDDEN_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b(up|down)stream\b|\bfor now\b|\bplaceholder\b", re.IGNORECASE)
SLEEPS = re.compile(r"sleep_for|sleep_until|usleep\(|\btime\.sleep\(|asyncio\.sleep\(|^\s*sleep [0-9]", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of(library):
    return next((i for i, libraries in enumerate(LAYERS) if library in libraries), None)


def sources(root, *folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCE_ENDINGS and path.is_file() and not {"node_modules", "dist", "artefacts", "__pycache__"} & set(path.parts):
                yield path


def libraries_in(root):
    return sorted(p.name for p in (root / "src").iterdir() if p.is_dir())


def includes_of(path):
    return INCLUDE.findall(path.read_text(errors="replace"))


def declared_libraries(root):
    """CMakeLists.txt: library -> (the libraries of the tree that it links, those of third parties that it uses)."""
    text = re.sub(r"#.*", "", (root / "CMakeLists.txt").read_text())
    found = {}
    for call in re.findall(r"tribune_library\(([^)]*)\)", text):
        words = call.split()
        if not words or words[0].startswith("$"):
            continue
        lists, current = {"LIBRARIES": [], "USES": [], "OPEN": []}, None
        for word in words[1:]:
            if word in lists:
                current = word
            elif current:
                lists[current].append(word)
        found[words[0]] = (set(lists["LIBRARIES"]), set(lists["USES"]))
    return found


def wrong_layers(root):
    """Includes and links go down only."""
    wrong = []
    declared = declared_libraries(root)
    for library in libraries_in(root):
        if layer_of(library) is None:
            wrong.append(f"src/{library}: no layer is named for this folder")
            continue
        files = list(sources(root / "src", library))
        if files and library not in declared:
            wrong.append(f"CMakeLists.txt: no tribune_library({library})")
        for path in files:
            for kind, name in includes_of(path):
                other = name.split("/")[0] if kind == '"' else None
                if not other or other == library:
                    continue
                here = path.relative_to(root)
                if layer_of(other) is None:
                    wrong.append(f"{here}: includes \"{name}\", which lies in no library (write folder/file.h)")
                elif layer_of(other) <= layer_of(library):
                    wrong.append(f"{here}: {library} includes {other}, which is not below it")
                elif other not in reachable(declared, library):
                    wrong.append(f"{here}: includes {other}, but the LIBRARIES of {library} in CMakeLists.txt do not name it")
    for library, (libraries, _) in declared.items():
        for other in sorted(libraries):
            if layer_of(other) is None or layer_of(library) is None or layer_of(other) <= layer_of(library):
                wrong.append(f"CMakeLists.txt: {library} links {other}, which is not below it")
    return wrong


def reachable(declared, library):
    return declared.get(library, (set(), set()))[0]


FOLDER_ROW = re.compile(r"^\| `(\w+)` \|[^|\n]*\|([^|\n]*)\|$", re.MULTILINE)


def wrong_folders(root):
    """A library with subfolders has a README.md whose table says which of them each folder uses. Includes obey it, and it has no circles."""
    wrong = []
    for library in libraries_in(root):
        top = root / "src" / library
        folders = {p.name for p in top.iterdir() if p.is_dir()}
        page = top / "README.md"
        if not folders or (len(folders) == 1 and not page.exists()):
            continue
        rows = FOLDER_ROW.findall(page.read_text()) if page.exists() else []
        uses = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}
        wrong += [f"src/{library}/README.md: no row for the folder {name}" for name in sorted(folders - set(uses))]
        wrong += [f"src/{library}/README.md: a row for {name}, which is no folder" for name in sorted(set(uses) - folders)]
        below = set()   # folders whose rows name only folders of rows above theirs: an order without circles
        for name, _ in rows:
            if late := sorted(uses[name] - below):
                wrong.append(f"src/{library}/README.md: the row of {name} names {', '.join(late)}, whose row does not stand above it")
            below.add(name)
        for path in sources(root / "src", library):
            here = path.relative_to(top).parts
            if len(here) < 2:
                continue
            for kind, name in includes_of(path):
                parts = name.split("/")
                if kind != '"' or parts[0] != library or (len(parts) > 2 and parts[1] == here[0]):
                    continue
                if len(parts) == 2 and not uses_own_top(root, library, name):
                    wrong.append(f"{path.relative_to(root)}: includes \"{name}\" of the folder above, which wires its folders")
                elif len(parts) > 2 and parts[1] not in uses.get(here[0], set()):
                    wrong.append(f"{path.relative_to(root)}: {here[0]} includes {parts[1]}, which its row in src/{library}/README.md does not name")
    return wrong


def uses_own_top(root, library, name):
    """Whether a file that lies directly in a library's folder includes nothing of the subfolders, so that these may include it."""
    path = root / "src" / name
    both = [path, path.with_suffix(".cpp")]
    return not any(kind == '"' and n.startswith(library + "/") and n.count("/") > 1 for p in both if p.exists() for kind, n in includes_of(p))


TYPE = re.compile(r"^(?:template\s*<[^>]*>\s*)?(?:class|struct|enum class|union)\s+([A-Z]\w*)\s*(?:final\s*)?(?::[^:;{][^;{]*)?\{", re.MULTILINE)


def repeated_types(root):
    """One name, one type: no two types outside of classes have the same name."""
    found = {}
    for path in sources(root, "src"):
        if path.suffix in {".h", ".cpp"}:
            for name in TYPE.findall(path.read_text(errors="replace")):
                found.setdefault(name, []).append(str(path.relative_to(root)))
    return [f"{name} is the name of {len(files)} types: {', '.join(files)}" for name, files in sorted(found.items()) if len(files) > 1]


LOCAL_NAME = re.compile(r"(?:struct|class|enum class|enum|union)\s+(\w+)|using (\w+) =|(?!template|namespace|using|TEST_CASE|static_assert)\w.*?\b(\w+)\s*[({=;\[]")


def local_names(path):
    """The names that a source file declares in its anonymous namespaces; clang-format starts each declaration at the first column."""
    text = path.read_text(errors="replace")
    for body in re.findall(r"^namespace \{\n(.*?)^\}  // namespace\n", text, re.MULTILINE | re.DOTALL):
        for line in body.splitlines():
            if found := LOCAL_NAME.match(line):
                yield next(name for name in found.groups() if name)


def repeated_local_names(root):
    """Files of one library are compiled together: a name in an anonymous namespace stands in one file of its library, or of its tests."""
    wrong = []
    for top in ("src", "tests"):
        for library in libraries_in(root):
            found = {}
            for path in sources(root / top, library):
                if path.suffix == ".cpp":
                    for name in set(local_names(path)):
                        found.setdefault(name, []).append(str(path.relative_to(root)))
            wrong += [f"{name} is in the anonymous namespaces of {', '.join(files)}" for name, files in sorted(found.items()) if len(files) > 1]
    return wrong


def wrong_owners(root):
    """A third-party library has one owner; nobody else includes or links it."""
    wrong = []
    for path in sources(root / "src", *libraries_in(root)):
        library = path.relative_to(root / "src").parts[0]
        for kind, name in includes_of(path):
            if kind != "<":
                continue
            owner = next((o for prefix, o in OWNERS.items() if name.startswith(prefix)), None)
            here = path.relative_to(root)
            if owner and owner != library:
                wrong.append(f"{here}: <{name}> belongs to {owner}")
            elif not owner and not name.startswith(OPEN_TO_ALL) and not SYSTEM.fullmatch(name):
                wrong.append(f"{here}: <{name}> is of no known library: name its owner in tests/repository/rules.py")
    for library, (_, uses) in declared_libraries(root).items():
        for used in sorted(uses - USES.get(library, set())):
            wrong.append(f"CMakeLists.txt: {library} uses {used}, which it does not own")
    return wrong


def leaking_headers(root):
    """A header that includes a third-party library stays inside its library, through other headers too."""
    direct, through = {}, {}
    for path in sources(root / "src", *libraries_in(root)):
        name = str(path.relative_to(root / "src"))
        found = includes_of(path)
        direct[name] = next((n for kind, n in found if kind == "<" and n.startswith(tuple(OWNERS))), None)
        through[name] = [n for kind, n in found if kind == '"']

    def library_of(name, seen=()):
        if name in seen or name not in direct:
            return None
        return direct[name] or next(filter(None, (library_of(n, (*seen, name)) for n in through[name])), None)

    wrong = []
    for name, included in through.items():
        for other in included:
            if other.split("/")[0] != name.split("/")[0] and library_of(other):
                wrong.append(f"src/{name}: includes {other}, which brings in <{library_of(other)}>")
    return wrong


def long_files(root):
    return [f"{p.relative_to(root)}: {n} lines, at most {MAX_LINES}" for p in sources(root, "src", "tests", "web/src", "bench", "scripts")
            if (n := p.read_text(errors="replace").count("\n")) > MAX_LINES]


def long_functions(root):
    """Function bodies that begin and end at the left margin, as the style has them in .cpp files. A switch that is a mere
    table of words, and the table of a section of settings, may be long."""
    wrong = []
    for path in sources(root, "src"):
        if path.suffix != ".cpp":
            continue
        lines = path.read_text(errors="replace").splitlines()
        begin, excused = None, False
        for number, line in enumerate(lines):
            if re.match(r"[A-Za-z_~].*\)[^;]*\{$", line) and not line.startswith(("namespace", "struct", "class", "enum", "union", "extern")):
                begin, excused = number, "WHY:" in "\n".join(lines[max(0, number - 3):number + 2])
            elif line == "}" and begin is not None:
                body = lines[begin + 1:number]
                is_table = sum(bool(re.match(r"\s*case .*: return ", text)) for text in body) > 0.8 * len(body)
                is_table |= bool(re.search(r"static const auto section =\s*(?:\[\] \{\s*auto s = )?config::Section<", "\n".join(body)))
                if len(body) > MAX_FUNCTION_LINES and not excused and not is_table:
                    wrong.append(f"{path.relative_to(root)}:{begin + 1}: a function of {len(body)} lines, at most {MAX_FUNCTION_LINES}")
                begin = None
    return wrong


def forbidden_names(root):
    wrong = []
    for top in ("src", "tests", "web/src", "bench", "scripts"):
        for path in sorted((root / top).rglob("*")):
            if {"node_modules", "dist", "artefacts", "corpus"} & set(path.relative_to(root).parts):
                continue
            if FORBIDDEN_NAMES & set(re.split(r"[_\-.]", path.name.lower())):
                wrong.append(f"{path.relative_to(root)}: say what it is about")
    return wrong


def odd_headers(root):
    """A header begins with #pragma once and says what it stands for."""
    wrong = []
    for path in sources(root, "src"):
        if path.suffix == ".h" and not re.match(r"#pragma once\n(\n)?//", path.read_text(errors="replace")):
            wrong.append(f"{path.relative_to(root)}: begins with #pragma once and a comment that says what it stands for")
    return wrong


def forbidden_words(root):
    """Nothing left for later, and three parties with three names."""
    wrong = []
    for path in sources(root, "src", "web/src", "scripts", "bench"):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if found := FORBIDDEN_WORDS.search(line):
                wrong.append(f"{path.relative_to(root)}:{number}: \"{found.group(0)}\"")
    return wrong


def sleeping_tests(root):
    """Tests wait for events; harness/waiting.py is the one place that lets time pass."""
    wrong = []
    for path in sources(root, "tests"):
        if path.name in ("waiting.py", "rules.py", "test_rules.py"):
            continue
        for found in SLEEPS.finditer(path.read_text(errors="replace")):
            number = path.read_text(errors="replace")[:found.start()].count("\n") + 1
            wrong.append(f"{path.relative_to(root)}:{number}: {found.group(0).strip()}")
    return wrong


def throwing_code(root):
    """C callbacks stand under nearly every frame: nothing throws."""
    wrong = []
    for path in sources(root, "src"):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            code = line.split("//")[0]
            if re.search(r"\bthrow\b", re.sub(r'"[^"]*"', "", code)) and "WHY:" not in line:
                wrong.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    return wrong


def dead_links(root):
    """Relative links in Markdown lead somewhere."""
    wrong = []
    for path in [*root.glob("*.md"), *(root / "docs").glob("**/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(errors="replace")):
            if not re.match(r"[a-z]+:|/", target) and not (path.parent / target).exists():
                wrong.append(f"{path.relative_to(root)}: leads to {target}, which is not there")
    return wrong


IMPORTED_MODULE = re.compile(r"^\s*(?:from|import)\s+([\w.]+)", re.MULTILINE)


def scenarios(root):
    """The files of the scenario tests."""
    return [path for path in sources(root, "tests/e2e") if path.suffix == ".py" and path.name.startswith("test_")]


def imported_tests(root):
    """No test module imports another one: shared code is in the harness or in a conftest.py."""
    wrong = []
    for path in sources(root, "tests"):
        if path.suffix == ".py":
            for module in IMPORTED_MODULE.findall(path.read_text(errors="replace")):
                if module.split(".")[-1].startswith("test_"):
                    wrong.append(f"{path.relative_to(root)}: imports the test module {module}")
    return wrong


def numbered_scenarios(root):
    """The file names of scenario tests tell the behaviour under test."""
    return [f"{path.relative_to(root)}: the name begins with a number" for path in scenarios(root) if re.match(r"test_\d", path.name)]


def scenarios_without_area(root):
    """Each scenario test file lies in the folder of its area, which is not the harness."""
    return [f"{path.relative_to(root)}: lies in no area folder of tests/e2e" for path in scenarios(root)
            if path.parent.name == "harness" or path.parent.parent != root / "tests" / "e2e"]


FILE_NAME = re.compile(r"(?<![\w./{}*~-])((?:[\w-]+/)*[\w-]+\.(?:h|cpp|c|py|tsx?|mjs|md|css|sh))(?![\w/(*])")
OWN_FOLDERS = ("src", "tests", "docs", "bench", "scripts", "web", "conf", ".ci")


def comments_of(path):
    text = path.read_text(errors="replace")
    if path.suffix in {".py", ".sh"}:
        return " ".join(re.findall(r'(?m)(?:^|\s)#(?!!)(.*)$', text) + re.findall(r'"""(.*?)"""', text, re.DOTALL))
    return " ".join(re.findall(r"(?m)(?:^|\s)//(.*)$", text))


def dead_names(root):
    """Files that comments and documents name, and tests that documents name, exist."""
    files = {p.relative_to(root).as_posix() for folder in OWN_FOLDERS if (root / folder).exists() for p in (root / folder).rglob("*")
             if p.is_file() and "node_modules" not in p.parts}
    files |= {p.name for p in root.glob("*") if p.is_file()}
    endings = {"/".join(name.split("/")[i:]) for name in files for i in range(name.count("/") + 1)}
    tests = set()
    for path in sources(root, "tests"):
        if path.suffix == ".py":
            tests |= set(re.findall(r"def (test_\w+)", path.read_text(errors="replace"))) | {path.stem}
    wrong = []
    pages = [*root.glob("*.md"), *(root / "docs").glob("**/*.md")]
    for path in [*pages, *sources(root, "src", "tests", "bench")]:
        is_page = path.suffix == ".md"
        text = " ".join(re.findall(r"`([^`\n]+)`", path.read_text(errors="replace"))) if is_page else comments_of(path)
        for name in FILE_NAME.findall(text or ""):
            if name not in endings:
                wrong.append(f"{path.relative_to(root)}: names {name}, which is not there")
        if is_page:
            wrong += [f"{path.relative_to(root)}: names {name}, which is no test" for name in re.findall(r"\btest_\w+", text) if name not in tests]
    return wrong


CASE_NAME = re.compile(r'\b(?:TEST_CASE|TEST_CASE_FIXTURE|SUBCASE)\(\s*(?:\w+,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)')
CAPITAL = re.compile(r"[A-Z](?:[a-z']*|[a-z]+-[a-z]+),? ")   # not an acronym, nor the name of a field with several capitals or a colon
NAMES_IN_CASES = ("Age ",)
MAX_CASE_NAME = 110


def odd_case_names(root):
    """The name of a unit test is a sentence that begins with a lower-case letter, an acronym or a name, without a period."""
    wrong = []
    for path in sources(root, "tests"):
        if path.suffix != ".cpp":
            continue
        for literals in CASE_NAME.findall(path.read_text(errors="replace")):
            name = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))
            if CAPITAL.match(name) and not name.startswith(NAMES_IN_CASES):
                wrong.append(f'{path.relative_to(root)}: "{name}" begins with a capital letter')
            if name.endswith("."):
                wrong.append(f'{path.relative_to(root)}: "{name}" ends with a period')
            if " " not in name:
                wrong.append(f'{path.relative_to(root)}: "{name}" is no sentence')
            if len(name) > MAX_CASE_NAME:
                wrong.append(f'{path.relative_to(root)}: "{name}" has {len(name)} characters, at most {MAX_CASE_NAME}')
    return wrong


def odd_test_namespaces(root):
    """What several unit tests use is in the namespace tribune::test; what one file uses is in an anonymous one."""
    return [f"{path.relative_to(root)}: namespace {name}, not tribune::test" for path in sources(root, "tests") if path.suffix in {".h", ".cpp"}
            for name in re.findall(r"^namespace ([\w:]+) \{", path.read_text(errors="replace"), re.MULTILINE) if name != "tribune::test"]


RULES = [wrong_layers, wrong_folders, repeated_types, repeated_local_names, wrong_owners, leaking_headers, long_files, long_functions, forbidden_names, odd_headers, forbidden_words,
         sleeping_tests, throwing_code, dead_links, dead_names]
RULES += [imported_tests, numbered_scenarios, scenarios_without_area, odd_case_names, odd_test_namespaces]
ROOT = Path(__file__).parents[2]
