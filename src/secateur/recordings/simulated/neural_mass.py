"""A patch of cortex as four populations of neurons, after Wendling et al. (2002).

F. Wendling, F. Bartolomei, J.-J. Bellanger, P. Chauvel, "Epileptic fast activity can be explained by a
model of impaired GABAergic dendritic inhibition", Eur J Neurosci 15 (2002) 1499–1508. Pyramidal cells
excite excitatory, slow (dendritic) and fast (somatic) inhibitory interneurons and are driven by all
three; slow interneurons also inhibit fast ones. The summed membrane potential of the pyramidal cells, in
mV, is what an electrode above the patch would see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_RATE = 512
"""Steps of the model in a second: the fastest synapse (2 ms) asks for this many."""

_EXCITATORY_RATE, _SLOW_RATE, _FAST_RATE = 100.0, 50.0, 500.0  # inverse time constants, 1/s
_MAXIMAL_FIRING, _THRESHOLD, _STEEPNESS = 2.5, 6.0, 0.56  # e0 in 1/s, v0 in mV, r in 1/mV
_CONTACTS = 135.0  # C, from which all seven connectivity constants follow
_TO_EXCITATORY, _FROM_EXCITATORY = _CONTACTS, 0.8 * _CONTACTS
_TO_SLOW, _FROM_SLOW = 0.25 * _CONTACTS, 0.25 * _CONTACTS
_TO_FAST, _SLOW_TO_FAST, _FROM_FAST = 0.3 * _CONTACTS, 0.1 * _CONTACTS, 0.8 * _CONTACTS
_INPUT_MEAN, _INPUT_SPREAD = 90.0, 100.0  # pulses/s from the rest of the brain
_COUPLING = 15.0  # contacts from a leader's pyramidal cells


@dataclass(frozen=True)
class Gains:
    """Synaptic gains in mV, each of shape (steps, patches), at `STEP_RATE`."""

    excitation: NDArray[np.float64]
    slow_inhibition: NDArray[np.float64]
    fast_inhibition: NDArray[np.float64]


@dataclass(frozen=True)
class Patches:
    """What does not change over time, each of shape (patches,).

    `tempo` multiplies all rates of a patch (1 is the paper's cortex). `leaders` names for each patch
    the one whose pyramidal cells excite it from afar; a patch that leads itself is driven by none.
    """

    tempo: NDArray[np.float64]
    leaders: NDArray[np.intp]


def simulate_patches(
    gains: Gains, patches: Patches, generator: np.random.Generator
) -> NDArray[np.float64]:
    """The pyramidal potential of every patch in mV, shape (steps, patches), at `STEP_RATE`.

    All patches advance together; Python loops over time alone. Each synapse is a critically damped
    filter, so its step is computed exactly with its input held: Euler's step would need to be far
    shorter to get the fast synapse right.
    """
    steps, count = gains.excitation.shape
    rates = (
        np.array([_EXCITATORY_RATE, _EXCITATORY_RATE, _SLOW_RATE, _FAST_RATE, _SLOW_RATE])[
            :, np.newaxis
        ]
        * patches.tempo
    )
    decay = np.exp(-rates / STEP_RATE)
    phase = rates / STEP_RATE
    keep_potential, slope_to_potential = decay * (1 + phase), decay / STEP_RATE
    potential_to_slope, keep_slope = -decay * rates * phase, decay * (1 - phase)
    drive_potential = (1 - decay * (1 + phase)) / rates
    drive_slope = decay * phase
    # Rows: synapses of pyramidal, excitatory, slow and fast cells, and of slow cells onto fast ones.
    potential = np.zeros((5, count))
    slope = np.zeros((5, count))
    seen = np.zeros((4, count))  # by pyramidal, excitatory, slow and fast cells
    drive = np.zeros((5, count))
    pyramidal = np.empty((steps, count))
    noise = _INPUT_MEAN + _INPUT_SPREAD * generator.standard_normal((steps, count))
    contacts = np.array([_TO_EXCITATORY, _TO_SLOW, _TO_FAST])[:, np.newaxis]
    coupling = np.where(patches.leaders == np.arange(count), 0.0, _COUPLING)
    for step in range(steps):
        np.subtract(potential[1], potential[2], out=seen[0])
        seen[0] -= potential[3]
        pyramidal[step] = seen[0]
        np.multiply(contacts, potential[0], out=seen[1:])
        seen[3] -= _SLOW_TO_FAST * potential[4]
        firing = 2 * _MAXIMAL_FIRING / (1 + np.exp(_STEEPNESS * (_THRESHOLD - seen)))
        excitation, slow = gains.excitation[step], gains.slow_inhibition[step]
        drive[0] = excitation * firing[0]
        outside = noise[step] + coupling * firing[0, patches.leaders]
        drive[1] = excitation * (outside + _FROM_EXCITATORY * firing[1])
        drive[4] = slow * firing[2]
        drive[2] = _FROM_SLOW * drive[4]
        drive[3] = gains.fast_inhibition[step] * _FROM_FAST * firing[3]
        moved = keep_potential * potential + slope_to_potential * slope + drive_potential * drive
        slope = potential_to_slope * potential + keep_slope * slope + drive_slope * drive
        potential = moved
    return pyramidal
