// Package cpu is the backend that needs nothing but a CPU.
//
// A step is a list of phases, which the comment of the model's train (step.go) gives with
// their formulas and shapes. One of them makes a dense product, the encoder's; screen.go says
// how most of it is done in 16-bit integers with the same results. All other phases
// touch only the latents that were kept.
//
// The results do not depend on the number of threads: work is cut into tasks by the
// shapes alone, each output is written by one task in a fixed order, and sums over
// tasks are added in the order of the tasks. The results do depend on the instruction
// path, since each path adds in an order of its own; avx512vnni and avx512 agree. So
// the path is part of what "the same machine" means.
//
// The package may import trainer and golang.org/x/sys/cpu. It reads one environment
// variable, SWEEP_CPU, which forces the instruction path.
package cpu
