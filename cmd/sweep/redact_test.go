package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestWithoutSecrets(t *testing.T) {
	for url, want := range map[string]string{
		"s3://bucket/prefix": "s3://bucket/prefix", "s3://bucket?endpoint=http://a:b@host": "s3://bucket",
		"s3://key:secret@bucket/p": "s3://…@bucket/p", "https://a:b@c@host/x?sig=1": "https://…@host/x",
		"s3:key:secret@bucket": "s3://…@bucket", "file:/a@b": "file://…@b",
		"file:key:secret@host/a": "file://…@host/a", "file:a?b": "file:a",
		"/data/a@b?c": "/data/a@b?c", "./store": "./store",
	} {
		if got := withoutSecrets(url); got != want {
			t.Errorf("%q is shown as %q, want %q", url, got, want)
		}
	}
}

// A credential in the address of a store or of a server, where it does not belong, is shown by no verb that refuses it.
func TestAddressesWithSecrets(t *testing.T) {
	t.Parallel()
	const secret = "planted-secret"
	grid := writeGrid(t, demoGrid)
	for _, at := range [][]string{
		{"--store", "s3://key:" + secret + "@bucket/p"},
		{"--store", "s3://bucket/p?endpoint=http://key:" + secret + "@127.0.0.1:1"},
		{"--store", "s3://bucket/p?endpoint=http://127.0.0.1:1/?sig=" + secret},
		{"--store", "s3://bucket/p?secret=" + secret},
		{"--store", "s3:key:" + secret + "@bucket"},
		{"--store", "s3://bucket/%zz?" + secret},
		{"--store", "https://key:" + secret + "@host/bucket?sig=" + secret},
		{"--store", "file:key:" + secret + "@host/a"},
		{"--address", "key:" + secret + "@127.0.0.1:1"},
		{"--address", "https://key:" + secret + "@127.0.0.1:1"},
	} {
		for _, verb := range [][]string{{"submit", grid}, {"worker"}, {"list"}, {"run", grid, "--no-ui"}, {"status", "x"}} {
			if at[0] == "--address" && verb[0] == "run" {
				continue
			}
			var out, errOut bytes.Buffer
			args := append(append(append([]string{}, verb...), at...), "--dir", t.TempDir())
			status := execute(t.Context(), &environment{out: &out, errOut: &errOut}, args)
			said := out.String() + errOut.String()
			if strings.Contains(said, secret) || status == exitOK && verb[0] != "list" && verb[0] != "status" {
				t.Errorf("%v: status %d, and it says:\n%s", args, status, said)
			}
		}
	}
}
