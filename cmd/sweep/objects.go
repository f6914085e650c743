package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/storage/disk"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/data/chunks"
)

// A cacheFlag says where a process keeps what it reads of objects, and how much.
type cacheFlag struct {
	folder string   // "" is the user's folder for caches
	size   sizeFlag // 0: see cacheSize
}

func (c *cacheFlag) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.folder, "cache", "", "folder `path` for what is read of s3:// sources and found out about data; "+
		"all processes of a machine may share it (default: SWEEP_CACHE, else the user's folder for caches)")
	f.Var(&c.size, "cache-size", "most `bytes` of s3:// sources in it, such as 200GB (default: half of what is free)")
}

// at is the folder that the flag or the environment names; "" if neither does.
func (c *cacheFlag) at() string { return cmp.Or(c.folder, os.Getenv("SWEEP_CACHE")) }

// A sizeFlag is a flag such as 200GB, 1.5TiB or a number of bytes.
type sizeFlag int64

func (b *sizeFlag) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > 1<<62 {
		return inputError{fmt.Errorf("%q is no size: want one such as 200GB or 1.5TiB", text)}
	}
	*b = sizeFlag(n)
	return nil
}

func (b *sizeFlag) Type() string { return "bytes" }

func (b *sizeFlag) String() string {
	if *b == 0 {
		return ""
	}
	return humanize.Bytes(uint64(*b))
}

// chunkCache is the cache of this process. It is nil if there is no folder for it.
func (e *environment) chunkCache() *chunks.Cache {
	folder := e.cacheFlag.at()
	if folder == "" && e.cache != "" {
		folder = filepath.Dir(e.cache)
	}
	if folder == "" {
		return nil
	}
	folder = filepath.Join(folder, "objects")
	size, free := int64(e.cacheFlag.size), disk.Of(folder).Free
	fits := max(0, free+chunks.Stored(folder))
	switch {
	case size == 0:
		size = fits / 2
	case free >= 0 && size > fits:
		e.note(fmt.Sprintf("the disk of the cache %s has room for %s, and --cache-size is %s: what does not fit is read "+
			"with a request for each row; make room there", folder, humanize.Bytes(uint64(fits)), humanize.Bytes(uint64(size))))
	}
	return chunks.New(folder, size)
}

// dataOptions say how a verb reads data: with the cache, and with progress on a terminal. A folder for the cache that
// somebody named, and that cannot be written to, is an error.
func (e *environment) dataOptions() (data.Options, error) {
	folder := e.cacheFlag.at()
	if e.opened == nil {
		cache := e.chunkCache()
		if folder != "" {
			if err := cache.Usable(); err != nil {
				return data.Options{}, inputError{fmt.Errorf("the folder %s is for the cache, by --cache or SWEEP_CACHE, and "+
					"cannot be written to: %w; mount it, let this user write to it, or name another one", folder, err)}
			}
		}
		e.opened = &openedObjects{objectsOf(e.storeURL), cache}
	}
	notes := e.cache
	if folder != "" {
		notes = filepath.Join(folder, "data")
	}
	return data.Options{Cache: notes, Objects: e.opened.objects, Chunks: e.opened.chunks,
		Progress: progress.Percent(e.terminal())}, nil
}

// openedObjects is what all data of a process share.
type openedObjects struct {
	objects data.Objects
	chunks  *chunks.Cache
}
