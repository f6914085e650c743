package payload

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// secretOf returns a key that is no secret.
func secretOf(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keySize))
}

func keysOf(t testing.TB, lines ...string) *Keys {
	t.Helper()
	k, err := parseKeys([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func plain(text string) *common.Payload {
	return &common.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text)}
}

// A payload comes back as it was, and what is sent holds nothing of it. The same one is never encrypted twice to the
// same bytes, and one that is encrypted already stays as it is.
func TestRoundTrip(t *testing.T) {
	k := keysOf(t, "# for tests", "", " "+secretOf(1)+"\r")
	p := plain(`"planted"`)
	sent, err := k.encrypt(p)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := k.encrypt(p)
	twice, _ := k.encrypt(sent)
	got, err := k.decrypt(sent)
	wire, _ := proto.Marshal(sent)
	leaks := bytes.Contains(wire, []byte("planted")) || bytes.Contains(wire, []byte("json"))
	if err != nil || !proto.Equal(got, p) || leaks {
		t.Errorf("%v, %v, sent as %q", got, err, wire)
	}
	if bytes.Equal(again.Data, sent.Data) || twice != sent {
		t.Error("the nonce is not random, or an encrypted payload is encrypted again")
	}
	for _, without := range []*Keys{nil, {}} {
		if same, err := without.encrypt(p); err != nil || same != p || without.Any() {
			t.Errorf("without keys: %v, %v", same, err)
		}
	}
	if same, err := k.decrypt(p); err != nil || same != p {
		t.Errorf("a payload of before: %v, %v", same, err)
	}
}

// The first key encrypts, and all decrypt. What cannot be decrypted says which key is missing, and shows nothing.
func TestRotation(t *testing.T) {
	before, after := keysOf(t, secretOf(1)), keysOf(t, secretOf(2), secretOf(1))
	old, _ := before.encrypt(plain(`"planted"`))
	if got, err := after.decrypt(old); err != nil || string(got.Data) != `"planted"` {
		t.Errorf("after a rotation: %v, %v", got, err)
	}
	fresh, _ := after.encrypt(plain(`"planted"`))
	changed := func(change func(p *common.Payload)) *common.Payload {
		p := proto.Clone(fresh).(*common.Payload)
		change(p)
		return p
	}
	naming := func(id string) *common.Payload {
		return changed(func(p *common.Payload) { p.Metadata[metaKey] = []byte(id) })
	}
	id := after.list[0].id
	for name, x := range map[string]struct {
		keys *Keys
		of   *common.Payload
		want string
	}{
		"no key":    {&Keys{}, fresh, "encrypted with key " + id + ": give --payload-keys"},
		"nil keys":  {nil, fresh, "encrypted with key " + id + ": give --payload-keys"},
		"wrong key": {before, fresh, "encrypted with key " + id + ", and --payload-keys has only " + before.list[0].id},
		"a bit":     {after, changed(func(p *common.Payload) { p.Data[20] ^= 1 }), "was changed"},
		"cut":       {after, changed(func(p *common.Payload) { p.Data = p.Data[:5] }), "was changed"},
		"empty":     {after, changed(func(p *common.Payload) { p.Data = nil }), "was changed"},
		"key named": {after, naming(after.list[1].id), "was changed"},
		"another's": {after, naming("\x1b[2J" + id), "not by sweep"},
		"no name":   {after, changed(func(p *common.Payload) { delete(p.Metadata, metaKey) }), "not by sweep"},
	} {
		got, err := x.keys.decrypt(x.of)
		if unreadable := (*UnreadableError)(nil); got != nil || !errors.As(err, &unreadable) ||
			!strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v, %v, want %q", name, got, err, x.want)
		}
	}
}

// A file of keys is of lines in base64 or hex. Its errors name the line and show nothing of it.
func TestParseKeys(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xef}, keySize/2)
	want := keysOf(t, hex.EncodeToString(raw)).list[0].id
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		strings.ToUpper(hex.EncodeToString(raw)),
	} {
		if got := keysOf(t, "#", text+"\n").list[0].id; got != want {
			t.Errorf("%s is the key %s, want %s", text, got, want)
		}
	}
	const almost = "c2VjcmV0IHRoYXQgaXMgdG9vIHNob3J0"
	for text, want := range map[string]string{
		"": "holds no key", "# only\n\n": "holds no key", secretOf(1) + "\n" + almost: "line 2 is no key",
		secretOf(1) + "\n# again\n" + secretOf(1): "line 3 holds the key of line 1 again",
		strings.Repeat("#", maxFile+1):            "more than",
	} {
		_, err := parseKeys([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), almost) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func TestReadKeys(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keys")
	if err := os.WriteFile(file, []byte(secretOf(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err := ReadKeys(file); err != nil || !k.Any() {
		t.Errorf("%v, %v", k, err)
	}
	for name, want := range map[string]string{dir: "it is a folder", filepath.Join(dir, "none"): "no such file"} {
		if _, err := ReadKeys(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// pass sends a request through an interceptor to a server that sees it by look, and answers with reply.
func pass(t *testing.T, k *Keys, request, reply proto.Message, answer error, look func()) (
	unreadable string, err error) {

	t.Helper()
	intercept, err := k.Interceptor(func(method string, err error) { unreadable = method + ": " + err.Error() })
	if err != nil {
		t.Fatal(err)
	}
	call := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		look()
		return answer
	}
	return unreadable, intercept(t.Context(), "/poll", request, reply, nil, call)
}

// Payloads are encrypted wherever they stand in a request, also in a failure, and decrypted in a reply. Search
// attributes are not: the server reads them.
func TestInterceptor(t *testing.T) {
	k := keysOf(t, secretOf(1))
	fail := k.FailureConverter().ErrorToFailure(errors.New("planted"))
	request := &workflowservice.RespondActivityTaskFailedRequest{
		Failure: fail, LastHeartbeatDetails: &common.Payloads{Payloads: []*common.Payload{plain("planted")}},
	}
	reply := &workflowservice.PollWorkflowExecutionUpdateResponse{}
	sees := func() {
		if wire, _ := proto.Marshal(request); bytes.Contains(wire, []byte("planted")) {
			t.Errorf("the server sees %q", wire)
		}
		sent := proto.Clone(request.Failure).(*failure.Failure)
		reply.Outcome = &update.Outcome{Value: &update.Outcome_Failure{Failure: sent}}
	}
	if _, err := pass(t, k, request, reply, nil, sees); err != nil {
		t.Fatal(err)
	}
	told := k.FailureConverter().FailureToError(reply.Outcome.GetFailure())
	if told == nil || told.Error() != "planted" {
		t.Errorf("the failure came back as %v", told)
	}
	start := &workflowservice.StartWorkflowExecutionRequest{
		SearchAttributes: &common.SearchAttributes{IndexedFields: map[string]*common.Payload{"SweepName": plain("seen")}},
	}
	if _, err := pass(t, k, start, reply, nil, func() {
		if got := string(start.SearchAttributes.IndexedFields["SweepName"].Data); got != "seen" {
			t.Errorf("the server sees the search attribute %q", got)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// A reply that cannot be decrypted fails the call with a status that the SDK does not try again, and it is told.
func TestInterceptorWithoutTheKey(t *testing.T) {
	sent, _ := keysOf(t, secretOf(1)).encrypt(plain("planted"))
	for _, k := range []*Keys{{}, keysOf(t, secretOf(2))} {
		input := &common.Payloads{Payloads: []*common.Payload{sent}}
		reply := &workflowservice.PollActivityTaskQueueResponse{Input: input}
		request := &workflowservice.PollActivityTaskQueueRequest{}
		told, err := pass(t, k, request, reply, nil, func() {})
		if status.Code(err) != codes.FailedPrecondition || !strings.HasPrefix(told, "/poll: the payload is encrypted") {
			t.Errorf("%v; told %q", err, told)
		}
	}
	gone := status.Error(codes.NotFound, "gone")
	told, err := pass(t, &Keys{}, &workflowservice.PollActivityTaskQueueRequest{},
		&workflowservice.PollActivityTaskQueueResponse{}, gone, func() {})
	if told != "" || status.Code(err) != codes.NotFound {
		t.Errorf("another error: %v; told %q", err, told)
	}
}

// Whatever a server sends, it is returned, or refused with an UnreadableError.
func FuzzDecrypt(f *testing.F) {
	k := keysOf(f, secretOf(1), secretOf(2))
	sent, _ := k.encrypt(plain("planted"))
	f.Add([]byte(encodingValue), sent.Metadata[metaKey], sent.Data)
	f.Add([]byte(encodingValue), []byte(k.list[1].id), []byte{})
	f.Add([]byte("json/plain"), []byte(nil), []byte("1"))
	f.Fuzz(func(t *testing.T, encoding, id, data []byte) {
		p := &common.Payload{Metadata: map[string][]byte{metaEncoding: encoding, metaKey: id}, Data: data}
		got, err := k.decrypt(p)
		unreadable := (*UnreadableError)(nil)
		switch {
		case err != nil && (got != nil || !errors.As(err, &unreadable)):
			t.Errorf("%v, %v", got, err)
		case err == nil && isEncrypted(p) && !proto.Equal(got, plain("planted")):
			t.Errorf("somebody without a key made %v", got)
		}
	})
}
