"""DNS for processes under test: a preloaded library in front of getaddrinfo answers from a file that the test writes."""
import os


class FakeDns:
    """The addresses of names that end in .test: one, several, "fail" or "hang"."""

    def __init__(self, folder, library):
        self.file = folder / "names"
        self.set_addresses()
        self.environment = {"LD_PRELOAD": str(library), "TRIBUNE_TEST_NAMES": str(self.file),
                            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def set_addresses(self, **names):
        fresh = self.file.with_suffix(".new")
        fresh.write_text("".join(f"{name}.test {' '.join(to.split(','))}\n" for name, to in names.items()))
        fresh.rename(self.file)
