package main

import (
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A command that is advised names the place as the command did that advises it, with those flags that it knows, and a
// shell reads it as it was meant.
func TestAdvisedCommand(t *testing.T) {
	for _, x := range []struct{ called, verb, want string }{
		{"watch|demo", "retry", "sweep retry demo-1"},
		{"watch|demo|--dir|/my data/it's", "retry", `sweep retry demo-1 --dir '/my data/it'\''s'`},
		{"watch|demo|--dir=d|--address|h:7233|--namespace|n", "resume",
			"sweep resume demo-1 --dir d --address h:7233 --namespace n"},
		{"watch|demo|--dir|d|--address|h:7233", "curves", "sweep curves demo-1 --dir d"},
		{"watch|demo|--payload-keys|k", "retry", "sweep retry demo-1 --payload-keys k"},
		{"run|g.yaml|--store|s3://bucket/p|--slots|1", "watch", "sweep watch demo-1 --store s3://bucket/p"},
		{"run|g.yaml|--store|s3://key:secret@bucket/p", "watch", "sweep watch demo-1 --store s3://bucket/p"},
	} {
		env := &environment{out: io.Discard, errOut: io.Discard}
		root := newRootCommand(env)
		for _, c := range root.Commands() { // nothing runs
			c.RunE = func(*cobra.Command, []string) error { return nil }
		}
		root.SetArgs(strings.Split(x.called, "|"))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Errorf("%s: %v", x.called, err)
			continue
		}
		if got := env.command(x.verb, "demo-1"); got != x.want {
			t.Errorf("%s: %s, want %s", x.called, got, x.want)
		}
	}
	for _, word := range []string{"", "a b", "it's", "$HOME", "`id`", "a\nb", "é", "*", "~/x", "a;b"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quoted(word)).Output()
		if err != nil {
			t.Skip(err)
		}
		if string(out) != word {
			t.Errorf("%q is %s for a shell, which reads %q", word, quoted(word), out)
		}
	}
}
