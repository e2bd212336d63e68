"""init: templates copied with one placeholder replaced, and never over files."""

from pathlib import Path

import pytest

from bundlectl.base.resources import resource_folder
from bundlectl.model.errors import InputError, UsageError
from bundlectl.operations.scaffold import PLACEHOLDER, SCHEMA, scaffold, templates


def test_every_template_is_copied_whole_with_its_name(tmp_path: Path) -> None:
    assert set(templates()) >= {"minimal", "orders"}
    for template in templates():
        made = scaffold(template, tmp_path / template, "shop")
        assert "databricks.yml" in made.files
        texts = [(made.folder / name).read_text(encoding="utf-8") for name in made.files if name != SCHEMA]
        assert not any(PLACEHOLDER in text for text in texts)
        assert any("name: shop" in text for text in texts)


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="not an empty folder"):
        scaffold("minimal", tmp_path, "shop")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_repository_is_a_fine_place(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert scaffold("minimal", tmp_path, "shop").files


@pytest.mark.parametrize(("template", "name", "told"), [("order", "shop", "orders"), ("minimal", "a b", "cannot name")])
def test_what_cannot_be_made_is_said(tmp_path: Path, template: str, name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        scaffold(template, tmp_path / "new", name)
    assert not (tmp_path / "new").exists()


def test_editors_find_the_schema_of_every_bundle_file(tmp_path: Path) -> None:
    published = (resource_folder("schemas") / "bundle/v1.json").read_bytes()
    for template in templates():
        made = scaffold(template, tmp_path / template, "shop")
        files = [made.folder / name for name in made.files if name.endswith((".yml", ".yaml"))]
        assert files
        for file in files:
            first = file.read_text(encoding="utf-8").splitlines()[0]
            assert first.startswith("# yaml-language-server: $schema=")
            assert (file.parent / first.partition("=")[2]).read_bytes() == published
