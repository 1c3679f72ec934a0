from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assetpipe.config import Keep
from assetpipe.errors import ManifestError
from assetpipe.transforms import encodings
from assetpipe.verify import verify
from tests import pictures
from tests.conftest import Project


@pytest.fixture
def published(project: Project) -> Project:
    project.configure(plain=("sw.js",))
    project.write({"a.css": "a{color:red}" * 30, "p.jpg": pictures.jpeg(), "sw.js": "1;" * 50})
    project.publish()
    project.write({"a.css": "a{color:blue}" * 30})
    project.publish()
    return project


def test_what_was_just_published_is_right(published: Project) -> None:
    verified = verify(published.dist)
    assert verified.faults == ()
    assert verified.releases == 2
    assert verified.files == 3 + 3 + 2 + 3


def _unlink(file: Path) -> None:
    file.unlink()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _flip(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(bytes((data[0] ^ 1,)) + data[1:])


@pytest.mark.parametrize(("harm", "kind"), [(_unlink, "missing"), (_cut, "size"), (_flip, "digest")])
def test_every_fault_of_every_file_is_named(published: Project, harm: Callable[[Path], None], kind: str) -> None:
    found = sorted((published.dist / "public").rglob("*"))
    files = [file for file in found if file.is_file() and not file.name.startswith("sw.js")]
    assert len(files) == 11
    for file in files:
        before = file.read_bytes()
        harm(file)
        (fault,) = verify(published.dist).faults
        assert (fault.kind, fault.file) == (f"fault-{kind}", str(file))
        assert fault.hint
        file.write_bytes(before)


def test_an_encoding_of_other_bytes_is_a_fault_though_size_and_digest_are_as_stated(published: Project) -> None:
    from msgspec.structs import replace

    from assetpipe import manifest
    from assetpipe.paths import Digest

    other = encodings.encode("br", b"other bytes " * 20)
    assert other is not None
    for data in (other, b"no brotli at all"):
        current = manifest.load(published.dist / "manifest.json")
        asset = current.assets["/static/a.css"]
        file = published.dist / f"public{asset.url}.br"
        file.write_bytes(data)
        told = replace(asset, encodings={**asset.encodings, "br": manifest.Encoding(len(data), Digest.of(data))})
        changed = replace(current, assets={**current.assets, "/static/a.css": told})
        (published.dist / "manifest.json").write_bytes(changed.dump())
        (published.dist / f"releases/{current.release}.json").write_bytes(replace(changed, retained=()).dump())
        (fault,) = verify(published.dist).faults
        assert (fault.kind, fault.file) == ("fault-encoding", str(file))


def test_a_plain_copy_that_is_not_current_is_a_warning(published: Project) -> None:
    (published.dist / "public/static/sw.js").write_text("old")
    (fault,) = verify(published.dist).faults
    assert (fault.kind, fault.file) == ("fault-copy", str(published.dist / "public/static/sw.js"))
    assert not verify(published.dist).failed, "no URL is answered from it"


def test_a_missing_or_damaged_release_is_a_fault(published: Project) -> None:
    from assetpipe import manifest

    (older,) = manifest.load(published.dist / "manifest.json").retained
    file = published.dist / f"releases/{older}.json"
    text = file.read_text()
    for damage in ("{", text.replace('"a.', '"b.').replace("text/css", "text/html"), None):
        file.unlink() if damage is None else file.write_text(damage)
        faults = [fault for fault in verify(published.dist).faults if fault.kind == "fault-release"]
        assert [fault.file for fault in faults] == [str(file)]


def test_without_a_manifest_it_says_which_command_makes_one(project: Project) -> None:
    with pytest.raises(ManifestError, match="Run `assetpipe build`"):
        verify(project.dist)


def test_a_fault_says_which_release_it_belongs_to_and_whether_a_build_can_mend_it(published: Project) -> None:
    from assetpipe import manifest

    current = manifest.load(published.dist / "manifest.json")
    older = manifest.load(published.dist / f"releases/{current.retained[0]}.json")
    for release, mended in ((current, True), (older, False)):
        file = published.dist / f"public{release.assets['/static/a.css'].url}"
        before = file.read_bytes()
        file.unlink()
        (fault,) = verify(published.dist).faults
        assert f"/static/a.css of release {release.release} needs it" in fault.text
        assert ("build again" in fault.hint) is mended
        file.write_bytes(before)


class _Meanwhile:
    """Publishes another release, the only one to be kept, as soon as the check has begun."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.begun = 0

    def begin(self, stage: str, total: int) -> None:
        self.begun += 1
        if self.begun == 1:
            self.project.configure(keep=Keep(releases=1))
            self.project.write({"a.css": "a{color:green}" * 30, "sw.js": "2;" * 50})
            self.project.publish()

    def step(self) -> None:
        pass


def test_a_release_that_is_replaced_while_it_is_checked_has_no_faults(published: Project) -> None:
    meanwhile = _Meanwhile(published)
    verified = verify(published.dist, meanwhile)
    assert meanwhile.begun == 2, "else it was not replaced in the midst"
    assert (verified.faults, verified.releases) == ((), 1)
