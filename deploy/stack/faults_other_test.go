//go:build unix && !linux

package stack_test

import "testing"

// Where there is no /proc, processes on one machine see the same data.
func testUnfit(t *testing.T, _ *stack)   { t.Skip("no /proc") }
func testNoneFit(t *testing.T, _ *stack) { t.Skip("no /proc") }
