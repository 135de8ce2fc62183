"""Txt2Img-MHN: images from captions by layers of learnt prototypes instead of MLPs.

A transformer whose feed-forward parts are Hopfield layers draws an image token by token, and says
what comes next by prototypes too, each of which has logits of its own. Such generators are judged
by a classifier that is trained on what they draw and tested on real images.

**Source:** [xu2022txt]
"""

import numpy as np

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Xu et al. (2022), "
CODE = PAPER + "code"
ASKED = "asked here"


@claim(paper="–", source=CODE + "; 64 ε of double", most=1.5e-14)
def a_layer_is_an_mlp_with_a_softmax(run):
    """Prototypes with contents of their own, less an MLP with a softmax: largest difference"""
    return run(m.layer).difference


@claim(paper="–", source=ASKED + "; 64 ε of double", most=1.5e-14)
def reads_of_prototypes_lie_in_their_hull(run):
    """Contents that are the prototypes: how far reads lie beyond their hull in any direction"""
    return run(m.layer).outside


@claim(paper="–", source=ASKED + "; 64 ε of double", most=1.5e-14)
def reads_of_prototypes_lower_the_energy(run):
    """The same: largest rise of the energy under a read, over the largest energy"""
    return run(m.layer).rise


@claim(paper="–", source=CODE, most=0)
def nothing_is_seen_ahead(run):
    """Other tokens from some position on: change of what predicts that token and those before"""
    sight = run(m.sight)
    return Evidence(sight.ahead, f"What comes after changes by {sight.behind:.2g} and more.")


@claim(paper="–", source=CODE, most=0)
def words_follow_words_and_tokens_the_caption(run):
    """Logits that are −∞ although they can follow, or finite and cannot: share"""
    return run(m.sight).masked


@claim(paper="–", source=ASKED, most=0)
def kept_keys_are_the_whole_pass(run):
    """Kept keys, the likeliest token drawn: share of tokens that a whole pass draws otherwise"""
    return run(m.sight).apart


@claim(paper="–", source=CODE, most=0)
def half_of_all_logits_leaves_nothing_out(run):
    """5040 words and 2048 tokens, the better half of all logits: tokens that are left out"""
    note = (
        "Words have logits of −∞ at positions of the image, and they are more than half of all: "
        "the filter that the code applies before it draws does nothing at its sizes."
    )
    return Evidence(run(m.left_out), note)


def of(trained, field):
    """A field of each network, as an array."""
    return np.array([getattr(each, field) for each in trained])


def shot(name, text, least):
    """The zero-shot accuracy of a kind of generators."""

    @claim(f"{text}: zero-shot accuracy", paper="–", source=ASKED, least=least)
    def accuracy(run):
        trained = run(m.trained, name)
        halved, real = of(trained, "halved").mean(), of(trained, "real").mean()
        note = (
            f"With the better half of the four levels it is {halved:.3f}, and for a classifier "
            f"trained on 1400 real digits {real:.3f}. Networks, each with its own division of the "
            f"digits: {len(trained)}, with {len(trained[0].losses)} steps."
        )
        return Evidence(of(trained, "accuracy"), note)

    return accuracy


zero_shot = {
    "prototypes": shot("prototypes", "Blocks and output of prototypes", 0.75),
    "linear": shot("linear", "Blocks of prototypes, linear output", 0.85),
}


@claim(paper="–", source=ASKED, most=0.2)
def other_captions_say_nothing(run):
    """The samples of the first kind with captions shuffled among them: zero-shot accuracy"""
    return of(run(m.trained, "prototypes"), "shuffled")


@claim(paper="–", source=ASKED, most=0)
def pixels_say_more_than_the_class(run):
    """Prototypes: nats a pixel, less those of frequencies of levels by class and pixel"""
    trained = run(m.trained, "prototypes")
    own, table = of(trained, "nats"), of(trained, "table")
    return Evidence(own - table, f"They are {own.mean():.3f} and {table.mean():.3f}.")


@claim(paper="–", source=ASKED, least=0)
def an_output_of_prototypes_costs(run):
    """Blocks of prototypes: nats a pixel with an output of prototypes, less a linear one"""
    both = [of(run(m.trained, name), "nats") for name in ("prototypes", "linear")]
    note = f"They are {both[0].mean():.3f} and {both[1].mean():.3f}."
    return Evidence(both[0] - both[1], note)


@claim(paper="–", source=ASKED, most=0.02)
def prototypes_come_near_an_mlp(run):
    """Linear output: nats a pixel with blocks of prototypes, less those with MLPs as large"""
    both = [run(m.trained, name) for name in ("linear", "mlp")]
    (own, other), shots = (
        [of(trained, field) for trained in both] for field in ("nats", "accuracy")
    )
    note = (
        f"They are {own.mean():.3f} and {other.mean():.3f}, and zero-shot accuracies "
        f"{shots[0].mean():.3f} and {shots[1].mean():.3f}: no gain over an MLP is seen."
    )
    return Evidence(own - other, note)


@claim(paper="–", source=PAPER + "a figure of top tokens; bound asked here", least=0.1)
def prototypes_can_be_read(run):
    """Next pixel is the top token of the leading prototype: share, less that of shuffled tops"""
    readings = [each.reading for each in run(m.trained, "prototypes")]
    own, control = of(readings, "agreement"), of(readings, "control")
    note = (
        f"The shares are {own.mean():.3f} and {control.mean():.3f}. A top token alone says less "
        "than the mixture of all prototypes, which is what the network was trained for."
    )
    return Evidence(own - control, note)


@claim(paper="–", source=PAPER + "zero-shot classification", least=0)
def satellite_images(run):
    """RSICD, 256 × 256: zero-shot accuracy with blocks of prototypes, less that with MLPs"""
    raise NotRun(
        "needs RSICD, a trained VQGAN and days on an accelerator, which are not part of attrax: "
        "there is no command"
    )
