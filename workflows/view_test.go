package workflows

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

func at(clock string) time.Time {
	t, err := time.Parse(time.DateTime, "2026-11-27 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

// seenCells returns cells with results, ascending by nmse.
func seenCells(n int) (out []protocol.SeenCell) {
	for i := range n {
		nmse, auxk := 0.0421+0.0137*float64(i), 0.0031*float64(i+1)
		c := protocol.SeenCell{
			Cell: (i * 11) % n, Label: fmt.Sprintf("k=%d dict_size=%d lr=0.00%d", 8<<(i%3), 512<<(i%4), 1+i%5),
			Brief: plan.Brief{NMSE: &nmse, L2Loss: 14.2 + float64(i), AuxKLoss: &auxk, L0: float64(int(8) << (i % 3)),
				DeadLatents: i, DeadFraction: float64(i) / 2048},
		}
		if i%4 == 3 {
			c.Brief.AuxKLoss = nil
		}
		out = append(out, c)
	}
	return out
}

// trainingView returns a view of a sweep in training.
func trainingView() view {
	const worker, device = "4711@gpu-7 (cuda, 8 slots)", "NVIDIA H100 80GB HBM3"
	return view{
		sweep: "first-sweep-0123abcd", state: plan.Training, maxConcurrent: 8, priority: protocol.PriorityNormal,
		owner:   "ada",
		Summary: protocol.Summary{Cells: 24, Completed: 7, Reused: 2, Failed: 1, Steps: 1_234_567},
		store:   "s3://models/sweeps", liveAt: at("12:03:07"), seen: seenCells(7),
		inFlight: []string{"cells 12+5 (k=8 dict_size=512 lr=0.001) steps 0-181"},
		failures: []protocol.Failure{{
			Cell: 19, Label: "k=32 dict_size=4096 lr=0.01", Status: plan.Failed,
			Error: "train stage: step 17: the loss is NaN, and lr was 0.01: lower lr?",
		}},
		live: &protocol.Live{
			Training: 5, Waiting: 2, Slots: 16, OwnersSweeps: 1,
			Stages: []protocol.LiveStage{
				{Cell: 12, Cells: 6, Label: "k=8 dict_size=512 lr=0.001", State: plan.Training, Step: 120, Steps: 181,
					Loss: 21.43, StepsPerSecond: 12.5, Worker: worker, Host: "gpu-7", Device: device,
					Since: at("12:00:00"), Saved: at("12:02:55"), SavedStep: 100, Attempt: 1},
				{Cell: 9, Label: "k=16 dict_size=2048 lr=0.003", State: plan.Training, Step: 48_000, Steps: 120_000,
					Loss: 3.2109, StepsPerSecond: 8.25, Worker: worker, Host: "gpu-7", Device: device,
					Saved: time.Date(2026, 11, 26, 23, 58, 0, 0, time.UTC), SavedStep: 40_000, Attempt: 3,
					Error: "train stage: read rows: open /data/x|y.safetensors: input/output error"},
				{Cell: 8, Label: "k=16 dict_size=4096 lr=0.003", State: plan.Training, Doing: "opening the data",
					Steps: 120_000, Worker: "12@cpu-1 (cpu, 4 slots)", Host: "cpu-1"},
				{Cell: 22, Label: "k=8 dict_size=1024 lr=0.002", State: plan.Evaluating, Step: 600, Steps: 600, Loss: 2.9,
					Worker: worker, Host: "gpu-7", Device: device},
				{Cell: 21, Label: "k=32 dict_size=512 lr=0.002", State: plan.Waiting},
			},
		},
	}
}

// hostileTexts are what a label, a name or an error may be.
func hostileTexts() []string {
	return []string{
		"k=1|2 dict_size=`a` lr=*b*", "<script>alert(1)</script>",
		"[x](javascript:alert(1)) ![y](http://z)", "# no heading",
		"- no list", "1. no list", "> no quote", "a\nb\r\n\n# c\n```\nd", "{workflowId} {namespace}",
		"\x00\x1b[31m\x7f\u0085\u2028",
		"\xff\xfe\xc0", "http://x.y https://x.y www.x.y mailto:a@b.c a@b.c <http://x.y>", "\u202eabc", "1/2 3/4 -- --- ...",
		"$x$ \\(y\\) $$z$$ ~~a~~ ^b^ __c__ _d_", "&lt;b&gt; &amp; &#60;", `"quoted" 'text' \" \n \\`, "データ k=8 😀", "\\",
		"|", "`", "=", "k=", "=8", " ", "",
		":---|---:", "| a | b |\n|---|---|\n| c | d |", "[^1] [a][b] [a]: http://x",
		"</details>",
		strings.Repeat("x", 10_000), strings.Repeat("<", 10_000), strings.Repeat("😀", 3_000), strings.Repeat("a: ", 5_000),
		strings.Repeat("`", 5_000), strings.Repeat("k=8 ", 3_000),
	}
}

// hugeView returns a view of a large sweep in which nothing is short.
func hugeView(text func(i int) string) view {
	v := trainingView()
	v.Summary = protocol.Summary{
		Cells: 1_000_000, Completed: 300_000, Reused: 100_000, Failed: 1_000, Canceled: 50_000, Steps: 1e15,
	}
	v.owner, v.store, v.seen = text(0), text(1), seenCells(200)
	for i := range v.seen {
		if i%3 == 0 {
			v.seen[i].Label = text(i)
		}
	}
	v.failures, v.inFlight = nil, nil
	for i := range 1_000 {
		v.failures = append(v.failures, protocol.Failure{
			Cell: 1000 + i, Label: text(i), Status: []plan.Status{plan.Failed, plan.Canceled}[i%2], Error: text(i + 1),
		})
		v.inFlight = append(v.inFlight, text(i))
	}
	v.live.Stages = nil
	for i := range protocol.MaxLive {
		v.live.Stages = append(v.live.Stages, protocol.LiveStage{
			Cell: 5000 + i, Cells: i, Label: text(i), State: plan.Training, Step: 1e12, Steps: 1e15, Loss: 1e300,
			StepsPerSecond: 1e-300, Doing: text(i + 1), Worker: text(i + 2), Device: text(i + 3), Error: text(i + 4),
			Attempt: i, Saved: at("12:00:00"), SavedStep: 1e12,
		})
	}
	for i := range 50 {
		v.extensions = append(v.extensions, text(i))
	}
	return v
}

// views returns the views whose Markdown is in testdata.
func views() map[string]view {
	begun := trainingView()
	begun.Summary = protocol.Summary{Cells: 24}
	begun.live, begun.liveAt, begun.seen, begun.failures, begun.store = nil, time.Time{}, nil, nil, ""
	begun.inFlight = append(begun.inFlight, "cells 0+5 (k=16 dict_size=512 lr=0.001) steps 0-181")

	paused := trainingView()
	paused.state, paused.inFlight, paused.priority = plan.Paused, nil, protocol.PriorityHigh

	failed := trainingView()
	failed.state, failed.live, failed.inFlight = plan.Failed, nil, nil
	failed.Summary = protocol.Summary{Cells: 24, Completed: 7, Failed: 14, Canceled: 3, Steps: 9_000}
	failed.failures = nil
	for i := range 14 {
		failed.failures = append(failed.failures, protocol.Failure{
			Cell: 7 + i, Label: fmt.Sprintf("k=8 dict_size=512 lr=0.%d", i), Status: plan.Failed,
			Error: fmt.Sprintf("train stage: step %d: the loss is NaN, and lr was 0.%d: lower lr?", i, i),
		})
	}

	done := trainingView()
	done.state, done.failures, done.inFlight, done.seen = plan.Completed, nil, nil, seenCells(24)
	done.Summary = protocol.Summary{Cells: 24, Completed: 24, Steps: 345_600}

	extended := trainingView()
	extended.Cells = 30
	extended.extensions = []string{
		"name: first-sweep\nparameters:\n  k: [8, 16, 32, 64]\n", "name: first-sweep\nparameters:\n  lr: [0.01] # ``` <b>\n",
	}
	extended.live.Training, extended.live.Waiting, extended.live.Slots = 20, 3, 0

	hostile := hostileTexts()
	return map[string]view{
		"begun": begun, "training": trainingView(), "paused": paused, "failed": failed, "done": done, "extended": extended,
		"huge":    hugeView(func(i int) string { return fmt.Sprintf("k=%d dict_size=%d lr=0.00%d", 8+i, 512, i) }),
		"hostile": hugeView(func(i int) string { return hostile[i%len(hostile)] }),
		"empty":   {sweep: "empty-0123abcd", state: plan.Completed},
	}
}

func TestMarkdownOfViews(t *testing.T) {
	for name, v := range views() {
		t.Run(name, func(t *testing.T) {
			text := v.markdown()
			checkMarkdown(t, text)
			goldentest.Check(t, "testdata/details-"+name+".md", []byte(text+"\n"))
		})
	}
}

// A view names the objects of a store as package ledger does.
func TestViewNamesKeys(t *testing.T) {
	v := trainingView()
	text := v.markdown()
	models := strings.TrimSuffix(ledger.ModelKey("RUN", "FILE"), "RUN/FILE")
	for _, key := range []string{ledger.ReportKey(v.sweep, "results.csv"), models} {
		if want := "`" + v.store + "/" + key + "`"; !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// Everything that is in the view of a small sweep is shown, in this order.
func TestOrderOfView(t *testing.T) {
	v := views()["extended"]
	v.state = plan.Paused
	rest := v.markdown()
	for _, want := range []string{
		"7 of 30 cells done", "**paused**", "the update `resume` goes on with it", "**In training**", "12+5",
		"as of 12:03:07 UTC", "18 of them are not listed", "gpu-7", "Tried again",
		"**Failed**", "the loss is NaN", "**Best**",
		"**Cells**", "| cell | k | dict_size | lr | state | nmse |", "17 of 30 cells are not listed", "**Results**",
		"sweep report", "**Extended by**", "```yaml", "k: [8, 16, 32, 64]", "````yaml", "lr: [0.01]",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("no %s in\n%s", want, rest)
		}
		rest = after
	}
}

func TestNumbersOfView(t *testing.T) {
	number := func(x float64) *float64 { return &x }
	for _, c := range []struct {
		got, want string
	}{
		{count(0), "0"}, {count(-1234), "-1,234"}, {count(int64(math.MinInt64)), "-9,223,372,036,854,775,808"},
		{percent(0, 0), ""}, {percent(-1, 5), ""}, {percent(999, 1000), "(99%)"}, {percent(5, 5), "(100%)"},
		{percent(math.MaxInt64-1, math.MaxInt64), "(99%)"}, {percent(7, 5), "(100%)"},
		{timeLeft(10, 0), ""}, {timeLeft(10, math.NaN()), ""}, {timeLeft(10, math.Inf(1)), "0:00"}, {timeLeft(-1, 1), ""},
		{timeLeft(10, -1), ""}, {timeLeft(1, 1e-300), ""}, {timeLeft(0, 2), "0:00"}, {timeLeft(61, 1), "1:01"},
		{timeLeft(3661, 1), "1:01:01"}, {timeLeft(360_000, 1), "100:00:00"},
		{strings.Join(decimals([]*float64{number(0.9), number(0.00012), nil, number(math.NaN()), number(0)}), " "),
			"0.900000 0.000120   0.000000"},
		{strings.Join(decimals([]*float64{number(1e9), number(1)}), " "), "1e+09 1"},
		{strings.Join(decimals([]*float64{number(123.4567), number(9.87654)}), " "), "123.46 9.88"},
		{cause(strings.Repeat("a long link: ", 40) + "the cause"), "… " + strings.Repeat("a long link: ", 17) + "the cause"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// With more slots than a sweep can have stages in flight, the view says so.
func TestViewOfManySlots(t *testing.T) {
	const want = "of which 200 are in flight at most"
	for _, slots := range []int{8, 200, 201, 5000} {
		got := view{maxConcurrent: slots, autoConcurrent: true}.totals()
		if strings.Contains(got, want) != (slots > 200) {
			t.Errorf("%d slots: %s", slots, got)
		}
	}
}
