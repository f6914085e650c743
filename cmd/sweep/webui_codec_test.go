//go:build !noserver

package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
)

// webUI asks the Web UI of a server.
type webUI struct{ url string }

// ask sends payloads to a path below the link and returns the answer. host is empty for that of the link.
func (w webUI) ask(t *testing.T, path, host string, list ...*common.Payload) (int, string) {
	t.Helper()
	body, err := protojson.Marshal(&common.Payloads{Payloads: list})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if host != "" {
		r.Host = host + ":" + r.URL.Port()
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// codec is ask for the Web UI's codec, which must answer with one payload.
func (w webUI) codec(t *testing.T, path string, p *common.Payload) *common.Payload {
	t.Helper()
	code, body := w.ask(t, path, "", p)
	var out common.Payloads
	if err := protojson.Unmarshal([]byte(body), &out); code != http.StatusOK || err != nil || len(out.Payloads) != 1 {
		t.Fatalf("%s: %d %s, %v", path, code, body, err)
	}
	return out.Payloads[0]
}

// settings are those that the Web UI's page asks for.
func (w webUI) settings(t *testing.T) string {
	t.Helper()
	return fetch(t, w.url+"/api/v1/settings")
}

// With the link of the Web UI, its page reads what the server keeps encrypted, and sends inputs of updates encrypted.
// Without the link's key nobody does, and no page under another name.
func TestWebUIDecrypts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := variables{keysVariable + "=" + keyFile(t, 1)}
	up, info := keys.server(t, dir, "--no-ui=false", "--slots", "1")
	id := strings.TrimSpace(keys.run(t, dir, "submit", endlessGrid(t)))
	first, err := dialServer(t, info).GetWorkflowHistory(t.Context(), id, "", false, 0).Next()
	if err != nil {
		t.Fatal(err)
	}
	secret := first.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0]
	if strings.Contains(secret.String(), id) {
		t.Fatalf("the input is not encrypted: %s", secret)
	}

	ui := webUI{info.UIURL}
	if plain := ui.codec(t, "/codec/decode", secret); !strings.Contains(string(plain.GetData()), id) {
		t.Errorf("decoded: %s", plain)
	}
	input, err := converter.GetDefaultDataConverter().ToPayload(map[string]int{"max_concurrent": 4})
	if err != nil {
		t.Fatal(err)
	}
	hidden := ui.codec(t, "/codec/encode", input)
	if back := ui.codec(t, "/codec/decode", hidden); strings.Contains(hidden.String(), "max_concurrent") ||
		string(back.GetData()) != string(input.GetData()) {
		t.Errorf("encoded %s, and decoded again %s", hidden, back)
	}
	if s := ui.settings(t); !strings.Contains(s, info.UIURL[strings.LastIndex(info.UIURL, "/"):]+"/codec") {
		t.Errorf("the page is not told of the codec: %s", s)
	}

	stranger := webUI{info.UIURL[:strings.LastIndex(info.UIURL, "/")]}
	for _, q := range []struct {
		ui         webUI
		path, host string
		want       int
	}{
		{stranger, "/codec/decode", "", http.StatusForbidden},
		{stranger, "/" + strings.Repeat("0", 32) + "/codec/decode", "", http.StatusForbidden},
		{ui, "/codec/decode", "evil.example", http.StatusMisdirectedRequest},
	} {
		if code, body := q.ui.ask(t, q.path, q.host, secret); code != q.want || strings.Contains(body, id) {
			t.Errorf("%s at %q: %d %s, want %d", q.path, q.host, code, body, q.want)
		}
	}
	keys.run(t, dir, "cancel", id)
	up.terminate(t)
	withoutKeys(t, secret)
}

// withoutKeys checks that a server without keys has no codec.
func withoutKeys(t *testing.T, secret *common.Payload) {
	t.Helper()
	dir := t.TempDir()
	up, info := startServer(t, dir, "--no-ui=false")
	ui := webUI{info.UIURL}
	if code, body := ui.ask(t, "/codec/decode", "", secret); code < 400 {
		t.Errorf("without keys: %d %s", code, body)
	}
	if s := ui.settings(t); strings.Contains(s, "/codec") {
		t.Errorf("without keys the page is told of a codec: %s", s)
	}
	waitFor(t, "the links", func() bool { return strings.Contains(up.err.String(), info.UIURL) })
	up.terminate(t)
}
