//go:build unix && !linux

package stack_test

import (
	"os"
	"path/filepath"
	"testing"
)

// chaosSource is the source of the chaos sweep: the same for all processes.
func chaosSource(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "acts")
}

// disturbancesOfViews has none: all processes see the same data here.
func (c *chaos) disturbancesOfViews() map[string]disturbance { return nil }
