"""The list of methods: grouped by family, and those that cannot serve this model last."""

from ui import method_list
from xai_core.card import Service
from xai_core.explainer import explainers, explaining


def served(*lost):
    return {
        name: Service(why_not="It cannot." if name in lost else None, engines={})
        for name in explainers()
    }


def test_the_first_of_the_first_family_leads():
    names = method_list.ordered(served())
    assert sorted(names) == sorted(explaining("classification"))
    assert names[0] == "grad-cam"
    families = [explainers()[name].family for name in names]
    places = [method_list.FAMILIES.index(family) for family in families]
    assert places == sorted(places)


def test_those_that_cannot_serve_come_last_and_say_so():
    known = served("grad-cam")
    names = method_list.ordered(known)
    assert names[-1] == "grad-cam"
    assert method_list.label("grad-cam", known) == "Grad-CAM (not for this model)"
    assert method_list.label("occlusion", known) == "Occlusion (perturbation)"


def test_one_that_the_card_does_not_know_cannot_serve():
    known = served()
    del known["occlusion"]
    assert method_list.ordered(known)[-1] == "occlusion"


def test_families_hold_every_method_once():
    listed = [cls.name for methods in method_list.by_family().values() for cls in methods]
    assert sorted(listed) == sorted(explaining("classification"))


def test_two_that_are_compared_first_are_of_two_families():
    one, two = (explainers()[name].family for name in method_list.apart(served()))
    assert (one, two) == ("activation maps", "perturbation")
    assert method_list.apart(served())[0] == "grad-cam"
    none_left = served(
        *(n for n, cls in explaining("classification").items() if cls.family != "perturbation")
    )
    assert len(method_list.apart(none_left)) == 1
