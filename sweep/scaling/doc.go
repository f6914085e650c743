// Package scaling fits scaling laws to the results of sweeps. It chooses one point for each k and dict_size (Points),
// or the lower envelope of the curves (Envelope), fits a form to them (FitPoints), and predicts the nmse (Fit.Predict)
// and the cost (CostOf) of a cell that was not trained.
//
// All is deterministic: the bootstrap draws from a seeded generator. A form that the points do not determine is not
// fitted: FitPoints returns a NotDetermined, which names the coefficients and has the fit of a smaller form.
//
// docs/scaling.md has the forms, the selection and the intervals in full.
//
// Of this project the package imports trainer, for the names of the settings, and sweep/table. It reads no store and no
// file.
package scaling
