// Rows writes the data of the sweeps that bin/gpu-check times: four shards of float16, whose rows are sparse sums of
// directions, as those of grid key data.synthetic. Shards are what a real sweep reads.
//
//	rows FOLDER ROWS DIM DIRECTIONS
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// shards is the number of files.
const shards = 4

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rows:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("%d arguments; want FOLDER ROWS DIM DIRECTIONS", len(args))
	}
	var n [3]int
	for i, text := range args[1:] {
		var err error
		if n[i], err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	return write(args[0], n[0], n[1], n[2])
}

// write makes the folder and writes the shards into it. rows are divided evenly, and what is left over is not written.
func write(folder string, rows, dim, directions int) error {
	set, err := data.Open(context.Background(), trainer.DataSpec{
		Synthetic: &trainer.Synthetic{
			ActivationDim: dim, Directions: directions, Tokens: int64(rows), Active: min(30, float64(directions)/4),
			Zipf: 0.7, Noise: 0.02, Seed: 1,
		},
		EvalTokens: 1,
	}, data.Options{})
	if err != nil {
		return err
	}
	defer set.Close()
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	each := rows / shards
	for i := range shards {
		name := filepath.Join(folder, fmt.Sprintf("rows-%d.safetensors", i))
		if err := writeShard(name, set, int64(i*each), each); err != nil {
			return err
		}
	}
	return nil
}

// writeShard writes n rows from a row on.
func writeShard(name string, set *data.Set, from int64, n int) error {
	d := set.Dim()
	bytes := make([]byte, 2*n*d)
	header, err := safetensors.EncodeHeader([]safetensors.Tensor{
		{Name: "activations", DType: "F16", Shape: []int64{int64(n), int64(d)}, End: int64(len(bytes))},
	}, nil)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	for w := range workers {
		wait.Go(func() {
			x := make([]byte, 4*d) // synthetic rows are float32
			for row := w; row < n && errs[w] == nil; row += workers {
				errs[w] = set.ReadStored([]int64{from + int64(row)}, x)
				for i := range d {
					v := math.Float32frombits(binary.LittleEndian.Uint32(x[4*i:]))
					binary.LittleEndian.PutUint16(bytes[2*(row*d+i):], half(v))
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return os.WriteFile(name, append(header, bytes...), 0o666)
}

// half rounds a number below 65504 to float16, to even where two are equally near.
func half(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, bits := uint16(bits>>16)&0x8000, bits&^(1<<31)
	if a := math.Float32frombits(bits); a < 0x1p-14 { // float16 has no exponent for it
		return sign | uint16(math.RoundToEven(float64(a)*0x1p24))
	}
	bits += 0xfff + bits>>13&1
	return sign | uint16(bits>>13-112<<10)
}
