// Package figures draws the figures of a paper from the results and the curves of sweeps: the error against dict_size,
// k, compute and l0, dead latents, AuxK, and training curves. It writes SVG, PNG and PDF.
//
// Figures are made of tables alone, wherever those came from. Equal tables give equal bytes in every format. What the
// tables do not hold is not drawn: a figure without data is left out, and the reason is returned.
//
// The package imports sweep/table, sweep/scaling for fits, trainer for the names of settings, and gonum.org/v1/plot. It
// reads no store and writes no file.
package figures
