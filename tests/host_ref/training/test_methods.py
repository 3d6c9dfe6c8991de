import pytest

from host_ref.training import recipe
from host_ref.training.binarize import SURROGATES
from host_ref.training.loop import OPTIMIZERS
from host_ref.training.methods import CHOICES, Method
from host_ref.training.recipe import Recipe


@pytest.mark.parametrize("field", CHOICES)
def test_an_unknown_choice_is_refused_by_name(field):
    with pytest.raises(ValueError, match=f"{field} 'wrong' is not one of {CHOICES[field][0]}"):
        Method(**{field: "wrong"})


def test_what_is_not_affine_in_the_sums_says_why():
    assert Method().obstacle is None
    assert Method(normalization="shift", scale="alpha", order="xnor", bias="yes").obstacle is None
    assert "real numbers" in Method(activations="relu").obstacle
    assert "K scales" in Method(scale="alpha_k").obstacle


@pytest.mark.parametrize("field", ["surrogate", "optimizer", "mirror"])
def test_a_recipe_checks_its_own_words_and_its_methods(field):
    with pytest.raises(ValueError, match=f"{field} 'wrong' is not one of"):
        Recipe(**{field: "wrong"})


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"batch": 1}, {"validation": -1},
                                     {"precision": "float16"}])
def test_a_recipe_refuses_what_it_cant_run(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Recipe(**changes)


def test_every_choice_has_its_code():
    assert set(CHOICES["surrogate"]) == set(SURROGATES)
    assert set(recipe.CHOICES["optimizer"]) == set(OPTIMIZERS)
