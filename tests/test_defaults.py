"""What is taken where nothing is said: a change of it changes what users' programs compute."""

import inspect

import jax
import pytest

import attrax

DEFAULTS = {
    "similarity": {
        "Correlation": {"encoded": False},
        "DPFP": {"order": 1},
        "Dot": {"normalised": "none"},
        "Euclidean": {"form": "half_square", "exact": False},
        "JensenShannon": {"form": "negative", "epsilon": 1e-4},
        "Kernel": {"range": "signed"},
        "KullbackLeibler": {"reverse": False, "epsilon": 1e-4, "form": "negative"},
        "Manhattan": {"form": "negative"},
        "NormalisedFeatures": {"norm": "l2"},
        "RandomFeatures": {"orthogonal": False},
        "RectifiedFeatures": {"epsilon": 1e-3, "orthogonal": True},
        "SimilarityFunction": {"rowwise": False, "range": "signed"},
        "SoftmaxFeatures": {
            "beta": 1.0,
            "kind": "positive",
            "orthogonal": True,
            "lengths": "normal",
        },
        "random_directions": {"orthogonal": True, "lengths": "normal"},
    },
    "separation": {
        "CircleIntersection": {"scores": "hamming"},
        "ElementarySymmetric": {"sizes": (2, 3)},
        "Entmax": {"alpha": 1.5, "beta": 1.0},
        "Exponential": {"beta": 1.0},
        "GhostSoftmax": {"beta": 1.0},
        "KSubsets": {"beta": 1.0},
        "Normmax": {"alpha": 2.0, "beta": 1.0},
        "LogSumReLU": {"beta": 1.0, "epsilon": 1e-6},
        "Power": {"rectified": False, "scale": 1.0},
        "SeparationFunction": {"domain": "signed"},
        "Softmax": {"beta": 1.0},
    },
    "dynamics": {
        "Asynchronous": {
            "order": "random",
            "rule": "energy",
            "ties": "keep",
            "seed": 0,
            "max_steps": 100,
        },
        "Coordinates": {"order": "cyclic", "rtol": 1e-4, "atol": 1e-6, "max_steps": 100},
        "Euler": {
            "step": 0.1,
            "backtracking": False,
            "rtol": 1e-4,
            "atol": 1e-6,
            "max_steps": 1000,
        },
        "FixedPoint": {"rtol": 1e-5, "atol": 1e-6, "max_steps": 256},
        "Flow": {"time": 100.0, "rtol": 1e-4, "atol": 1e-6, "max_steps": 1000},
        "Glauber": {"rule": "heat_bath", "order": "random", "seed": 0},
        "Iterate": {"damping": 1.0, "rtol": 1e-4, "atol": 1e-6, "max_steps": 100},
        "Langevin": {"adjusted": True},
        "Replay": {"tolerance": 0.1},
    },
    "learning": {
        "AffineThreeFactor": {
            "key_input": (1.0, 0.0),
            "key_activity": (0.0, 1.0),
            "value_activity": (1.0, 0.0),
            "value_target": (1.0, 0.0),
            "key_rate": 1.0,
            "value_rate": 1.0,
            "decay": 1.0,
            "skip_stable": True,
        },
        "BoundedHebb": {"bound": 0.4},
        "Hebb": {"units": "signs"},
        "Perceptron": {"margin": 0.0, "max_epochs": 1000, "symmetric": False, "partial": False},
        "PseudoInverse": {"dependent": "error"},
        "SequentialSlots": {"advance": "step"},
        "ThreeFactor": {"decay": 1.0, "skip_stable": True, "clipped": True},
    },
    "nn": {
        "DecoderBlock": {"feedforward": 2048, "dropout": 0.1, "norm_first": False},
        "EncoderBlock": {"feedforward": 2048, "dropout": 0.1, "norm_first": False},
        "EnergyTransformer": {
            "heads": 1,
            "steps": 12,
            "alpha": 0.1,
            "self_term": False,
            "noise": 0.0,
        },
        "FastWeight": {
            "heads": 1,
            "rule": "delta",
            "feature_map": jax.nn.silu,
            "norm": "l2",
            "negative_eigenvalues": False,
            "chunk": "auto",
        },
        "GraphEnergyTransformer": {"read": "node", "positions": 0},
        "HopfieldAttention": {
            "heads": 1,
            "steps": 1,
            "project": True,
            "connected": False,
            "norm": False,
            "head_norm": False,
            "bias": True,
            "zero": False,
            "learnt": False,
            "dropout": 0.0,
            "inference": False,
            "deviation": 0.02,
        },
        "HopfieldLookup": {"trainable": True, "trainable_values": True},
        "HopfieldMixer": {"tied": True, "activation": "relu"},
        "HopfieldPooling": {"quantity": 1, "trainable": True},
        "IMLP": {"ratio": 1, "n_iter": 4, "bound": 0.88, "tied": False, "activation": "gelu"},
        "IMixer": {"ratio": 1, "n_iter": 4, "bound": 0.88, "tied": False, "activation": "gelu"},
        "ImplicitMixing": {
            "ratio": 1,
            "n_iter": 4,
            "bound": 0.88,
            "tied": False,
            "activation": "gelu",
        },
        "MixerClassifier": {"block": attrax.nn.HopfieldMixer},
        "MixingLayer": {"tied": True, "activation": "relu"},
        "Performer": {
            "heads": 1,
            "features": "positive",
            "count": 256,
            "orthogonal": True,
            "causal": False,
            "chunk": 128,
            "bias": True,
        },
        "PrototypeLayer": {"per_class": 1, "beta": 1.0},
        "SDMClassifier": {"k": 10},
        "TolmanEichenbaum": {"beta": 1.0},
        "causal_linear_attention": {"chunk": 128},
        "fast_weights": {"rule": "delta", "chunk": "auto"},
        "from_hflayers": {"scaling_as_released": False},
        "locate_path": {"beta": 8.0, "threshold": 0.7, "rate": 1.0},
        "read_image_energy_transformer": {"channels": 3, "steps": 12, "alpha": 0.1},
        "recall_path": {"beta": 8.0, "growing": True},
        "write_gate": {"threshold": 0.7},
    },
    "theory": {
        "condensation_beta": {"ensemble": "spherical"},
        "critical_load": {"temperature": 0.0},
        "circle_intersection": {"form": "exact", "log": False},
        "dense_capacity": {"criterion": "tolerated_error", "error": 0.005, "log": False},
        "dense_flip_probability": {"exact": False},
        "dense_hebbian_critical_load": {"temperature": 0.0, "degree": 4, "entropy": 0.0},
        "dense_hebbian_first_step": {"degree": 4, "entropy": 0.0},
        "dense_hebbian_order_parameters": {"temperature": 0.0, "degree": 4, "entropy": 0.0},
        "episodic_dwell": {"features": 0.0},
        "episodic_strength": {"self_strength": 1.0},
        "exponential_flip_probability": {"damage": 0.0},
        "exponential_rate": {"damage": 0.0, "criterion": "all_patterns"},
        "fit_beta": {"form": "exact", "estimator": "least_squares"},
        "free_entropy": {"ensemble": "spherical"},
        "gardner_capacity": {"margin": 0.0},
        "hebb_capacity": {"criterion": "tolerated_error"},
        "hebb_flip_probability": {"states": "signs"},
        "hebb_free_energy": {"temperature": 0.0, "state": "retrieval"},
        "hebb_order_parameters": {"temperature": 0.0, "state": "retrieval"},
        "largest_overlap": {"ensemble": "spherical"},
        "modern_capacity": {"beta": 1.0, "radius": 1.0, "failure": 0.001},
        "modern_contraction_bound": {"distance": 0.0, "constant": "variance", "log": False},
        "modern_error_bound": {"distance": 0.0, "log": False},
        "optimal_radius": {"criterion": "signal_to_noise", "recalled": 0.5},
        "orthogonal_feature_error": {"kind": "positive"},
        "overlap_cumulant": {"ensemble": "spherical"},
        "overlap_information": {"states": "signs"},
        "overlap_rate": {"ensemble": "spherical"},
        "scaffold_information": {"rule": "pseudo_inverse"},
        "scaffold_overlap": {"rule": "pseudo_inverse"},
        "mixed_sequence_capacity": {"criterion": "sequence", "log": False},
        "sequence_capacity": {"criterion": "sequence", "log": False},
        "sequence_flip_probability": {"exact": False},
        "separation_rate": {"overlap": 1.0, "ensemble": "spherical"},
        "softmax_basin": {"ensemble": "spherical"},
        "softmax_feature_error": {"kind": "positive"},
        "softmax_rate": {"ensemble": "spherical", "criterion": "all_patterns"},
        "transition_load": {"temperature": 0.0},
        "unsupervised_load": {"degree": 4},
    },
    "evaluate": {
        "basin_sweep": {"probes": 100, "tolerance": 0.05, "confidence": 0.95},
        "bit_error": {"units": "signs"},
        "capacity_scan": {
            "meaning": "fixed_point",
            "draws": 100,
            "damage": 0.0,
            "padded": False,
            "units": "signs",
            "confidence": 0.95,
        },
        "classify_fixed_points": {"mass": 0.9},
        "classify_states": {"mixtures": 3, "tolerance": 0},
        "draw_softmax_thresholds": {"overlap": 1.0},
        "metastable_size": {"mass": 0.9},
        "overlap": {"units": "signs"},
        "success_bands": {"confidence": 0.95},
    },
}


@pytest.mark.parametrize("room", DEFAULTS)
def test_defaults_are_those_that_are_written_here(room):
    """All but None, which stands for a choice that is made by what else is given."""
    defaults = {}
    for name, thing in vars(getattr(attrax, room)).items():
        if name.startswith(("_", "Abstract")) or not callable(thing):
            continue
        parameters = inspect.signature(thing).parameters.values()
        given = {p.name: p.default for p in parameters if p.default not in (p.empty, None)}
        if given:
            defaults[name] = given
    assert defaults == DEFAULTS[room]
    # 0 == False, but they are not the same default.
    assert [type(v) for d in defaults.values() for v in d.values()] == [
        type(DEFAULTS[room][name][key]) for name, d in defaults.items() for key in d
    ]
