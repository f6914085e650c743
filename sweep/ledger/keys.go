package ledger

import "fmt"

// Prefixes of the keys in a store. Package storage spells two besides: stages/, whose keys it makes, and probe/, under
// which it tests a bucket. No other place spells any (keys_test.go in the root of the repository).
const (
	sweepsPrefix  = "sweeps/"
	resultsPrefix = "results/"
	modelsPrefix  = "models/"
	initsPrefix   = "inits/"
	foldersPrefix = "stages/" // package storage lays out what is below
)

// planFile is the last part of a plan header's key.
const planFile = "/plan.json"

// PlanKey is the key of a sweep's plan header. It is written last: a plan whose
// header is there is whole.
func PlanKey(sweep string) string { return sweepsPrefix + sweep + planFile }

// GridKey is the key of the grid.yaml that a sweep was planned from.
func GridKey(sweep string) string { return sweepsPrefix + sweep + "/grid.yaml" }

// extensionFile begins the last part of an extension's key.
const extensionFile = "extension-"

// ExtensionKey is the key of the grid by which a sweep of so many cells was
// extended.
func ExtensionKey(sweep string, cells int) string {
	return fmt.Sprintf("%s%s/%s%06d.yaml", sweepsPrefix, sweep, extensionFile, cells)
}

// chunkFile begins the last part of a chunk's key.
const chunkFile = "cells-"

// ChunkKey is the key of one chunk of a sweep's cells.
func ChunkKey(sweep string, chunk int) string {
	return fmt.Sprintf("%s%s/%s%06d.json", sweepsPrefix, sweep, chunkFile, chunk)
}

// TreesKey is the key of one chunk of a sweep's trees.
func TreesKey(sweep string, chunk int) string {
	return fmt.Sprintf("%s%s/trees-%06d.json", sweepsPrefix, sweep, chunk)
}

// failuresPrefix is what the keys of a sweep's failure notes begin with.
func failuresPrefix(sweep string) string { return sweepsPrefix + sweep + "/failures/" }

// FailureKey is the key of the note that a cell of a sweep failed or was
// canceled.
func FailureKey(sweep, cell string) string { return failuresPrefix(sweep) + cell + ".json" }

// ReportKey is the key of a file of a sweep's collected results.
func ReportKey(sweep, file string) string { return sweepsPrefix + sweep + "/results/" + file }

// ResultKey is the key of a run's result.
func ResultKey(run string) string { return resultsPrefix + run + ".json" }

// ModelKey is the key of a file of a run's exported model.
func ModelKey(run, file string) string { return modelsPrefix + run + "/" + file }

// initSuffix ends the key of an init.
const initSuffix = ".safetensors"

// InitKey is the key of the weights that training begins from: hash is trainer.Config.Init.
func InitKey(hash string) string { return initsPrefix + hash + initSuffix }

// CurveFile is the last part of the key of a run's curve, beside its model.
const CurveFile = "curve.json"

// WeightsFile is the last part of the key of a run's weights.
const WeightsFile = "sae.safetensors"
