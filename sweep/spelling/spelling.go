// Package spelling finds the name that a misspelt one was to be: a key of a grid, a column of a table.
//
// The package imports nothing of this project.
package spelling

import "strings"

// Simplify returns the common form of the spellings of one name: parallelTrialCount, parallel-trial-count and
// parallel_trial_count are all paralleltrialcount.
func Simplify(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// Nearest returns the known name of which word is most likely a misspelling, or "". A word of n letters may differ from
// the name in max(1, n/3) letters. A word of over 64 bytes is far from all.
func Nearest(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// editDistance returns the number of edits that make b of a. An edit inserts, deletes or replaces a byte, or swaps two
// neighbours (optimal string alignment distance).
func editDistance(a, b string) int {
	// Row i of the usual table holds the distances of a[:i] from all prefixes of b. Three rows are kept.
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
