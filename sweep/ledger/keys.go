package ledger

import (
	"fmt"
	"strconv"
	"strings"
)

// Prefixes of the keys in a store. Package storage spells two besides: stages/, whose keys it makes, and probe/, under
// which it tests a bucket. No other place spells any (keys_test.go in the root of the repository).
const (
	sweepsPrefix  = "sweeps/"
	resultsPrefix = "results/"
	modelsPrefix  = "models/"
	initsPrefix   = "inits/"
	foldersPrefix = "stages/" // package storage lays out what is below
)

// planFile begins the last part of the key of a plan header, and headerSuffix ends it.
const (
	planFile     = "plan"
	headerSuffix = ".json"
)

// PlanKey is the key of a sweep's first plan header. It is written last: a plan whose
// header is there is whole.
func PlanKey(sweep string) string { return sweepsPrefix + sweep + "/" + planFile + headerSuffix }

// NextPlanKey is the key of the header with a number from 2 on: that of a plan that has changed. The highest one
// counts.
func NextPlanKey(sweep string, number int) string {
	return fmt.Sprintf("%s%s/%s-%06d%s", sweepsPrefix, sweep, planFile, number, headerSuffix)
}

// headerOfKey returns the sweep and the number of the plan header that lies under a key; ok is false for any other key.
func headerOfKey(key string) (sweep string, number int, ok bool) {
	sweep, file, ok := strings.Cut(strings.TrimPrefix(key, sweepsPrefix), "/")
	if !ok || !strings.HasPrefix(file, planFile) {
		return "", 0, false
	}
	if key == PlanKey(sweep) {
		return sweep, 1, true
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(file, planFile+"-"), headerSuffix)
	number, err := strconv.Atoi(digits)
	return sweep, number, err == nil && number > 1 && key == NextPlanKey(sweep, number)
}

// removingFile is the last part of the key of the mark that a sweep is being removed. It begins with planFile, so that
// one listing shows it with the headers. Programs that do not know it pass over it.
const removingFile = planFile + "-removing" + headerSuffix

// removingKey is the key of the mark that a sweep is being removed.
func removingKey(sweep string) string { return sweepsPrefix + sweep + "/" + removingFile }

// removalFolder is the checkpoint folder that has no checkpoints: whoever removes sweeps has a claim on it.
const removalFolder = "removing"

// GridKey is the key of the grid.yaml that a sweep was planned from.
func GridKey(sweep string) string { return sweepsPrefix + sweep + "/grid.yaml" }

// extensionFile begins the last part of an extension's key.
const extensionFile = "extension-"

// ExtensionKey is the key of the grid by which an earlier version of the program extended a sweep of so many cells.
func ExtensionKey(sweep string, cells int) string { return PartExtensionKey(sweep, cells, "") }

// PartExtensionKey is the key of the grid by which a sweep of so many cells was extended by a part.
func PartExtensionKey(sweep string, cells int, part string) string {
	return fmt.Sprintf("%s%s/%s%06d%s.yaml", sweepsPrefix, sweep, extensionFile, cells, dashed(part))
}

// dashed returns what stands for the name of a part behind a number in a key.
func dashed(part string) string {
	if part == "" {
		return ""
	}
	return "-" + part
}

// chunkFile begins the last part of a chunk's key.
const chunkFile = "cells-"

// ChunkKey is the key of one chunk of a sweep's cells as they were first submitted.
func ChunkKey(sweep string, chunk int) string { return PartChunkKey(sweep, chunk, "") }

// PartChunkKey is the key of one chunk of the cells of a part (plan.Part). Chunks of a part are counted from 0.
func PartChunkKey(sweep string, chunk int, part string) string {
	return fmt.Sprintf("%s%s/%s%06d%s.json", sweepsPrefix, sweep, chunkFile, chunk, dashed(part))
}

// TreesKey is the key of one chunk of a sweep's trees as they were first submitted.
func TreesKey(sweep string, chunk int) string { return PartTreesKey(sweep, chunk, "") }

// PartTreesKey is the key of one chunk of the trees of a part.
func PartTreesKey(sweep string, chunk int, part string) string {
	return fmt.Sprintf("%s%s/trees-%06d%s.json", sweepsPrefix, sweep, chunk, dashed(part))
}

// failuresPrefix is what the keys of a sweep's failure notes begin with.
func failuresPrefix(sweep string) string { return sweepsPrefix + sweep + "/failures/" }

// FailureKey is the key of the note that a cell of a sweep failed or was
// canceled.
func FailureKey(sweep, cell string) string { return failuresPrefix(sweep) + cell + ".json" }

// shardsPrefix is what the keys of a sweep's result shards begin with.
func shardsPrefix(sweep string) string { return sweepsPrefix + sweep + "/shards/" }

// shardKey is the key of the shard with the results of one chunk of a sweep's cells. what says which results these are:
// it changes with any of them.
func shardKey(sweep string, chunk int, what string) string {
	return fmt.Sprintf("%s%06d-%s.json", shardsPrefix(sweep), chunk, what)
}

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
