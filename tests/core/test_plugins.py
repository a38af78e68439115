"""Registries: names, where things come from, and what is said where there is none."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.core import plugins
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import EXPORTERS, PluginError, Registry, SuffixRegistry, usable

SHIPPED = {"zebra": "core.errors:InputError", "apple": "core.errors:NotFiniteError"}


@pytest.fixture
def points(monkeypatch):
    """A function that makes other packages declare things: names and places."""

    def declare(**places: str) -> None:
        found = [EntryPoint(name, place, "semantic_guidance.fruits") for name, place in places.items()]
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda group: found if group.endswith("fruits") else []
        )

    declare()
    return declare


@pytest.fixture
def fruits(points) -> Registry[object]:
    return Registry("fruit", "fruits", SHIPPED)


def test_what_ships_comes_first_and_the_rest_by_the_alphabet(points, fruits):
    points(plum="json:dumps", banana="json:loads")
    fruits.register("melon", 3)
    fruits.register("apple", 4)
    assert fruits.names() == ("zebra", "apple", "banana", "melon", "plum")
    assert fruits.others() == ("banana", "melon", "plum")
    assert all(name in fruits for name in fruits.names())
    assert "pear" not in fruits
    assert 3 not in fruits


def test_things_are_imported_when_they_are_asked_for(points, fruits, tmp_path, monkeypatch):
    (tmp_path / "orchard.py").write_text("class Tree:\n    class Fruit:\n        pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    points(plum="orchard:Tree.Fruit", tree="orchard : Tree", ground="orchard")
    fruits.needs = ()
    assert "plum" in fruits.names()
    assert "orchard" not in sys.modules
    plum = fruits.get("plum")
    assert plum.__qualname__ == "Tree.Fruit"
    assert fruits.get("tree").Fruit is plum
    assert fruits.get("ground") is sys.modules["orchard"]
    assert fruits.get("zebra") is InputError
    monkeypatch.delitem(sys.modules, "orchard")
    assert fruits.get("plum") is plum


def test_what_ships_keeps_its_name_against_other_packages_but_not_against_this_process(points, fruits):
    points(zebra="json:dumps", plum="json:dumps")
    assert fruits.get("zebra") is InputError
    fruits.register("zebra", 7)
    fruits.register("plum", "json:loads")
    assert fruits.get("zebra") == 7
    assert fruits.get("plum") is json.loads
    fruits.register("zebra", 8)
    assert fruits.get("zebra") == 8
    fruits.unregister("zebra")
    fruits.unregister("plum")
    fruits.unregister("plum")
    assert fruits.get("zebra") is InputError
    assert fruits.get("plum") is json.dumps


def test_of_two_packages_with_one_name_the_choice_is_always_the_same(monkeypatch):
    both = [EntryPoint("plum", place, "semantic_guidance.fruits") for place in ("json:loads", "json:dumps")]
    for found in (both, both[::-1]):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group, found=found: found)
        assert Registry("fruit", "fruits", {}).get("plum") is json.dumps


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("aple", " (did you mean 'apple'?)"),
        ("zebras", " (did you mean 'zebra'?)"),
        ("xylophone", ""),
        ("", ""),
    ],
)
def test_a_name_that_is_not_known(fruits, name, hint):
    with pytest.raises(InputError) as raised:
        fruits.get(name)
    assert str(raised.value) == f"fruit is {name!r}, wanted one of zebra, apple{hint}"
    assert not isinstance(raised.value, PluginError)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nowhere.at.all:x", "ModuleNotFoundError: No module named 'nowhere'"),
        ("json:nothing", "AttributeError: module 'json' has no attribute 'nothing'"),
        ("json:decoder.nothing", "AttributeError: module 'json.decoder' has no attribute 'nothing'"),
        ("json", "AttributeError: it has no '__call__'"),
        ("", "ValueError: Empty module name"),
        ("rotten", "OSError: two"),
        ("leaving", "SystemExit: without a reason"),
    ],
)
def test_a_plug_in_that_cannot_be_loaded(points, fruits, place, reason, tmp_path, monkeypatch, capsys):
    (tmp_path / "rotten.py").write_text("raise OSError('two\\nlines')")
    (tmp_path / "leaving.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    points(plum=place)
    with pytest.raises(PluginError) as raised:
        fruits.get("plum")
    assert str(raised.value) == (
        f"fruit 'plum' of an unknown package cannot be loaded from {place!r}: {reason};"
        " wanted a working plug-in, or the package removed"
    )
    assert usable(fruits).keys() == SHIPPED.keys()
    assert capsys.readouterr().err == ""
    assert usable(fruits, warn=True).keys() == SHIPPED.keys()
    assert capsys.readouterr().err == f"semantic-guidance: warning: {raised.value}\n"
    fruits.unregister("plum")
    fruits.register("plum", place)
    with pytest.raises(PluginError, match=r"^fruit 'plum' of register\(\) cannot be loaded"):
        fruits.get("plum")


def test_faults_of_our_own_are_not_blamed_on_a_package(points):
    with pytest.raises(ModuleNotFoundError, match=r"semantic_guidance\.nowhere"):
        Registry("fruit", "fruits", {"apple": "nowhere:x"}).get("apple")


def test_every_group_is_ours():
    registries = [thing for thing in vars(plugins).values() if isinstance(thing, Registry)]
    assert len(registries) == 7
    assert len({registry.group for registry in registries}) == 7
    for registry in registries:
        assert registry.group.startswith("semantic_guidance.")
        for name in registry.shipped:
            thing = registry.get(name)
            assert all(hasattr(thing, need) for need in registry.needs), name


suffixes = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=3).map(".".join)


@given(names=st.sets(suffixes, min_size=1), stem=st.text("abc. é-", min_size=1), data=st.data())
def test_the_longest_suffix_decides(names, stem, data):
    registry: SuffixRegistry[str] = SuffixRegistry("format", "none", {})
    for name in names:
        registry.register(name, name)
    name = data.draw(st.sampled_from(sorted(names)))
    file = data.draw(st.sampled_from([f"{stem}.{name}", f"folder.{name}/{stem}.{name.upper()}"]))
    fitting = [each for each in names if f"{stem}.{name}".endswith(f".{each}")]
    assert registry.of(file) == max(fitting, key=len)


@pytest.mark.parametrize("path", ["a", "", ".png", "png", "a.png/b", "a.png.txt", "a.pngx", "a.", "a.svg "])
def test_a_file_that_no_suffix_fits(path):
    with pytest.raises(InputError, match=r"format .* is not known, wanted one of png, jpg, "):
        EXPORTERS.of(path)
