package storage

import (
	"context"
	"slices"
	"strings"
	"time"
)

// A Stage is what a listing of a store shows of one stage, in the order of the
// keys.
type Stage struct {
	Name    string
	Objects []Object
}

// Stages lists the stages that a store holds anything of, by name.
func Stages(ctx context.Context, s Store) ([]Stage, error) {
	return stages(ctx, s, "stages/")
}

// StagesNamed lists the names of the stages that begin with prefix, in order.
func StagesNamed(ctx context.Context, s Store, prefix string) ([]string, error) {
	all, err := stages(ctx, s, "stages/"+prefix)
	var names []string
	for _, stage := range all {
		names = append(names, stage.Name)
	}
	return names, err
}

// ListStage lists what a store holds of one stage.
func ListStage(ctx context.Context, s Store, name string) (Stage, error) {
	all, err := stages(ctx, s, "stages/"+name+"/")
	if err != nil || len(all) == 0 {
		return Stage{Name: name}, err
	}
	return all[0], nil
}

func stages(ctx context.Context, s Store, prefix string) ([]Stage, error) {
	objects, err := s.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var all []Stage
	for _, o := range objects {
		name, _, nested := strings.Cut(strings.TrimPrefix(o.Key, "stages/"), "/")
		if !nested {
			continue
		}
		// "a-b/" comes before "a/": each stage's objects stand together.
		if n := len(all); n == 0 || all[n-1].Name != name {
			all = append(all, Stage{Name: name})
		}
		last := &all[len(all)-1]
		last.Objects = append(last.Objects, o)
	}
	slices.SortFunc(all, func(a, b Stage) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Bytes is what the stage takes up.
func (s Stage) Bytes() (sum int64) {
	for _, o := range s.Objects {
		sum += o.Size
	}
	return sum
}

// Modified is when the stage was last written to.
func (s Stage) Modified() (last time.Time) {
	for _, o := range s.Objects {
		if o.Modified.After(last) {
			last = o.Modified
		}
	}
	return last
}

// Remove deletes objects of one stage, the last key first: manifests before the
// data that they name, and claims last. It returns those that are gone.
func Remove(ctx context.Context, s Store, objects []Object) (gone []Object, err error) {
	objects = slices.Clone(objects)
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(b.Key, a.Key) })
	for i, o := range objects {
		if err := s.Delete(ctx, o.Key); err != nil {
			return objects[:i], err
		}
	}
	return objects, nil
}
