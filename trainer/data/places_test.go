package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// layer is a harvest.json of a layer.
func layer(n int) string {
	return fmt.Sprintf(`{"names": {"lm_name": "gpt2", "layer": %d, "submodule_name": "resid_post",
		"module_path": "h.%[1]d"}}`, n)
}

// harvests writes a shard of its own into each folder, and harvest.json where that is not empty.
func harvests(t *testing.T, folders map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	i := 0
	for folder, record := range folders {
		in := filepath.Join(dir, folder)
		if err := os.MkdirAll(in, 0o755); err != nil {
			t.Fatal(err)
		}
		i++
		write(t, in, "x-0.npy", npyOf(t, i*100, 40, 4))
		if record != "" {
			write(t, in, harvestFile, []byte(record))
		}
	}
	return dir
}

// A source with harvests of several places is refused, in a folder and in a bucket. Each set that the error proposes
// opens, and together they have every shard once.
func TestSeveralPlaces(t *testing.T) {
	module := func(path string) string { return `{"config": {"module": "` + path + `"}}` }
	hook := func(name string) string { return `{"names": {"hook_name": "` + name + `"}}` }
	mlp := strings.Replace(layer(3), "resid_post", "mlp_out", 1)
	older := `{"config": {"model": "gpt2", "layer": 6, "hook": "resid_post", "module": "h.6"}}`
	for name, c := range map[string]struct {
		folders map[string]string
		source  string
		sets    string // lines of the error, without what they lie in
	}{
		"layers": {map[string]string{"a": layer(3), "b": layer(6)}, "", "l3_resid_post: a, l6_resid_post: b"},
		"hooks":  {map[string]string{"a": layer(3), "b": mlp}, "", "l3_resid_post: a, l3_mlp_out: b"},
		"modules": {map[string]string{"h.1.Attn": module("h.1.Attn"), "x": module("h.2")}, "",
			"h.1.attn: h.1.Attn, h.2: x"},
		"hook names": {map[string]string{"a": hook("blocks.1.hook_z"), "b": hook("blocks.2.hook_z")}, "",
			"blocks.1.hook_z: a, blocks.2.hook_z: b"},
		"of an earlier version": {map[string]string{"a": layer(3), "b": older}, "", "l3_resid_post: a, l6_resid_post: b"},
		"runs of each": {map[string]string{"r1/a": layer(3), "r2/a": layer(3), "r1/b": layer(6), "r2/b": layer(6)}, "",
			"l3_resid_post: */a, l6_resid_post: */b"},
		"runs that no pattern tells": {map[string]string{"a": layer(3), "b": layer(6), "c": layer(3)}, "",
			"l3_resid_post: a, l3_resid_post-2: c, l6_resid_post: b"},
		"one in another": {map[string]string{".": layer(3), "b": layer(6)}, "", "l3_resid_post: *.npy, l6_resid_post: b"},
		"parts in another": {map[string]string{"a": layer(3), "a/b": layer(3), "c": layer(6)}, "",
			"l3_resid_post: a, l6_resid_post: c"},
		"a pattern": {map[string]string{"a": layer(3), "b": layer(6), "c": layer(3)}, "[ab]",
			"l3_resid_post: a, l6_resid_post: b"},
		"a pattern of files": {map[string]string{"r/a": layer(3), "r/b": layer(6)}, "**/x-*.npy",
			"l3_resid_post: r/a/x-*.npy, l6_resid_post: r/b/x-*.npy"},
		"one without": {map[string]string{"a": layer(3), "b": "", "c": layer(6)}, "",
			"l3_resid_post: a, l6_resid_post: c"},
		"one that says no place": {map[string]string{"a": `{"names": {"lm_name": "gpt2"}}`, "b": layer(3), "c": layer(6)}, "",
			"l3_resid_post: b, l6_resid_post: c"},
		"one that says less": {map[string]string{"r/a": `{"names": {"layer": 3}}`, "r/b": layer(3), "c": layer(6)}, "",
			"l6_resid_post: c, l3_resid_post: r/*"},
		"a name to quote": {map[string]string{"a, {b": layer(3), "c: #": layer(6)}, "",
			"l3_resid_post: a, {b, l6_resid_post: c: #"},
	} {
		dir := harvests(t, c.folders)
		b := bucketOf(t, dir)
		for root, o := range map[string]Options{dir: {}, "s3://acts": {Objects: b}} {
			where := "a folder"
			if isRemote(root) {
				where = "a bucket"
			}
			t.Run(name+" in "+where, func(t *testing.T) {
				source := root + "/" + c.source
				_, err := Open(t.Context(), trainer.DataSpec{Source: source, EvalTokens: 4}, o)
				if !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), "places in a model") {
					t.Fatalf("not refused: %v", err)
				}
				if open := strings.HasPrefix(name, "one without") || name == "one that says no place"; open !=
					strings.Contains(err.Error(), "is not said: "+root) {
					t.Errorf("of folders whose place is not said: %v", err)
				}
				_, lines, _ := strings.Cut(err.Error(), "\n")
				var got []string
				for _, set := range setsIn(t, lines) {
					got = append(got, set.name+": "+strings.TrimPrefix(set.source, root+"/"))
					open(t, trainer.DataSpec{Source: set.source, EvalTokens: 4}, o)
				}
				if said := strings.Join(got, ", "); said != c.sets {
					t.Errorf("proposes %s, want %s\n%v", said, c.sets, err)
				}
			})
		}
	}
}

type namedSource struct{ name, source string }

// setsIn reads the sets of a section data of a grid, in their order, as far as setsOf writes such a section.
func setsIn(t *testing.T, section string) (all []namedSource) {
	t.Helper()
	lines, found := strings.CutPrefix(section, "data:\n  sets:\n")
	if !found {
		t.Fatalf("no sets in %q", section)
	}
	for line := range strings.SplitSeq(lines, "\n") {
		name, source, _ := strings.Cut(strings.TrimPrefix(line, "    "), ": {source: ")
		source = strings.TrimSuffix(source, "}")
		if strings.HasPrefix(source, `"`) {
			if err := json.Unmarshal([]byte(source), &source); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, namedSource{name, source})
	}
	return all
}

// Several harvests of one place are one data set, also where not all files say all of it.
func TestOnePlace(t *testing.T) {
	for name, records := range map[string][]string{
		"equal":              {layer(3), layer(3)},
		"a layer alone":      {layer(3), `{"names": {"layer": 3}}`},
		"a module":           {layer(3), `{"names": {"module_path": "h.3", "hook_name": "transformer.h.3"}}`},
		"forms of a path":    {layer(3), strings.Replace(layer(3), "h.3", "transformer.h.3", 1)},
		"other settings":     {layer(3), strings.Replace(layer(3), `"names": {`, `"names": {"context_length": 64, `, 1)},
		"models":             {layer(3), strings.Replace(layer(3), "gpt2", "openai-community/gpt2", 1)},
		"nothing said":       {layer(3), `{"names": {"lm_name": "gpt2"}}`},
		"none":               {layer(3), ""},
		"not to be read":     {layer(3), "{"},
		"of another program": {layer(3), `{"crop": "wheat"}`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := harvests(t, map[string]string{"a": records[0], "b/c": records[1]})
			for source, o := range map[string]Options{dir: {}, "s3://acts/": {Objects: bucketOf(t, dir)}} {
				if s := open(t, trainer.DataSpec{Source: source, EvalTokens: 4}, o); s.Info().Rows != 80 {
					t.Errorf("%d rows", s.Info().Rows)
				}
			}
		})
	}
}

// Rows to measure on are of one place too. There are no sets of them.
func TestSeveralPlacesHeldOut(t *testing.T) {
	dir := harvests(t, map[string]string{"train": layer(3), "held/a": layer(3), "held/b": layer(6)})
	_, err := Open(t.Context(), trainer.DataSpec{Source: dir + "/train", EvalSource: dir + "/held"}, Options{})
	if !OfEvalSource(err) || !strings.Contains(err.Error(), "name one of "+dir+"/held/a, "+dir+"/held/b") {
		t.Errorf("eval_source: %v", err)
	}
	if _, err := OpenHeldOut(t.Context(), trainer.DataSpec{Source: dir + "/held"}, Options{}); !errors.Is(err, ErrBad) {
		t.Errorf("to measure on: %v", err)
	}
}

// Names that do not say the same place are told apart in every order.
func TestOtherPlace(t *testing.T) {
	all := []trainer.Names{
		{Layer: new(3), SubmoduleName: "resid_post", ModulePath: "h.3"}, {Layer: new(3)}, {SubmoduleName: "mlp_out"},
		{ModulePath: "h.3"}, {ModulePath: "h.4", HookName: "x"}, {HookName: "y"}, {Layer: new(0)}, {},
	}
	want := [][2]int{{0, 2}, {0, 4}, {0, 6}, {1, 6}, {3, 4}, {4, 5}}
	for i, a := range all {
		for j, b := range all {
			differ := slices.Contains(want, [2]int{min(i, j), max(i, j)})
			if otherPlace(a, b) != differ {
				t.Errorf("%v and %v: %t", nameValues(a), nameValues(b), !differ)
			}
		}
	}
}
