package scaling

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/table"
)

func readCSV(t testing.TB, text string) table.Table {
	t.Helper()
	out, err := table.ReadCSV(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Of each k and dict_size the best lr is taken, by the mean over the seeds, and all else is named.
func TestPoints(t *testing.T) {
	points, s, err := Points(readCSV(t, `cell,sweep,k,dict_size,lr,seed,auxk_alpha,nmse,tokens,status,error
a,s,8,512,0.001,0,0,0.50,1000,completed,
b,s,8,512,0.001,1,0,0.30,1000,completed,
c,s,8,512,0.002,0,0,0.35,1000,completed,
d,s,8,512,0.002,1,0,0.41,1000,completed,
e,s,8,512,0.002,2,0,0.29,1000,failed,the loss is not finite
f,s,8,1024,0.001,0,0.03125,0.20,2000,completed,
g,s,8,1024,0.001,0,0,0.21,2000,completed,
h,s,8,1024,0.002,0,0,,2000,completed,
i,s,8,2048,0.002,0,0,1.5,2000,completed,
j,s,8,2048,0.002,1,0,0,2000,completed,
k,s,8,2048,0.002,2,0,-0.1,2000,completed,
l,s,8,2048,0.001,0,0,1,2000,completed,
f,z,8,1024,0.001,0,0.03125,0.20,2000,completed,
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 3 {
		t.Fatalf("%d points: %+v", len(points), points)
	}
	p := points[0]
	std := math.Sqrt(2) * 0.03
	if !(math.Abs(p.NMSE-0.38) <= 1e-12) || p.Seeds != 2 || p.Std == nil || !(math.Abs(*p.Std-std) <= 1e-12) ||
		p.Setting != "auxk_alpha=0, lr=0.002" || strings.Join(p.Cells, "") != "cd" {
		t.Errorf("got %+v", p)
	}
	if p := points[1]; p.NMSE != 0.2 || p.Seeds != 1 || p.Std != nil || p.Setting != "auxk_alpha=0.03125, lr=0.001" {
		t.Errorf("got %+v", p)
	}
	if p := points[2]; p.NMSE != 1 || p.Setting != "auxk_alpha=0, lr=0.001" {
		t.Errorf("got %+v", p)
	}
	why := map[string]string{}
	for _, l := range s.LeftOut {
		why[l.Cell+l.Setting] = l.Reason
	}
	for at, want := range map[string]string{
		"e": "failed", "h": "no nmse", "i": "over 1", "j": "logarithm", "k": "logarithm", "f": "first in s",
		"auxk_alpha=0, lr=0.001": "better",
	} {
		if !strings.Contains(why[at], want) {
			t.Errorf("%s is left out because %q, want %q", at, why[at], want)
		}
	}
	if len(s.LeftOut) != 8 || s.Runs != 4 || join(s.Chosen) != "auxk_alpha, lr" {
		t.Errorf("%d left out, %d runs, of %s", len(s.LeftOut), s.Runs, join(s.Chosen))
	}
	warnings := strings.Join(s.Warnings, "\n")
	for _, want := range []string{"largest one tried", "k=8, dict_size=512 (0.002)", "1000 to 2000 tokens"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("the warnings are %q, want %q", warnings, want)
		}
	}
	if strings.Contains(warnings, "dict_size=1024") || strings.Contains(warnings, "smallest") {
		t.Errorf("one lr is no edge: %q", warnings)
	}
}

// Rows that cannot be one law are an error that says what to add.
func TestPointsOfDifferentData(t *testing.T) {
	for _, c := range []struct{ csv, want string }{
		{"k,dict_size,nmse,data\n8,512,0.3,aa\n8,1024,0.2,bb\n", "--where 'data=aa'"},
		{"k,dict_size,nmse,activation_dim\n8,512,0.3,64\n8,1024,0.2,128\n", "activation_dim (128, 64)"},
		{"k,dict_size,nmse,recipe\n8,512,0.3,corrected\n8,1024,0.2,upstream\n", "recipe"},
		{"k,dict_size,nmse,lm_name\n8,512,0.3,\"a, \"\"b\"\"\"\n8,1024,0.2,c|<&\n", `--where 'lm_name="a, ""b"""'`},
		{"k,nmse\n8,0.3\n", "no column dict_size; it has k, nmse"},
		{"dict_size,nmse\n8,0.3\n", "no column k"},
		{"dict_size,k,loss\n8,4,0.3\n", "no column nmse"},
	} {
		_, _, err := Points(readCSV(t, c.csv))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	// A missing value is no other value, and neither is that of a run without a result.
	_, _, err := Points(readCSV(t, "k,dict_size,nmse,data,status\n"+
		"8,512,0.3,aa,completed\n8,1024,0.2,,completed\n8,8,,c,failed\n"))
	if err != nil {
		t.Error(err)
	}
}

// A file of hand needs three columns only, and may call dict_size n.
func TestPointsOfAPlainFile(t *testing.T) {
	points, s, err := Points(readCSV(t, "k,n,nmse\n8,512,0.3\n8,2.048e3,0.2\n8,512,0.32\n8,512,0.3\n"+
		"0,512,0.1\n8,1.5,0.1\n8,1e300,0.1\nx,512,0.1\n8,512,NaN\n8,512,inf\n8,512,ü|<&\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 2 || points[0].Seeds != 2 || points[1].DictSize != 2048 || len(s.LeftOut) != 8 {
		t.Errorf("got %+v and %+v", points, s.LeftOut)
	}
}

func FuzzPoints(f *testing.F) {
	f.Add("k,dict_size,nmse,lr,seed,cell,status,data\n8,512,0.3,1e-3,0,a,completed,d\n8,1024,0.2,,0,a,failed,d\n")
	f.Add("k,n,nmse\n8,512,0.3\n")
	f.Add("k,dict_size,nmse,step,flops,cell\n8,512,0.3,10,1e9,a\n8,1024,0.2,10,1e10,b\n")
	f.Fuzz(func(t *testing.T, text string) {
		in, err := table.ReadCSV(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, read := range []func(table.Table) ([]Point, Selection, error){Points, Envelope} {
			points, s, err := read(in)
			if err != nil {
				continue
			}
			for _, p := range points {
				if !(p.NMSE > 0 && p.NMSE <= 1) || p.DictSize < 1 || p.Seeds < 1 {
					t.Errorf("%+v of %+v", p, s)
				}
			}
			// Each row is in a point or is left out. Envelope leaves out without a word what is above.
			if n := s.Runs; n > len(in.Rows) {
				t.Errorf("%d runs of %d rows", n, len(in.Rows))
			}
		}
		CostOf(in, CostQuestion{K: 8, DictSize: 1 << 20})
	})
}

// A setting that has one value at each k and dict_size was not chosen.
func TestDiffering(t *testing.T) {
	points, s, err := Points(readCSV(t, `k,dict_size,lr,batch_size,nmse
8,512,0.002,100,0.5
8,512,0.002,200,0.4
8,1024,0.001,100,0.3
`))
	if err != nil || join(s.Chosen) != "batch_size" || join(s.Differing) != "lr" {
		t.Errorf("chosen from %q, differing %q, %v", s.Chosen, s.Differing, err)
	}
	if points[0].Setting != "batch_size=200, lr=0.002" {
		t.Errorf("got %+v", points[0])
	}
}

// A setting of which one seed is better by chance is named.
func TestFewerSeeds(t *testing.T) {
	_, s, err := Points(readCSV(t, `k,dict_size,lr,seed,nmse
8,512,0.002,0,0.5
8,512,0.002,1,0.4
8,512,0.001,0,0.44
8,1024,0.002,0,0.3
8,1024,0.002,1,0.3
8,1024,0.001,0,0.4
`))
	want := "the best setting has fewer seeds than another one, and may be the best by chance, at " +
		"k=8, dict_size=512 (1 and 2)"
	if err != nil || !slices.Contains(s.Warnings, want) {
		t.Errorf("%v, warnings %q, want %q", err, s.Warnings, want)
	}
}
