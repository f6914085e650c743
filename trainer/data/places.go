package data

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// A modelPlace is where in a model rows come from, as files harvest.json say, and the folders that hold such rows.
type modelPlace struct {
	names   []trainer.Names // of each folder; what one leaves open another may say
	folders []string
}

// checkPlaces refuses shards in several folders whose files harvest.json name different places in a model: what comes
// from several layers is several data sets. A folder whose place is not said may be of any. With heldOut, all rows
// are held out.
func checkPlaces(ctx context.Context, files opener, source string, shards []string, workers int, heldOut bool) error {
	folders := foldersOf(shards)
	if len(folders) < 2 {
		return nil
	}
	var places []modelPlace
	var without []string // folders whose place is not said
	i := 0
	err := inOrder(ctx, workers, int64(len(folders)), 1, func(i, _ int64) map[string]string {
		names, _ := readHarvest(files, join(folders[i], harvestFile)) // what is wrong with one is a note of Names
		return names
	}, func(names map[string]string) {
		if n := namesOf(names); n.Layer != nil || n.SubmoduleName != "" || n.ModulePath != "" || n.HookName != "" {
			places = addPlace(places, n, folders[i])
		} else {
			without = append(without, folders[i])
		}
		i++
	})
	if err != nil || len(places) < 2 {
		return err
	}
	var said []string
	for _, p := range places {
		said = append(said, p.String())
	}
	msg := fmt.Sprintf("holds the activations of %d places in a model, as the files %s say: %s. A data set is of one ",
		len(places), harvestFile, fewOf(said))
	if len(without) > 0 {
		msg = strings.TrimSuffix(msg, "A data set is of one ") + "Of what place others are is not said: " + fewOf(without) +
			". A data set is of one "
	}
	if sets := setsOf(places, source, shards); heldOut {
		msg += "place: name one of " + fewOf(sets.sources)
	} else {
		msg += "place: name one folder, or write in the grid:\n" + sets.yaml()
	}
	return &SourceError{Source: source, Msg: msg}
}

// addPlace adds a folder to the first place that it may be of, or to a new one.
func addPlace(places []modelPlace, names trainer.Names, folder string) []modelPlace {
	differs := func(p modelPlace) bool {
		return slices.ContainsFunc(p.names, func(n trainer.Names) bool { return otherPlace(n, names) })
	}
	i := slices.IndexFunc(places, func(p modelPlace) bool { return !differs(p) })
	if i < 0 {
		return append(places, modelPlace{[]trainer.Names{names}, []string{folder}})
	}
	places[i].names = append(places[i].names, names)
	places[i].folders = append(places[i].folders, folder)
	return places
}

// otherPlace reports whether names are of different places in a model. What is open in one of them says nothing. Layer
// and submodule_name name a place together. Where one of them is open, the module's path does, and last hook_name,
// which has two forms.
func otherPlace(a, b trainer.Names) bool {
	layers, submodules := a.Layer != nil && b.Layer != nil, a.SubmoduleName != "" && b.SubmoduleName != ""
	switch {
	case layers && *a.Layer != *b.Layer, submodules && a.SubmoduleName != b.SubmoduleName:
		return true
	case layers && submodules:
		return false
	case a.ModulePath != "" && b.ModulePath != "":
		return a.ModulePath != b.ModulePath
	}
	return a.HookName != "" && b.HookName != "" && a.HookName != b.HookName
}

// String describes a place: layer 3 resid_post.
func (p modelPlace) String() string {
	var n trainer.Names
	for _, o := range p.names {
		n.Layer, n.SubmoduleName = cmp.Or(n.Layer, o.Layer), cmp.Or(n.SubmoduleName, o.SubmoduleName)
		n.ModulePath, n.HookName = cmp.Or(n.ModulePath, o.ModulePath), cmp.Or(n.HookName, o.HookName)
	}
	var words []string
	if n.Layer != nil {
		words = append(words, fmt.Sprintf("layer %d", *n.Layer))
	}
	if n.SubmoduleName != "" {
		words = append(words, n.SubmoduleName)
	}
	if n.Layer == nil || n.SubmoduleName == "" {
		words = append(words, cmp.Or(n.ModulePath, n.HookName))
	}
	return strings.TrimSpace(strings.Join(words, " "))
}
