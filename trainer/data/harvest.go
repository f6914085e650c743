package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// harvestFile lies beside the shards that deploy/harvest writes, and says what they were made of.
const harvestFile = "harvest.json"

const (
	maxHarvest  = 16 << 20 // bytes of a harvest.json; it lists the patterns of the text files
	maxNameText = 1000     // bytes of a name in it
)

// configKeys are names as the object config of a harvest.json has them, in which an older one has them alone.
func configKeys() map[string]string {
	return map[string]string{
		"lm_name": "model", "layer": "layer", "submodule_name": "hook", "module_path": "module",
		"context_length": "context_length", "drop_special": "drop_special",
	}
}

// Names returns given, and from the files harvest.json beside the shards what is open in it. A name stays open unless
// all folders that hold shards have it, and agree. If given contradicts them, all stays as it is; the language
// model is left out of that, as its name is written in many ways. The notes say what a person should know of that, a
// sentence each: what is wrong with such a file is no error.
func (s *Set) Names(given trainer.Names) (names trainer.Names, notes []string) {
	if s.shards == nil {
		return given, nil
	}
	own := nameValues(given)
	if len(own) == len(trainer.NameKeys()) {
		return given, nil
	}
	found, notes := s.harvests()
	notes = append(notes, s.apartNotes(found)...)
	for _, key := range trainer.NameKeys() {
		if a, b := own[key], found[key]; a != "" && b != "" && a != b && key != "lm_name" {
			return given, append(notes, fmt.Sprintf("%s says that %s is %s, and the grid says %s: "+
				"no name is taken from there", harvestFile, key, b, a))
		}
	}
	maps.Copy(found, own)
	return namesOf(found), notes
}

// harvests merges what the files harvest.json in the folders of the shards say: names as JSON, by their keys.
func (s *Set) harvests() (found map[string]string, notes []string) {
	var shards []string
	for _, sh := range s.shards.list {
		shards = append(shards, sh.name)
	}
	folders := foldersOf(shards)
	var all []map[string]string
	var without []string
	for _, folder := range folders {
		path := join(folder, harvestFile)
		one, problem := readHarvest(s.files, path)
		if problem != "" {
			notes = append(notes, fmt.Sprintf("%s %s", path, problem))
		}
		if one == nil {
			without = append(without, folder)
			continue
		}
		all = append(all, one)
	}
	switch {
	case len(all) == 0:
		return map[string]string{}, notes
	case len(without) > 0:
		return map[string]string{}, append(notes, fmt.Sprintf("%d of %d folders of shards have no usable %s (%s): "+
			"no name of the activations is taken from the others", len(without), len(folders), harvestFile, fewOf(without)))
	}
	found, differ := agreed(all)
	if len(differ) > 0 {
		notes = append(notes, fmt.Sprintf("the files %s of %d folders do not agree on %s, which stay open",
			harvestFile, len(all), strings.Join(differ, ", ")))
	}
	return found, notes
}

// agreed returns the names that all have and agree on, and the keys of those on which some disagree.
func agreed(all []map[string]string) (found map[string]string, differ []string) {
	found = map[string]string{}
	for _, key := range trainer.NameKeys() {
		values := map[string]bool{}
		for _, one := range all {
			values[one[key]] = true
		}
		switch {
		case len(values) == 1 && !values[""]:
			found[key] = all[0][key]
		case len(values) > 1 && !(len(values) == 2 && values[""]):
			differ = append(differ, key)
		}
	}
	return found, differ
}

// readHarvest reads the names in a harvest.json, as JSON by their keys. It returns nil if there is no such file, or
// none that can be read. problem says what is wrong with it, as it follows its path.
func readHarvest(files opener, path string) (names map[string]string, problem string) {
	b, err := files.readFile(path, maxHarvest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil:
		var in *fs.PathError
		if errors.As(err, &in) {
			err = in.Err // the note names the path
		}
		return nil, "cannot be read (" + err.Error() + "), so that names of the activations stay open"
	}
	return parseHarvest(b)
}

// foldersOf returns the folders that shards lie in, in their order.
func foldersOf(shards []string) []string {
	folders := map[string]bool{}
	for _, s := range shards {
		folders[folderName(s)] = true
	}
	return slices.SortedFunc(maps.Keys(folders), byElements)
}

// folderName returns the folder that a shard or a folder lies in, as its path is written: ./a lies in a folder that
// is not called a.
func folderName(shard string) string {
	i := len(shard) - 1
	for i >= 0 && !os.IsPathSeparator(shard[i]) {
		i--
	}
	switch volume := len(filepath.VolumeName(shard)); {
	case i < volume:
		return shard[:volume] + "."
	case i == volume:
		return shard[:i+1]
	}
	return shard[:i]
}

// readSmall reads a regular file of at most so many bytes.
func readSmall(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path) // first, since opening a pipe would wait for a writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("over %d MiB", most>>20)
	}
	return b, err
}

// parseHarvest is readHarvest for the file's content.
func parseHarvest(b []byte) (names map[string]string, problem string) {
	var file struct{ Config, Names map[string]json.RawMessage }
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, "is not as deploy/harvest writes it (" + err.Error() + "), so that names of the activations stay open"
	}
	names = map[string]string{}
	var bad []string
	for _, key := range trainer.NameKeys() {
		v, ok := file.Names[key]
		if !ok {
			v = file.Config[configKeys()[key]]
		}
		value, err := nameValue(key, v)
		if err != nil {
			bad = append(bad, key)
		} else if value != "" {
			names[key] = value
		}
	}
	if file.Names == nil {
		deriveHook(names, file.Config["model_type"])
	}
	switch {
	case len(bad) > 0:
		return names, "has no usable value of " + strings.Join(bad, ", ") + ", which stays open"
	case len(names) == 0:
		return names, "does not say where the activations come from"
	}
	return names, ""
}

// deriveHook adds the hook's name to the names of an older harvest.json, as deploy/harvest/hooks.py makes it. modelType
// is that of transformers, such as "bert". The block of a BERT ends with a layer norm, so that TransformerLens has
// another name for what it puts out. Of other families nothing is derived here: package models makes the usual name of
// layer and submodule_name.
func deriveHook(names map[string]string, modelType json.RawMessage) {
	normalized := []string{"bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "mpnet"}
	var family string
	if json.Unmarshal(modelType, &family) != nil || !slices.Contains(normalized, family) {
		return
	}
	if names["layer"] != "" && names["submodule_name"] == `"resid_post"` {
		names["hook_name"] = fmt.Sprintf(`"blocks.%s.hook_normalized_resid_post"`, names["layer"])
	}
}

// nameValue is the canonical JSON of one name; "" if it is not there or null.
func nameValue(key string, v json.RawMessage) (string, error) {
	if v == nil || string(v) == "null" {
		return "", nil
	}
	var n trainer.Names
	b, err := json.Marshal(map[string]json.RawMessage{key: v})
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(b, &n); err != nil {
		return "", err
	}
	for _, s := range []string{n.LMName, n.SubmoduleName, n.HookName, n.ModulePath} {
		if len(s) > maxNameText || s != "" && strings.TrimSpace(s) == "" {
			return "", errors.New("want a text")
		}
	}
	if n.Layer != nil && !(0 <= *n.Layer && *n.Layer <= trainer.MaxLayer) ||
		!(0 <= n.ContextLength && n.ContextLength <= trainer.MaxContextLength) {
		return "", errors.New("out of range")
	}
	return nameValues(n)[key], nil
}

// nameValues lists the names that are not open, each as JSON.
func nameValues(n trainer.Names) map[string]string {
	var values map[string]json.RawMessage
	b, err := json.Marshal(n)
	if err == nil {
		err = json.Unmarshal(b, &values)
	}
	out := map[string]string{}
	if err != nil { // texts, numbers and truth values always have a form in JSON
		return out
	}
	for key, v := range values {
		out[key] = string(v)
	}
	return out
}

// namesOf is the inverse of nameValues.
func namesOf(values map[string]string) (n trainer.Names) {
	raw := map[string]json.RawMessage{}
	for key, v := range values {
		raw[key] = json.RawMessage(v)
	}
	if b, err := json.Marshal(raw); err == nil {
		err = json.Unmarshal(b, &n)
		if err != nil { // each value was read from Names
			return trainer.Names{}
		}
	}
	return n
}
