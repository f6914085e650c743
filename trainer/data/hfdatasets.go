package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// These files of the Python library datasets lie beside the data that Dataset.save_to_disk writes, and in the folder
// above the splits of a DatasetDict.
const (
	stateFile = "state.json"
	dictFile  = "dataset_dict.json"
)

// maxState bounds the size of such a file, in bytes.
const maxState = 64 << 20

// A datasetState is a state.json.
type datasetState struct {
	Files   []struct{ Filename string } `json:"_data_files"`
	Indices []struct{ Filename string } `json:"_indices_data_files"` // of older versions: which rows count
}

// ofDatasets looks at the folders that hold Arrow files. It takes the files out of found that a state.json does not
// name, such as those of the library's cache. The error says that rows are missing, or that rows of several splits are
// mixed.
func (s *shards) ofDatasets(ctx context.Context, files opener, found *listing) error {
	if s.form.raw != nil {
		return nil
	}
	states := map[string]map[string]bool{} // the names of data files of each folder; nil for one without a state
	splits := map[string]string{}          // a folder of each DatasetDict
	var left []string
	for _, name := range found.names {
		if !strings.HasSuffix(name, ".arrow") {
			left = append(left, name)
			continue
		}
		dir := folderName(name)
		names, seen := states[dir]
		if !seen {
			var err error
			if names, err = dataFiles(ctx, files, dir, found.names); err != nil {
				return err
			}
			states[dir] = names
			if names != nil {
				if err := oneSplit(ctx, files, dir, splits); err != nil {
					return err
				}
			}
		}
		if names == nil || names[name] {
			left = append(left, name)
		}
	}
	if n := len(found.names) - len(left); n > 0 {
		found.notes = append(found.notes,
			fmt.Sprintf("Files .arrow that no %s names as data are not read: %d.", stateFile, n))
	}
	if found.names = left; len(left) == 0 {
		return &SourceError{Msg: "no " + stateFile + " names the files of this source as data: give the folder"}
	}
	return nil
}

// dataFiles returns the paths of the files that the state.json of a folder names, or nil if there is none.
func dataFiles(ctx context.Context, files opener, dir string, found []string) (map[string]bool, error) {
	path := join(dir, stateFile)
	var state datasetState
	ok, err := readJSON(ctx, files, path, &state)
	if err != nil || !ok || len(state.Files) == 0 {
		return nil, err
	}
	if len(state.Indices) > 0 {
		return nil, &SourceError{Source: dir, Msg: "the dataset has an indices mapping, which says which of its " +
			"rows count: write it again, in Python: datasets.load_from_disk(...).flatten_indices().save_to_disk(...)"}
	}
	names := map[string]bool{}
	for _, f := range state.Files {
		name := join(dir, f.Filename)
		names[name] = true
		if slices.Contains(found, name) {
			continue
		}
		file, err := files.Open(ctx, name) // it is there if the source is a pattern that leaves it out
		if errors.Is(err, ErrMissing) {
			return nil, &SourceError{Source: dir, Missing: true, Msg: stateFile + " names " + f.Filename +
				", which is not there: copy the folder again"}
		}
		if err != nil {
			return nil, err
		}
		file.Close()
	}
	return names, nil
}

// oneSplit returns an error if dir is a split of a DatasetDict of which another split was seen.
func oneSplit(ctx context.Context, files opener, dir string, seen map[string]string) error {
	parent := folderName(dir)
	var dict struct{ Splits []string }
	ok, err := readJSON(ctx, files, join(parent, dictFile), &dict)
	if err != nil || !ok || !slices.Contains(dict.Splits, filepath.Base(dir)) {
		return err
	}
	if other := seen[parent]; other != "" {
		return &SourceError{Source: parent, Msg: fmt.Sprintf("is a DatasetDict of the splits %s: give one of them as "+
			"source, such as %s, and perhaps another as eval_source", strings.Join(dict.Splits, ", "), other)}
	}
	seen[parent] = dir
	return nil
}

// readJSON reads a small file. It reports false if there is none.
func readJSON(ctx context.Context, files opener, path string, into any) (bool, error) {
	file, err := openChecked(ctx, files, path)
	if errors.Is(err, ErrMissing) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if file.Size() > maxState {
		return false, &SourceError{Source: path, Msg: fmt.Sprintf("has %d bytes, more than any such file", file.Size())}
	}
	b := make([]byte, file.Size())
	if n, err := file.ReadAt(b, 0); n < len(b) && err != io.EOF {
		return false, err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return false, &SourceError{Source: path, Msg: "is not JSON: copy or write it again", Err: err}
	}
	return true, nil
}
