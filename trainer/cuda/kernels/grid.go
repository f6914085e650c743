//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// over returns n / per, rounded up.
func over(n, per int) int { return (n + per - 1) / per }

// linear is the grid of a kernel with one thread for each of n items, in blocks of threads
// threads.
func linear(n, threads int) driver.Grid { return driver.Linear(over(n, threads), threads) }

// warps is the number of warps of a block whose warps each work on one row or latent:
// ORDER_WARPS of group.cu.
const warps = 4

// warpEach is the grid of a kernel with one warp for each of n rows or latents.
func warpEach(n int) driver.Grid {
	return driver.Grid{Blocks: [3]uint32{uint32(over(n, warps))}, Threads: [3]uint32{32, warps}}
}

// rowThreads is the number of threads of a block that works on one row of n items.
func rowThreads(n int) int { return min(256, 32*over(max(n, 1), 32)) }

// blockEach is the grid of a kernel with one block for each of n rows of width items.
func blockEach(n, width int) driver.Grid { return driver.Linear(n, rowThreads(width)) }

// A team is the threads that work on one row of D4 float4. It has warps warps, and each
// thread holds each float4: D = 512 takes 1 warp of 4 float4 a thread, D = 1040 takes 3 warps.
type team struct{ warps, each int }

// MaxD4 is the widest row that a team can hold, in float4. cuda.Unsupported refuses wider ones.
const MaxD4 = 32 * 32 * 4

func teamOf(d4 int) team {
	w := over(d4, 32*4)
	return team{warps: w, each: over(d4, 32*w)}
}

// grid is the grid of a kernel with one team for each of n rows. Teams of one warp share
// blocks.
func (t team) grid(n int) driver.Grid {
	if t.warps == 1 {
		return warpEach(n)
	}
	return driver.Linear(n, 32*t.warps)
}
