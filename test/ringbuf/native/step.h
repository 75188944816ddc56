// Included before everything else in the build of ring_stress_kill: ring.cpp's marks become places
// to die at.
#pragma once

/** Raises SIGKILL when `step` is the one that was chosen. */
void btfuse_step(int step);
#define BTFUSE_STEP(step) btfuse_step(step)
