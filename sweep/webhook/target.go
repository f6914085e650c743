package webhook

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// A Target is where messages go. The zero Target is nowhere.
type Target struct{ url *url.URL }

// String returns the host alone: the rest of a URL is a secret.
func (t Target) String() string {
	if t.url == nil {
		return ""
	}
	return t.url.Host
}

// IsZero reports whether messages go nowhere.
func (t Target) IsZero() bool { return t.url == nil }

// GoString keeps %#v from printing the URL.
func (t Target) GoString() string { return fmt.Sprintf("webhook.Target(%q)", t.String()) }

// maxFile bounds in bytes what is read of a file with a URL.
const maxFile = 16 << 10

// errForm says what a target looks like, and shows nothing of what was given: that may be most of a URL.
var errForm = errors.New("want a URL that begins with https:// or http://, or a file that holds one")

// errFile says that what was given is no URL, and no file that can be read either. It shows nothing of it.
var errFile = fmt.Errorf("%w: no file of that name can be read", errForm)

// Parse returns the target that value names: a URL, or the path of a file that holds one and nothing else. "" is the
// zero Target. No error shows a URL.
func Parse(value string) (Target, error) {
	if value == "" {
		return Target{}, nil
	}
	if isURL(value) {
		return parse(value)
	}
	if strings.Contains(value, "://") {
		return Target{}, errForm
	}
	f, err := os.Open(value)
	if err != nil {
		return Target{}, errFile
	}
	defer f.Close()
	text := make([]byte, maxFile)
	n, _ := f.Read(text)
	line := strings.TrimSpace(string(text[:n]))
	if !isURL(line) {
		return Target{}, errForm
	}
	return parse(line)
}

func isURL(text string) bool {
	scheme, _, _ := strings.Cut(text, "://")
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")
}

func parse(text string) (Target, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.ContainsAny(text, " \t\r\n") {
		return Target{}, errForm
	}
	return Target{u}, nil
}
