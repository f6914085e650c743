package scaling

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
)

// The envelope is the lower convex hull in ln C and ln L; of the smallest model, it has only the last point.
func TestEnvelope(t *testing.T) {
	points, s, err := Envelope(readCSV(t, `sweep,cell,k,dict_size,seed,step,tokens,flops,nmse
s,a,8,512,0,1,10,1e9,0.9
s,a,8,512,0,2,20,2e9,0.6
s,a,8,512,0,3,30,3e9,
s,a,8,512,0,4,40,4e9,0.5
s,b,8,1024,0,1,10,2e9,0.95
s,b,8,1024,0,2,20,4e9,0.55
s,b,8,1024,0,4,40,8e9,0.37
s,b,8,1024,0,5,50,9e9,0.41
s,c,8,2048,0,4,40,16e9,0.3
s,c,8,2048,0,5,50,32e9,0.29
s,c,8,2048,0,6,60,64e9,0.27
s,c,8,2048,0,7,70,65e9,0.28
s,c,8,2048,0,5,40,16e9,1.2
s,c,8,2048,0,6,40,0,0.2
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range points {
		got = append(got, fmt.Sprintf("%s %g %g", p.Cells[0], *p.Flops, p.NMSE))
	}
	if want := "a 2e+09 0.6, b 8e+09 0.37, c 1.6e+10 0.3, c 6.4e+10 0.27"; join(got) != want {
		t.Errorf("got %s, want %s", join(got), want)
	}
	if len(s.LeftOut) != 2 || s.Runs != 3 || len(s.Warnings) != 0 {
		t.Errorf("got %+v", s)
	}
	points, s, err = Envelope(readCSV(t, "dict_size,flops,nmse,step\n8,1e9,0.5,1\n8,2e9,0.4,2\n8,3e9,0.45,3\n"))
	if err != nil || len(points) != 2 || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "one dict_size") {
		t.Errorf("got %+v, %+v, %v", points, s, err)
	}
	if _, _, err := Envelope(readCSV(t, "dict_size,nmse,step\n8,0.5,1\n")); err == nil ||
		!strings.Contains(err.Error(), "no column flops") {
		t.Errorf("got %v", err)
	}
}

// Curves that fall with model and data as L = e + a·n^−α + b·T^−β, with T tokens, have the frontier e + c·C^−αβ/(α+β).
// The envelope of twelve models finds the exponent within a tenth, and the floor.
func TestEnvelopeOfPlantedCurves(t *testing.T) {
	const alpha, beta, floor = 0.5, 0.5, 0.1
	var csv strings.Builder
	fmt.Fprintln(&csv, "cell,k,dict_size,step,flops,nmse")
	for i := range 12 {
		n := float64(int(256) << i)
		for j := range 60 {
			tokens := 1e3 * math.Pow(1.3, float64(j))
			flops := 12 * 64 * n * tokens
			loss := floor + 3*math.Pow(n, -alpha) + 20*math.Pow(tokens, -beta)
			fmt.Fprintf(&csv, "m%d,32,%.0f,%d,%g,%g\n", i, n, j, flops, loss)
		}
	}
	points, _, err := Envelope(readCSV(t, csv.String()))
	if err != nil {
		t.Fatal(err)
	}
	f, err := FitPoints(context.Background(), points, Options{Form: C})
	if err != nil {
		t.Fatal(err)
	}
	want := alpha * beta / (alpha + beta)
	t.Logf("%d points, %+v", len(points), f.Coefficients)
	if got := f.Coefficients["b"].Value; !(math.Abs(got/want-1) <= 0.1) {
		t.Errorf("b is %v, want %v", got, want)
	}
	if got := f.Coefficients["e"].Value; !(math.Abs(got-floor) <= 0.01) {
		t.Errorf("e is %v, want %v", got, floor)
	}
}
