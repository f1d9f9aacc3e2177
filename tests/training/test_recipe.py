"""Recipes and settings: what is found, what is changed, what is refused with which words."""

import pytest

from napari_rdl.errors import ConfigError
from napari_rdl.training.config import TrainingConfig
from napari_rdl.training.recipe import load_recipe, recipe_names, setting_keys, validate_config


def test_recipes_come_with_the_package():
    ours = {"brats2018", "brats2020", "deep_sets", "gated", "laptop", "shipped", "synthetic"}
    others = {f"table2/{method}" for method in ("rfnet", "mmformer", "m3ae", "m3ae-masked", "gmd")}
    assert set(recipe_names()) == ours | others


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_valid(name):
    assert load_recipe(name).name == name.rpartition("/")[2]


@pytest.mark.parametrize("name", ["brats2018", "brats2020"])
def test_the_papers_recipe_states_the_paper(name):
    config = load_recipe(name)
    settings = config.optimizer
    assert (settings.lr, settings.weight_decay, settings.batch, settings.epochs) == (8e-4, 1e-5, 8, 600)
    assert settings.max_steps is None
    assert (config.loss.dice, config.loss.divergence, config.loss.mutual_information) == (1, 1, 1)
    assert (config.loss.kind, config.loss.alpha, config.loss.target) == ("holder", 1.1, "label")
    assert config.loss.region_dice == 0
    assert (config.network.norm, config.network.fusion) == ("shared", "mean")
    assert config.data.crop == (80, 80, 80)
    assert not any((config.augment.gamma, config.augment.noise, config.augment.blur, config.augment.affine))


def test_settings_are_changed_by_key():
    config = load_recipe("laptop", ["optimizer.lr=1e-2", "data.crop=[16, 16, 16]", "data.cache=/tmp/x y"])
    assert (config.optimizer.lr, config.data.crop, config.data.cache) == (0.01, (16, 16, 16), "/tmp/x y")


def test_none_is_a_value():
    assert load_recipe("laptop", ["optimizer.max_steps=none"]).optimizer.max_steps is None


def test_a_recipe_may_be_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[loss]\nalpha = 1.2\n')
    assert load_recipe(path).loss.alpha == 1.2


def test_every_setting_has_a_title_and_a_description():
    def parts(model):
        for name, field in model.model_fields.items():
            yield name, field
            if hasattr(field.annotation, "model_fields"):
                yield from parts(field.annotation)

    bare = [name for name, field in parts(TrainingConfig) if not (field.title and field.description)]
    assert not bare


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["optimizer.learning_rat=1"], "no setting 'optimizer.learning_rat'"),
        (["optimiser.lr=1e-3"], "did you mean 'optimizer.lr'"),
        (["optimizer.lrr=1e-3"], "did you mean 'optimizer.lr'"),
        (["lr=1e-3"], "did you mean 'optimizer.lr'"),
        (["optimizer.lr.x=1"], "no setting 'optimizer.lr.x'"),
        (["optimizer.batch=many"], "optimizer.batch.*'many'"),
        (["loss.alpha=1.0"], "loss.alpha.*greater than 1"),
        (["loss.alpha=0.9"], "loss.alpha.*greater than 1"),
        (["loss.alpha=inf"], "loss.alpha.*finite"),
        (["data.spacing=[nan, 1.0, 1.0]"], "data.spacing.*finite"),
        (["data.phantom_volume_ml=[9.0, 4.0]"], "the smaller volume first"),
        (["data.phantom_volume_ml=[0.0, 4.0]"], "must be positive"),
        (["loss.kind=hoelder"], "loss.kind"),
        (["data.crop=[9, 8, 8]"], "data.crop.*divisible by 4"),
        (["data.fold=5"], "fold must be below folds"),
        (["optimizer.batch=4", "optimizer.micro_batch=3"], "micro_batch"),
        (["optimizer.batch=3", "hardware.devices=2"], "divisible by the 2 processes"),
        (["loss.dice=0", "loss.divergence=0", "loss.region_dice=0"], "weight above 0"),
        (["optimizer.lr"], "has no '='"),
    ],
)
def test_bad_settings_are_one_sentence(changes, words):
    with pytest.raises(ConfigError, match=words) as error:
        load_recipe("laptop", changes)
    assert "\n" not in str(error.value)


def test_a_setting_is_its_own_nearest_key():
    assert "optimizer.lr" in setting_keys()
    assert "optimizer" not in setting_keys()


@pytest.mark.parametrize("name", ["x" * 300, "a\ud800", "a\0b"])
@pytest.mark.parametrize(
    "place",
    [
        {"start_from": "NAME"},
        {"data": {"source": "NAME"}},
        {"data": {"sources": [{"source": "phantom:2"}, {"source": "NAME"}]}},
        {"data": {"source": "phantom:2", "validation": "NAME"}},
        {"data": {"source": "phantom:2", "validation_sources": ["phantom:2", "NAME"]}},
        {"data": {"source": "phantom:2", "cache": "NAME"}},
    ],
)
def test_a_setting_that_names_no_path_is_refused(place, name):
    def filled(part):
        if isinstance(part, dict):
            return {key: filled(value) for key, value in part.items()}
        if isinstance(part, list):
            return [filled(value) for value in part]
        return name if part == "NAME" else part

    with pytest.raises(ConfigError, match=r"the name (is too long|holds)"):
        validate_config(filled(place), "config.json")


@pytest.mark.parametrize("name", ["labtop", "/nowhere/x.toml", "x" * 300 + ".toml"])
def test_missing_recipe(name):
    with pytest.raises(ConfigError, match="laptop"):
        load_recipe(name)


def test_recipe_that_is_no_toml(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("name =")
    with pytest.raises(ConfigError, match=r"bad\.toml cannot be read as TOML"):
        load_recipe(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"a = " + b"[" * 100_000,
        b"seed = " + b"9" * 5_000,
        b"network = 3",
        b"[network]\nchannels = [800000, -1]",
        b"[network]\nchannels = []",
        b"[data]\nspacing = [nan, 1, 1]",
        b"[data]\nspacing = [0, 1, 1]",
        b"[optimizer]\nlr = nan",
        b"[optimizer]\nlr = -inf",
        b"[optimizer]\nbatch = -1",
        b"[[network]]",
        b"a = 1\na = 2",
        b"\x00",
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_recipe_that_is_none_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="odd") as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_folder_and_a_device_are_no_recipes(tmp_path):
    for path in (tmp_path, "/dev/zero"):
        with pytest.raises(ConfigError, match="There is no recipe"):
            load_recipe(path)


@pytest.mark.parametrize(
    "change",
    [
        "optimizer.lr=nan",
        "optimizer.lr=inf",
        "optimizer.lr=" + "[" * 100_000,
        "seed=" + "9" * 5_000,
        "network.channels=[800000, 4]",
        "data.spacing=[1e-9, 1, 1]",
        "data.spacing=[1, 1, nan]",
        "data.crop=[0, 0, 0]",
        "=3",
        "network=3",
        "..=1",
        "network.channels.x=1",
    ],
    ids=lambda change: change[:30],
)
def test_a_change_that_fits_nothing_is_refused_in_a_sentence(change):
    with pytest.raises(ConfigError) as caught:
        load_recipe("laptop", [change])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
