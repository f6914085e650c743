//go:build !noserver

package local

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// mirror is a codec that turns bytes around, so that what it makes is not read by chance.
type mirror struct{}

const mirrored = "binary/mirrored"

func (mirror) Encode(list []*common.Payload) ([]*common.Payload, error) {
	out := make([]*common.Payload, len(list))
	for i, p := range list {
		b, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		slices.Reverse(b)
		out[i] = &common.Payload{Metadata: map[string][]byte{"encoding": []byte(mirrored)}, Data: b}
	}
	return out, nil
}

func (mirror) Decode(list []*common.Payload) ([]*common.Payload, error) {
	out := slices.Clone(list)
	for i, p := range list {
		if string(p.GetMetadata()["encoding"]) != mirrored {
			continue
		}
		b := slices.Clone(p.GetData())
		slices.Reverse(b)
		out[i] = &common.Payload{}
		if err := proto.Unmarshal(b, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A browser finds all of the Web UI below the key: the pages, what they ask the server, and the buttons. It shows
// payloads decoded. The page's policy refuses nothing that it needs. The cookie, which servers on other ports also see,
// is not the key.
func TestWebUIInBrowser(t *testing.T) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("SWEEP_TEST_MUST_RUN") != "" {
			t.Fatal("no chromium in PATH; apt-get install chromium")
		}
		t.Skip("no chromium in PATH")
	}
	s := start(t, t.TempDir(), func(o *Options) { o.UIPort, o.PayloadCodec = 0, mirror{} })
	c, err := client.NewClientFromExisting(dial(t, s, DefaultNamespace), client.Options{
		DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), mirror{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "kept", TaskQueue: "nobody", StaticSummary: "a *summary*", StaticDetails: "all the *details*",
	}, "Any", "planted input"); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(4*time.Minute), chromedp.WindowSize(1280, 900))...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer func() { chromedp.Cancel(ctx); cancel() }()
	var mu sync.Mutex
	var wrong, asked []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			wrong = append(wrong, e.ExceptionDetails.Error())
		case *log.EventEntryAdded: // what the policy refuses, and answers that are errors
			if e.Entry.Level == log.LevelError {
				wrong = append(wrong, e.Entry.Text+" "+e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			asked = append(asked, e.Request.URL)
		}
	})
	if err := chromedp.Run(ctx, network.Enable(), runtime.Enable(), log.Enable(),
		chromedp.Navigate(s.UIURL),
		chromedp.WaitVisible(`//a[contains(., "kept")]`, chromedp.BySearch),
		chromedp.Navigate(s.UIURL+"/namespaces/default/workflows/kept"),
		chromedp.WaitVisible(`//*[text()[contains(., "planted input")]]`, chromedp.BySearch),
		chromedp.Click(`//a[contains(., "User Metadata")]`, chromedp.BySearch),
	); err != nil {
		mu.Lock()
		defer mu.Unlock()
		t.Fatalf("%v\n%s", err, strings.Join(wrong, "\n"))
	}
	for frame, text := range map[string]string{"summary": "a summary", "details": "all the details"} {
		eventually(t, text, func(context.Context) (shown bool, err error) {
			err = chromedp.Run(ctx, chromedp.Evaluate(
				`!!document.querySelector("#user-metadata-`+frame+`")?.contentDocument?.body?.textContent.includes("`+text+`")`,
				&shown))
			return shown, err
		})
	}
	press(ctx, t, "Request Cancellation")
	press(ctx, t, "confirm-modal-button")
	eventually(t, "the cancellation", func(context.Context) (bool, error) { return canceled(t, c), nil })
	var cookies []*network.Cookie
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		cookies, err = network.GetCookies().Do(ctx)
		return err
	})); err != nil {
		t.Fatal(err)
	}
	for _, cookie := range cookies {
		if strings.Contains(cookie.Value+cookie.Path, keyOf(t, s)[1:]) {
			t.Errorf("the cookie %s holds the key", cookie.Name)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, w := range wrong {
		t.Error(w)
	}
	for _, u := range asked {
		at, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		if at.Scheme == "http" && !strings.HasPrefix(u, s.UIURL+"/") && u != s.UIURL || at.Scheme == "https" {
			t.Errorf("the page asks %s, which is not below %s", u, s.UIURL)
		}
	}
}

// press presses a button of the page, by its text or its name for tests, as soon as it is seen. The page has others of
// the same name that are hidden.
func press(ctx context.Context, t *testing.T, button string) {
	t.Helper()
	eventually(t, button, func(context.Context) (pressed bool, err error) {
		err = chromedp.Run(ctx, chromedp.Evaluate(`(() => {
			const is = b => b.dataset.testid === "`+button+`" || b.textContent.trim() === "`+button+`";
			const seen = [...document.querySelectorAll('button')].find(b =>
				is(b) && b.checkVisibility({visibilityProperty: true}) && !b.disabled);
			if (seen) seen.click();
			return !!seen;
		})()`, &pressed))
		return pressed, err
	})
}
