package main

import (
	"fmt"
	"os"
	"runtime"
)

// noteOpenDir says if other users can put files of their own in the place of those in a state directory, as its keys.
func noteOpenDir(env *environment, dir string) {
	st, err := os.Stat(dir)
	if err != nil || runtime.GOOS == "windows" || st.Mode().Perm()&0o022 == 0 {
		return
	}
	env.note(fmt.Sprintf("other users can write to %s, and so replace the keys of its server: chmod go-w %s",
		dir, quoted(dir)))
}
