// Package cpu is the backend that needs nothing but a CPU. It trains with one
// dense product a step, the encoder's; everything else touches only the latents
// that were kept.
//
// The results do not depend on the number of threads: work is cut into tasks by
// the shapes alone, each output is written by one task in a fixed order, and
// sums over tasks are added in the tasks' order. They do depend on the
// instruction path (avx512vnni and avx512, avx2, neon, portable), part of what "same
// machine" means: the paths add in different orders.
//
// The package may import trainer and golang.org/x/sys/cpu. It reads one
// environment variable, SWEEP_CPU, which forces the instruction path.
package cpu
