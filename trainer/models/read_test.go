package models

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Every folder that cannot be read says the file, what is wrong, and nothing panics.
func TestBadFolders(t *testing.T) {
	good := folder(t, small(8, 32, 4), Formats()...)
	set := func(file, key string, value any) func(t *testing.T, fsys fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			edit(t, fsys, file, func(c map[string]any) { c[key] = value })
		}
	}
	unset := func(file, key string) func(t *testing.T, fsys fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			edit(t, fsys, file, func(c map[string]any) { delete(c, key) })
		}
	}
	train := func(key string, value any) func(t *testing.T, fsys fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			edit(t, fsys, dictConfig, func(c map[string]any) { c["trainer"].(map[string]any)[key] = value })
		}
	}
	raw := func(file, text string) func(t *testing.T, fsys fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) { fsys[file] = &fstest.MapFile{Data: []byte(text)} }
	}
	for _, c := range []struct {
		weights string
		name    string
		change  func(t *testing.T, fsys fstest.MapFS)
		want    []string
	}{
		{sparsifyWeights, "no config", func(t *testing.T, fsys fstest.MapFS) { delete(fsys, toolsConfig) },
			[]string{"cfg.json", "sae.safetensors"}},
		{sparsifyWeights, "no k", unset(toolsConfig, "k"), []string{"cfg.json", "k is missing", "32"}},
		{sparsifyWeights, "k null", set(toolsConfig, "k", nil), []string{"cfg.json", "k is missing"}},
		{sparsifyWeights, "k 0", set(toolsConfig, "k", 0), []string{"k is 0"}},
		{sparsifyWeights, "k 33", set(toolsConfig, "k", 33), []string{"k is 33", "32"}},
		{sparsifyWeights, "k -1", set(toolsConfig, "k", -1), []string{"cfg.json: k: -1"}},
		{sparsifyWeights, "k half", set(toolsConfig, "k", 3.5), []string{"cfg.json: k: 3.5"}},
		{sparsifyWeights, "k huge", raw(toolsConfig, `{"k": 1e300}`), []string{"cfg.json: k: 1e300"}},
		{sparsifyWeights, "k beyond", raw(toolsConfig, `{"k": 1e400}`), []string{"cfg.json: k: 1e400"}},
		{sparsifyWeights, "k text", set(toolsConfig, "k", "4"), []string{"cfg.json: k", "number"}},
		{sparsifyWeights, "groupmax", set(toolsConfig, "activation", "groupmax"), []string{"groupmax"}},
		{sparsifyWeights, "transcoder", set(toolsConfig, "transcode", true), []string{"transcode"}},
		{sparsifyWeights, "skip", set(toolsConfig, "skip_connection", true), []string{"skip_connection"}},
		{sparsifyWeights, "signed", set(toolsConfig, "signed", true), []string{"signed"}},
		{sparsifyWeights, "d_in", set(toolsConfig, "d_in", 9), []string{"d_in is 9", "8"}},
		{sparsifyWeights, "latents", set(toolsConfig, "num_latents", 31), []string{"num_latents is 31", "32"}},
		{sparsifyWeights, "no JSON", raw(toolsConfig, "{"), []string{"cfg.json", "JSON"}},
		{sparsifyWeights, "a list", raw(toolsConfig, "[]"), []string{"cfg.json", "JSON"}},
		{sparsifyWeights, "null", raw(toolsConfig, "null"), []string{"cfg.json", "JSON"}},
		{sparsifyWeights, "no header", raw(sparsifyWeights, "x"), []string{"sae.safetensors"}},
		{sparsifyWeights, "SAELens' tensors", func(t *testing.T, fsys fstest.MapFS) {
			fsys[sparsifyWeights] = good[saelensWeights]
		}, []string{"sae.safetensors", "encoder.weight", "W_enc"}},
		{sparsifyWeights, "a wrong factor", func(t *testing.T, fsys fstest.MapFS) {
			edit(t, fsys, toolsConfig, func(c map[string]any) { c["num_latents"], c["expansion_factor"] = 0, 5 })
		}, []string{"expansion_factor is 5", "4"}},
		{saelensWeights, "no k", unset(toolsConfig, "k"), []string{"cfg.json", "k is missing", "100"}},
		{saelensWeights, "standard", set(toolsConfig, "architecture", "standard"), []string{`"standard"`}},
		{saelensWeights, "jumprelu", set(toolsConfig, "architecture", "jumprelu"), []string{`"jumprelu"`}},
		{saelensWeights, "d_sae", set(toolsConfig, "d_sae", 16), []string{"d_sae is 16"}},
		{saelensWeights, "constant norm", set(toolsConfig, "normalize_activations", "constant_norm_rescale"),
			[]string{"constant_norm_rescale"}},
		{saelensWeights, "layer norm", set(toolsConfig, "normalize_activations", "layer_norm"), []string{"layer_norm"}},
		{saelensWeights, "no factor", set(toolsConfig, "normalize_activations", expectedAverage),
			[]string{expectedAverage, scalerFile}},
		{saelensWeights, "reshape", set(toolsConfig, "reshape_activations", "other"), []string{"reshape_activations"}},
		{saelensWeights, "tuned", set(toolsConfig, "finetuning_scaling_factor", true), []string{"finetuning"}},
		{saelensWeights, "a zero factor", func(t *testing.T, fsys fstest.MapFS) {
			set(toolsConfig, "normalize_activations", expectedAverage)(t, fsys)
			fsys[scalerFile] = &fstest.MapFile{Data: []byte(`{"scaling_factor": 0}`)}
		}, []string{"scaling_factor is 0, not a positive number"}},
		{saelensWeights, "a huge factor", func(t *testing.T, fsys fstest.MapFS) {
			set(toolsConfig, "normalize_activations", expectedAverage)(t, fsys)
			fsys[scalerFile] = &fstest.MapFile{Data: []byte(`{"scaling_factor": 1e300}`)}
		}, []string{"scaling_factor is 1e+300, not a positive number"}},
		{saelensWeights, "flag", set(toolsConfig, "apply_b_dec_to_input", "no"), []string{"apply_b_dec_to_input"}},
		{dictWeights, "JumpReLU", train("dict_class", "JumpReluAutoEncoder"), []string{"config.json", "JumpReluAutoEncoder"}},
		{dictWeights, "BatchTopK", train("dict_class", "BatchTopKSAE"), []string{"config.json", "BatchTopKSAE"}},
		{dictWeights, "its trainer", raw(dictConfig, `{"trainer":{"trainer_class":"BatchTopKTrainer"}}`),
			[]string{"config.json", "BatchTopKTrainer"}},
		{dictWeights, "another k", train("k", 5), []string{"config.json", "k is 5", "4"}},
		{dictWeights, "another width", train("activation_dim", 5), []string{"activation_dim is 5"}},
		{dictWeights, "no torch", raw(dictWeights, "x"), []string{"ae.pt"}},
		{dictWeights, "trainer", raw(dictConfig, `{"trainer": 3}`), []string{"config.json", "trainer"}},
	} {
		t.Run(c.weights+" "+c.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for _, name := range []string{toolsConfig, dictConfig, c.weights} {
				fsys[name] = good[name]
			}
			if _, _, err := Read(fsys); err != nil {
				t.Fatal(err)
			}
			c.change(t, fsys)
			m, _, err := Read(fsys)
			if err == nil {
				t.Fatalf("no error, k %d", m.K)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

// Python's JSON may have NaN and infinities, which matter only where they are read.
func TestNaN(t *testing.T) {
	fsys := folder(t, small(8, 32, 4), Sparsify)
	for text, want := range map[string]string{
		`{"k": 4, "a": NaN, "b": [-Infinity, Infinity], "c": "NaN \" Infinity"}`: "",
		`{"k": NaN}`:         "k is missing",
		`{"k": 4, "a": Nan}`: "no JSON",
		`{"k": 4, NaN: 3}`:   "no JSON",
	} {
		fsys[toolsConfig] = &fstest.MapFile{Data: []byte(text)}
		if _, _, err := Read(fsys); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The form of four tensors needs a config.json for k.
func TestFourTensors(t *testing.T) {
	all := folder(t, small(8, 32, 4), Reference)
	fsys := fstest.MapFS{"ae.pt": all["reference/ae.pt"]}
	if _, _, err := Read(fsys); err == nil || !strings.Contains(err.Error(), "four tensors, without k") {
		t.Errorf("without config.json: %v", err)
	}
	fsys[dictConfig] = &fstest.MapFile{Data: []byte(`{"trainer": {"dict_class": "AutoEncoderTopK", "k": 7}}`)}
	if m, _, err := Read(fsys); err != nil || m.K != 7 || m.Threshold != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

// A folder with one model somewhere below is read; one with several names them.
func TestFind(t *testing.T) {
	one := folder(t, small(8, 32, 4), Sparsify)
	dict := folder(t, small(8, 32, 3), DictionaryLearning)
	put := func(list ...any) fstest.MapFS {
		out := fstest.MapFS{}
		for i := 0; i < len(list); i += 2 {
			for name, f := range list[i+1].(fstest.MapFS) {
				out[filepath.ToSlash(filepath.Join(list[i].(string), name))] = f
			}
		}
		return out
	}
	steps := fstest.MapFS{"ae_5.pt": dict[dictWeights], "ae_15.pt": dict[dictWeights]}
	for _, c := range []struct {
		name  string
		fsys  fstest.MapFS
		start string
		from  string // or a part of the error
	}{
		{"below", put("run/layers.5", one), ".", "run/layers.5/sae.safetensors"},
		{"a run with checkpoints", put("trainer_0", dict, "trainer_0/checkpoints", steps), ".", "trainer_0/ae.pt"},
		{"a checkpoint", put("trainer_0", dict, "trainer_0/checkpoints", steps), "trainer_0/checkpoints/ae_15.pt",
			"checkpoints/ae_15.pt"},
		{"two layers", put("run/layers.5", one, "run/layers.6", one), "run",
			"name one of layers.5/sae.safetensors, layers.6/sae.safetensors"},
		{"checkpoints", put("t", dict, "t/checkpoints", steps), "t/checkpoints", "name one of ae_15.pt, ae_5.pt"},
		{"nothing", fstest.MapFS{"a/b.txt": {}}, ".", "sparsify"},
		{"empty", fstest.MapFS{}, ".", "not one model"},
		{"a config", one, "cfg.json", "sae.safetensors"},
		{"another file", one, "README.md", "not one model"},
		{"not there", one, "none", "none"},
		{"several formats", put(".", one, ".", dict), ".", "sae.safetensors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, from, err := read(c.fsys, c.start)
			if err != nil {
				from = err.Error()
			}
			if !strings.Contains(from, c.from) || (m == nil) != (err != nil) {
				t.Errorf("%s, not %s", from, c.from)
			}
		})
	}
	many := fstest.MapFS{}
	for i := range 50 {
		maps.Copy(many, put("x/layers."+strings.Repeat("1", i+1), one))
	}
	if _, _, err := Read(many); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "and 30 more") {
		t.Errorf("50 models: %v", err)
	}
	var deep []string
	for range 20 {
		deep = append(deep, "a")
	}
	if _, _, err := Read(put(strings.Join(deep, "/"), one)); !errors.Is(err, ErrNone) {
		t.Errorf("a model far below: %v", err)
	}
}

// Open takes folders, the files in them, and paths that are not plain.
func TestOpen(t *testing.T) {
	root := t.TempDir()
	for name, f := range folder(t, small(8, 32, 4), Sparsify, DictionaryLearning) {
		for _, dir := range []string{"a/layers.3.mlp"} {
			p := filepath.Join(root, dir, name)
			if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, f.Data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{
		"", "a", "a/", "a/layers.3.mlp", "a/layers.3.mlp/sae.safetensors", "a/layers.3.mlp/ae.pt", "a/../a/layers.3.mlp/.",
		"a/layers.3.mlp/config.json",
	} {
		if m, from, err := Open(root + "/" + name); err != nil || m.K != 4 {
			t.Errorf("%q: %s, %v", name, from, err)
		}
	}
	t.Chdir(filepath.Join(root, "a/layers.3.mlp"))
	for _, name := range []string{".", "ae.pt", "./sae.safetensors", "..", "../.."} {
		if m, from, err := Open(name); err != nil || m.K != 4 {
			t.Errorf("%q: %s, %v", name, from, err)
		}
	}
	for _, name := range []string{"none", "a/none", "\x00", "README.md", "cfg.json/x"} {
		if _, _, err := Open(name); err == nil || !strings.Contains(err.Error(), "read the model "+name) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, _, err := Open("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// sparsify names a model by its folder, and its run has the language model. Other tools have them in their configs.
func TestNames(t *testing.T) {
	m := small(8, 32, 4)
	fsys := fstest.MapFS{}
	for name, f := range folder(t, m, Sparsify) {
		fsys["run/layers.3.mlp/"+name] = f
	}
	edit(t, fsys, "run/layers.3.mlp/cfg.json", func(c map[string]any) { delete(c, "metadata") })
	fsys["run/config.json"] = &fstest.MapFile{Data: []byte(`{"model": "org/lm", "ctx_len": 99, "sae": {}}`)}
	got, _, err := Read(fsys)
	if n := got.Names; err != nil || n.ModulePath != "layers.3.mlp" || n.LMName != "org/lm" || n.ContextLength != 99 {
		t.Errorf("sparsify: %+v, %v", got, err)
	}
	result := []byte(`{"lm_name": "x", "layer": 3, "drop_special": true}`)
	fsys["run/layers.3.mlp/result.json"] = &fstest.MapFile{Data: result}
	got, _, err = Read(fsys)
	if n := got.Names; err != nil || n.LMName != "x" || n.Layer == nil || *n.Layer != 3 || !*n.DropSpecial {
		t.Errorf("a result of ours: %+v, %v", got, err)
	}

	old := folder(t, m, SAELens)
	old[toolsConfig] = &fstest.MapFile{Data: []byte(`{"d_in": 8, "d_sae": 32, "dtype": "torch.float32",
		"hook_point": "blocks.2.hook_resid_pre", "model_name": "gpt2-small", "context_size": 128, "prepend_bos": true,
		"normalize_activations": false, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}}`)}
	got, _, err = Read(old)
	if err != nil || got.K != 5 || got.Names.HookName != "blocks.2.hook_resid_pre" || got.Names.LMName != "gpt2-small" {
		t.Errorf("SAELens before 6: %+v, %v", got, err)
	}

	dict := folder(t, m, DictionaryLearning)
	dict[dictConfig] = &fstest.MapFile{Data: []byte(`{"trainer": {"dict_class": "AutoEncoderTopK", "k": 4, "layer": 3,
		"lm_name": "EleutherAI/pythia-70m", "submodule_name": 7}, "buffer": {"ctx_len": 64}}`)}
	got, _, err = Read(dict)
	if n := got.Names; err != nil || *n.Layer != 3 || n.LMName != "EleutherAI/pythia-70m" || n.ContextLength != 64 {
		t.Errorf("dictionary_learning: %+v, %v", got, err)
	}
	if got.Names.SubmoduleName != "" {
		t.Errorf("submodule_name that is no text: %q", got.Names.SubmoduleName)
	}
}

// streamed hides all of a file but the methods of fs.File, as the objects of a store have them.
type streamed struct{ fs.FS }

type plainFile struct{ fs.File }

func (s streamed) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return f, nil
	}
	return plainFile{f}, nil
}

func TestStreams(t *testing.T) {
	m := small(8, 32, 4)
	for _, format := range Formats() {
		got, _, err := Read(streamed{folder(t, m, format)})
		if err != nil || !slices.Equal(got.W.WDec, m.W.WDec) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// FuzzRead reads folders whose configs are any text. What is read can be written, and is then read as the same.
func FuzzRead(f *testing.F) {
	good := folder(f, small(2, 3, 1), Formats()...)
	for _, name := range []string{toolsConfig, dictConfig} {
		f.Add(good[name].Data, []byte(`{"scaling_factor": 2}`), uint8(0))
		f.Add(good[name].Data, []byte(`{"model": "x"}`), uint8(1))
	}
	for i, text := range []string{
		`{"k":1}`, `{"k":1,"architecture":"topk","rescale_acts_by_decoder_norm":true}`,
		`{"k":1,"architecture":"topk","normalize_activations":"expected_average_only_in",` +
			`"metadata":{"sae_lens_version":"6"}}`,
		`{"activation_fn_str":"topk","activation_fn_kwargs":{"k":2},"normalize_activations":true}`,
		`{"trainer":{"k":1,"dict_class":"AutoEncoderTopK"},"sweep":{"threshold":1e30,"scale":-1}}`, `{"k":1,"scale":1e400}`,
	} {
		f.Add([]byte(text), []byte(`{"scaling_factor": 1e38}`), uint8(i))
	}
	f.Fuzz(func(t *testing.T, cfg, other []byte, which uint8) {
		weights := []string{sparsifyWeights, saelensWeights, dictWeights}[which%3]
		fsys := fstest.MapFS{
			"a/" + weights: good[weights], "a/" + toolsConfig: {Data: cfg}, "a/" + dictConfig: {Data: cfg},
			"a/" + scalerFile: {Data: other}, "a/" + resultFile: {Data: other}, dictConfig: {Data: other},
		}
		if which&16 != 0 {
			fsys["a/"+dictWeights] = good["reference/ae.pt"]
			delete(fsys, "a/"+dictConfig)
		}
		m, _, err := Read(fsys)
		if err != nil {
			return
		}
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
		again, _, err := Read(folder(t, m, Formats()...))
		if err != nil {
			t.Fatal(err)
		}
		if again.K != m.K || !slices.Equal(again.W.WEnc, m.W.WEnc) || !slices.Equal(again.W.BEnc, m.W.BEnc) {
			t.Fatal("the model that was read is another when it is written and read again")
		}
	})
}

// BenchmarkRead reads models of 50 MB from memory.
func BenchmarkRead(b *testing.B) {
	m := small(768, 8192, 32)
	for _, format := range Formats() {
		fsys := folder(b, m, format)
		b.Run(string(format), func(b *testing.B) {
			b.SetBytes(8 * 768 * 8192)
			for b.Loop() {
				if _, _, err := Read(fsys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
