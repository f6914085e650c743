package grid

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/trainer"
)

// fromModel is what the tests say of a model of F latents, by a letter of its hash.
func fromModel(letter string, f, k int) Init {
	return Init{
		Hash: strings.Repeat(letter, 64), ActivationDim: 64, DictSize: f, K: k,
		Norms: trainer.RowNorms{Min: 1, Mean: 1, Max: 1},
	}
}

// parsed reads a grid whose sections train, parameters and others are given.
func parsedInit(t *testing.T, sections string) *Grid {
	t.Helper()
	g, err := Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\n"+sections), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The paths of init become hashes, in every place that a setting may stand. dict_size and k are the model's where the
// grid does not give them.
func TestInits(t *testing.T) {
	g := parsedInit(t, "train: {steps: 10}\nparameters: {init: [none, a, b], seed: [0, 1]}\n"+
		"exclude: [{init: b, seed: 1}]\ninclude: [{init: ../c, seed: 7, k: 3}]\n")
	if got, want := g.Inits(), []string{"a", "b", "../c"}; !reflect.DeepEqual(got, want) {
		t.Fatalf("inits %q, want %q", got, want)
	}
	if _, err := g.Cells(goldentest.DataInfo()); err == nil {
		t.Error("cells of models that are not read")
	}
	g.SetInits(map[string]Init{"a": fromModel("a", 512, 8), "b": fromModel("b", 256, 4), "../c": fromModel("c", 128, 2)})
	cells, err := g.Cells(goldentest.DataInfo())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		hash, path string
		f, k       int
		seed       int64
	}
	var got []row
	for _, c := range cells {
		got = append(got, row{c.Config.Init[:min(1, len(c.Config.Init))], c.Written["init"], c.Config.DictSize, c.Config.K,
			c.Config.Seed})
		if c.ID != CellID(c.Config, goldentest.DataInfo().Fingerprint) {
			t.Errorf("cell %s is not named by its settings", c.ID)
		}
	}
	want := []row{
		{"", "", 32768, 100, 0}, {"", "", 32768, 100, 1}, {"a", "a", 512, 8, 0}, {"a", "a", 512, 8, 1},
		{"b", "b", 256, 4, 0}, {"c", "../c", 128, 3, 7},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("cells\n%v\nwant\n%v", got, want)
	}
	if cells[2].Values[0] != "a" || cells[0].Values[0] != "none" {
		t.Errorf("labels %q and %q, want the paths", cells[2].Values, cells[0].Values)
	}
}

// dict_size and k vary where they are those of different models, and nowhere else.
func TestInitsThatVary(t *testing.T) {
	found := map[string]Init{"a": fromModel("a", 512, 8), "b": fromModel("b", 256, 8)}
	for sections, want := range map[string]string{
		"parameters: {init: [none, a, b]}": "init dict_size k: none 32768 100, a 512 8, b 256 8",

		"parameters: {init: [a, b]}":       "init dict_size: a 512, b 256",
		"parameters: {init: [a, b], k: 4}": "init dict_size: a 512, b 256",

		"parameters: {init: [a, b], k: [2, 4]}":         "init k dict_size: a 2 512, a 4 512, b 2 256, b 4 256",
		"parameters: {init: [none, a]}\ntrain: {k: 8}":  "init dict_size: none 32768, a 512",
		"parameters: {init: [none, a], dict_size: 512}": "init k: none 100, a 8",

		"parameters: {seed: [0, 1]}\ntrain: {init: a}": "seed: 0, 1",
		"parameters: {seed: 0}\ntrain: {init: a}":      ": ",

		"train: {init: a}\nparameters: {seed: [0, 1]}\ninclude: [{seed: 2, k: 3}]": "seed k: 0 8, 1 8, 2 3",
	} {
		g := parsedInit(t, strings.Replace(sections+"\n", "train: {", "train: {steps: 10, ", 1))
		g.SetInits(found)
		cells, err := g.Cells(goldentest.DataInfo())
		if err != nil {
			t.Errorf("%s: %v", sections, err)
			continue
		}
		var values []string
		for _, c := range cells {
			values = append(values, strings.Join(c.Values, " "))
		}
		if got := strings.Join(g.Varying(), " ") + ": " + strings.Join(values, ", "); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", sections, got, want)
		}
	}
}

// The model that a cell begins from is part of its ID; two paths of one model are one cell, and a cell that begins from
// none keeps the ID that it had before there was such a key.
func TestInitIsPartOfTheID(t *testing.T) {
	const src = "train: {steps: 10, dict_size: 128, k: 2}\nparameters: {init: [none, a, b, c]}\n"
	g := parsedInit(t, src)
	g.SetInits(map[string]Init{"a": fromModel("a", 128, 2), "b": fromModel("b", 128, 2), "c": fromModel("a", 128, 2)})
	cells, err := g.Cells(goldentest.DataInfo())
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != 3 || cells[1].Duplicates != 1 || cells[1].ID == cells[2].ID || cells[0].ID == cells[1].ID {
		t.Errorf("cells %+v", cells)
	}
	before := mustCells(t, "name: a\ndata: {source: acts}\ntrain: {steps: 10, dict_size: 128, k: 2}\n")
	if before[0].ID != cells[0].ID {
		t.Errorf("init: none has the ID %s, without the key it is %s", cells[0].ID, before[0].ID)
	}
}

func TestInitErrors(t *testing.T) {
	for name, c := range map[string]struct {
		sections string
		change   func(*Init)
		want     []string
	}{
		"width": {
			"parameters: {init: [none, a]}\n", func(in *Init) { in.ActivationDim = 32 },
			[]string{"grid.yaml:3:27: parameters.init: a model of rows of width 32", "width 64"},
		},
		"latents": {
			"train: {init: a, dict_size: 256}\n", func(*Init) {},
			[]string{"grid.yaml:3:15: train.init: a model of 128 latents, and dict_size is 256"},
		},
		"norms": {
			"train: {init: a}\n", func(in *Init) { in.Norms = trainer.RowNorms{Min: 0.5, Max: 2, OffUnit: 9} },
			[]string{"grid.yaml:3:15: train.init: 9 of 128 rows of W_dec", "0.5 to 2", "normalize_init: true"},
		},
		"rows of zeros": {
			"train: {init: a}\n", func(in *Init) { in.Norms = trainer.RowNorms{Max: 1, OffUnit: 2, Zero: 2} },
			[]string{"2 of 128 rows of W_dec", "but for 2 rows of zeros, which begin as they are"},
		},
		"k": {
			"train: {init: a, k: 129}\n", func(*Init) {},
			[]string{"grid.yaml:3:21: train.k: 129 is larger than dict_size 128"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, in := parsedInit(t, c.sections), fromModel("a", 128, 2)
			c.change(&in)
			g.SetInits(map[string]Init{"a": in})
			_, err := g.Cells(goldentest.DataInfo())
			if !errors.As(err, new(Errors)) {
				t.Fatalf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
	// With normalize_init rows of any norm do, and a dict_size beyond the default is the model's.
	g, in := parsedInit(t, "train: {init: a, normalize_init: true, k: 40000}\n"), fromModel("a", 65536, 2)
	in.Norms.OffUnit = 9
	g.SetInits(map[string]Init{"a": in})
	if cells, err := g.Cells(goldentest.DataInfo()); err != nil || cells[0].Config.DictSize != 65536 || !g.NormalizeInit {
		t.Errorf("%+v, %v", cells, err)
	}
}

// Whatever went wrong with a file is said at each value that names it.
func TestUnreadInits(t *testing.T) {
	g := parsedInit(t, "parameters: {init: [a, b]}\ninclude: [{init: a}]\n")
	errs := g.InitErrors(map[string]error{"a": errors.New("no such folder")})
	if len(errs) != 2 || errs[0].Line != 3 || errs[0].Column != 21 || errs[1].Line != 4 ||
		!strings.HasSuffix(errs[0].Error(), "parameters.init: no such folder") {
		t.Errorf("%v", errs)
	}
}

func TestBadInitKeys(t *testing.T) {
	for sections, want := range map[string]string{
		"train: {init: \"\"}\n":                                               "train.init: is empty",
		"train: {init: \"a\\tb\"}\n":                                          "control character",
		"train: {init: s3://bucket/a}\n":                                      "copy the model there",
		"train: {init: {a: b}}\n":                                             "a map is not a value",
		"parameters: {init: [a, a]}\n":                                        "a is given twice",
		"train: {init: " + strings.Repeat("a", 5000) + "}\n":                  "a path of 5000 bytes",
		"train: {init: a, normalize_init: 1}\n":                               "want true or false",
		"parameters: {init: a, normalize_init: [true]}\n":                     "not an axis",
		"train: {k: 2, normalize_init: true}\n":                               "no cell has an init",
		"train: {init: a}\ninclude: [{k: 2, normalize_init: true}]\n":         "it belongs under parameters or train",
		"train: {normalize_init: true}\nparameters: {normalize_init: true}\n": "is in train too",
		"train: {initfrom: a}\n":                                              "did you mean init?",
	} {
		_, err := Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\n"+sections), ParseOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", sections, err, want)
		}
	}
	// A quoted none is a folder of that name.
	if g := parsedInit(t, "train: {init: \"none\"}\n"); len(g.Inits()) != 1 {
		t.Errorf("inits %q", g.Inits())
	}
}
