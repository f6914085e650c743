package cpu

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestPhases(t *testing.T) {
	if os.Getenv("PHASES") == "" {
		t.Skip()
	}
	n, _ := strconv.Atoi(os.Getenv("PHASES"))
	f, _ := MeasureFloor(0)
	fmt.Printf("%.0f GFLOP/s %.1f GB/s\n", f.GFLOPS, f.GBs)
	dead := 0.0
	if v := os.Getenv("DEAD"); v != "" {
		dead, _ = strconv.ParseFloat(v, 64)
	}
	for i, sh := range benchShapes() {
		if v := os.Getenv("SHAPE"); v != "" && v != fmt.Sprint(i) {
			continue
		}
		testing.Benchmark(func(b *testing.B) {
			if b.N > 1 {
				return
			}
			m, x := benchModel(b, sh, dead)
			names := []string{"forward", "decode", "count", "aux", "backward", "update", "total"}
			best := make([]float64, len(names))
			for i := range best {
				best[i] = 1e9
			}
			for range n {
				var ts []time.Duration
				mark := func() {
					var r syscall.Rusage
					syscall.Getrusage(0, &r)
					ts = append(ts, time.Duration(r.Utime.Nano()+r.Stime.Nano())/2)
				}
				mark()
				m.forward(x)
				mark()
				m.decode()
				mark()
				d := m.countFired()
				mark()
				if len(d) > 0 {
					m.auxK(d)
				} else {
					m.aux.off()
				}
				mark()
				m.backward(m.mainGradient())
				mark()
				m.update(1e-4, 0.1)
				mark()
				for i := range 6 {
					best[i] = min(best[i], (ts[i+1]-ts[i]).Seconds()*1e3)
				}
				best[6] = min(best[6], (ts[6]-ts[0]).Seconds()*1e3)
			}
			s := ""
			sum := 0.0
			for i, v := range best {
				s += fmt.Sprintf(" %s %.2f", names[i], v)
				if i < 6 {
					sum += v
				}
			}
			fmt.Printf("%v floor %.2f (gemm %.2f) min %.2fx sum %.2fx:%s\n", sh, f.Step(m.c)*1e3, 2*float64(m.z.b)*float64(m.z.d)*float64(m.z.f)/f.GFLOPS/1e6, best[6]/1e3/f.Step(m.c), sum/1e3/f.Step(m.c), s)
		})
	}
}
