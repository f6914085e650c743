package storage

import (
	"context"
	"slices"
	"strings"
	"time"
)

// A Folder is what a listing of a store shows of one checkpoint folder, in the
// order of the keys. A checkpoint folder is the group of all objects under
// stages/NAME/: claims, data (training states), forks (pins), manifests and renewals.
type Folder struct {
	Name    string
	Objects []Object
}

// Folders lists the checkpoint folders that are not empty, by name.
func Folders(ctx context.Context, s Store) ([]Folder, error) {
	return folders(ctx, s, allFolders)
}

// FoldersNamed lists the names of the checkpoint folders whose names begin with
// prefix, in order.
func FoldersNamed(ctx context.Context, s Store, prefix string) ([]string, error) {
	all, err := folders(ctx, s, allFolders+prefix)
	var names []string
	for _, f := range all {
		names = append(names, f.Name)
	}
	return names, err
}

// ListFolder lists what a store holds of one checkpoint folder.
func ListFolder(ctx context.Context, s Store, name string) (Folder, error) {
	all, err := folders(ctx, s, folderPrefix(name)+"/")
	if err != nil || len(all) == 0 {
		return Folder{Name: name}, err
	}
	return all[0], nil
}

func folders(ctx context.Context, s Store, prefix string) ([]Folder, error) {
	objects, err := s.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var all []Folder
	for _, o := range objects {
		name, _, nested := strings.Cut(strings.TrimPrefix(o.Key, allFolders), "/")
		if !nested {
			continue
		}
		// The keys of one folder come one after the other, but folders do not come
		// in the order of their names: "a-b/" is before "a/".
		if n := len(all); n == 0 || all[n-1].Name != name {
			all = append(all, Folder{Name: name})
		}
		last := &all[len(all)-1]
		last.Objects = append(last.Objects, o)
	}
	slices.SortFunc(all, func(a, b Folder) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Bytes is the size of all objects of the folder.
func (f Folder) Bytes() (sum int64) {
	for _, o := range f.Objects {
		sum += o.Size
	}
	return sum
}

// Modified is the time of the last write to the folder; it is zero for an empty
// folder.
func (f Folder) Modified() (last time.Time) {
	for _, o := range f.Objects {
		if o.Modified.After(last) {
			last = o.Modified
		}
	}
	return last
}

// Remove deletes objects of one folder, the last key first: renewals, then manifests
// before the data that they name, and claims last. It returns the objects that it deleted.
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
