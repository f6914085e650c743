package protocol_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// What workflows and activities exchange is kept in histories, and what a sweep
// stores is kept in stores, so the JSON of both must never change. When a type or a
// function gets another name, only the right sides of these tables follow.
var payloads = []struct {
	name string // in testdata/payloads.json
	of   any    // a pointer to a zero value
}{
	{"input of the workflow", new(protocol.SweepInput)},
	{"result of the workflow", new(protocol.Summary)},
	{"answer to the query progress", new(protocol.Progress)},
	{"argument of the update extend", new(protocol.Extension)},
	{"argument of the updates cancel and retry", new(protocol.Selection)},
	{"argument of the update set", new(protocol.Settings)},
	{"answer to an update", new(protocol.Steered)},
	{"input of Prepare", new(protocol.ChunkRef)},
	{"result of Prepare, and stored trees", new([]plan.Tree)},
	{"input of TrainStage", new(protocol.StageRef)},
	{"result of TrainStage", new(protocol.Trained)},
	{"heartbeat of TrainStage", new(protocol.Heartbeat)},
	{"input of Evaluate", new(protocol.CellRef)},
	{"result of Evaluate", new(protocol.Evaluated)},
	{"input of TrainRuns", new(protocol.RunsRef)},
	{"result of TrainRuns", new(protocol.Ran)},
	{"input of Look", new(protocol.LookInput)},
	{"result of Look", new(protocol.Live)},
	{"input of RecordFailure", new(protocol.FailInput)},
	{"stored header of a plan", new(plan.Header)},
	{"stored cells of a plan", new([]grid.Cell)},
	{"stored result, and stored note of a failure", new(ledger.Result)},
	{"stored manifest", new(storage.Manifest)},
}

// The golden file has each payload four times: with every field set, under its name
// alone, and three times with less. So it also holds which fields are left out when
// they are not set, and which are null or 0. These stand behind the names of those
// with less.
const (
	empty    = ", empty"
	pointers = ", pointers set"
	lists    = ", pointers and lists set" // lists have one element
)

func TestPayloads(t *testing.T) {
	const file = "testdata/payloads.json"
	if goldentest.Updating() {
		write(t, file, filled(t))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]json.RawMessage
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden) != 4*len(payloads) {
		t.Errorf("%s has %d payloads, want four for each of %d", file, len(golden), len(payloads))
	}
	for _, p := range payloads {
		same := func(name string) {
			if got := encode(t, p.of); !bytes.Equal(got, golden[name]) {
				t.Errorf("%s is\n%s\nwant\n%s", name, got, golden[name])
			}
		}
		same(p.name + empty)
		setPointers(reflect.ValueOf(p.of).Elem(), false)
		same(p.name + pointers)
		setPointers(reflect.ValueOf(p.of).Elem(), true)
		same(p.name + lists)
		reflect.ValueOf(p.of).Elem().SetZero()
		want := golden[p.name]
		d := json.NewDecoder(bytes.NewReader(want))
		d.DisallowUnknownFields()
		if err := d.Decode(p.of); err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		same(p.name)
		// A field that the golden file lacks would be free to change.
		unset(reflect.ValueOf(p.of).Elem(), p.name, func(field string) {
			t.Errorf("%s is not set in %s: add it there", field, file)
		})
	}
}

// Names by which a server, a worker or a store finds something. They must not change
// either.
var names = []struct{ name, is string }{
	{"workflow", protocol.WorkflowSweep},
	{"query: progress", protocol.QueryProgress},
	{"update: extend", protocol.UpdateExtend},
	{"update: retry", protocol.UpdateRetry},
	{"update: pause", protocol.UpdatePause},
	{"update: resume", protocol.UpdateResume},
	{"update: set", protocol.UpdateSet},
	{"update: cancel", protocol.UpdateCancel},
	{"update: priority", protocol.UpdatePriority},
	{"activity: prepare", protocol.ActivityPrepare},
	{"activity: train", protocol.ActivityTrain},
	{"activity: evaluate", protocol.ActivityEval},
	{"activity: train runs", protocol.ActivityRuns},
	{"activity: record a failure", protocol.ActivityFail},
	{"activity: collect", protocol.ActivityCollect},
	{"activity: look", protocol.ActivityLook},
	{"priority: high", string(protocol.PriorityHigh)},
	{"priority: normal", string(protocol.PriorityNormal)},
	{"priority: low", string(protocol.PriorityLow)},
	{"search attribute: name", protocol.AttrName},
	{"search attribute: state", protocol.AttrState},
	{"search attribute: cells", protocol.AttrCells},
	{"search attribute: done", protocol.AttrDone},
	{"search attribute: failed", protocol.AttrFailed},
	{"search attribute: best nmse", protocol.AttrBestNMSE},
	{"search attribute: data", protocol.AttrData},
	{"search attribute: axes", protocol.AttrAxes},
	{"search attribute: owner", protocol.AttrOwner},
	{"error: the checkpoint is lost", protocol.ErrTypeLost},
	{"error: no plan", protocol.ErrTypeNoPlan},
	{"error: runs failed", protocol.ErrTypeFailed},
	{"error: the sweep is ending", protocol.ErrTypeEnding},
	{"queue", protocol.Queue},
	{"queue: training on cpu", protocol.TrainQueue("cpu")},
	{"key: plan", ledger.PlanKey("SWEEP")},
	{"key: grid", ledger.GridKey("SWEEP")},
	{"key: extension from cell 34 on", ledger.ExtensionKey("SWEEP", 34)},
	{"key: header 12 of a plan", ledger.NextPlanKey("SWEEP", 12)},
	{"key: extension from cell 34 on, by a part", ledger.PartExtensionKey("SWEEP", 34, "PART")},
	{"key: cells, chunk 12 of a part", ledger.PartChunkKey("SWEEP", 12, "PART")},
	{"key: trees, chunk 12 of a part", ledger.PartTreesKey("SWEEP", 12, "PART")},
	{"key: cells, chunk 12", ledger.ChunkKey("SWEEP", 12)},
	{"key: trees, chunk 12", ledger.TreesKey("SWEEP", 12)},
	{"key: failures", strings.TrimSuffix(ledger.FailureKey("SWEEP", "CELL"), "CELL.json")},
	{"key: failure", ledger.FailureKey("SWEEP", "CELL")},
	{"key: report", ledger.ReportKey("SWEEP", "FILE")},
	{"key: result", ledger.ResultKey("RUN")},
	{"key: model", ledger.ModelKey("RUN", "FILE")},
	{"status: pending", string(plan.Pending)},
	{"status: waiting", string(plan.Waiting)},
	{"status: training", string(plan.Training)},
	{"status: evaluating", string(plan.Evaluating)},
	{"status: paused", string(plan.Paused)},
	{"status: idle", string(plan.Idle)},
	{"status: completed", string(plan.Completed)},
	{"status: failed", string(plan.Failed)},
	{"status: canceled", string(plan.Canceled)},
	{"level: trunk", fmt.Sprint(int(plan.LevelTrunk))},
	{"level: AuxK trunk", fmt.Sprint(int(plan.LevelAuxK))},
	{"level: schedule trunk", fmt.Sprint(int(plan.LevelSchedule))},
	{"level: branch", fmt.Sprint(int(plan.LevelRun))},
}

func TestNames(t *testing.T) {
	const file = "testdata/names.txt"
	var got strings.Builder
	for _, n := range names {
		fmt.Fprintf(&got, "%s = %s\n", n.name, n.is)
	}
	if goldentest.Updating() {
		write(t, file, []byte(got.String()))
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("names are\n%s\nwant\n%s", got.String(), want)
	}
}

// unset calls report for every field in v that has its zero value.
func unset(v reflect.Value, path string, report func(field string)) {
	if at, ok := v.Addr().Interface().(*time.Time); ok {
		if at.IsZero() {
			report(path)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Tag.Get("json") != "-" { // which is not in the text
				unset(v.Field(i), path+"."+f.Name, report)
			}
		}
	case reflect.Slice:
		if v.Len() == 0 {
			report(path)
		}
		for i := range v.Len() {
			unset(v.Index(i), fmt.Sprintf("%s[%d]", path, i), report)
		}
	case reflect.Pointer:
		if v.IsNil() {
			report(path)
			return
		}
		unset(v.Elem(), path, report)
	default:
		if v.IsZero() {
			report(path)
		}
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// filled returns the text of the golden file, with a value of its own for each field.
func filled(t *testing.T) []byte {
	t.Helper()
	var lines []string
	n := 0
	for _, p := range payloads {
		v := reflect.New(reflect.TypeOf(p.of).Elem())
		add := func(name string) { lines = append(lines, fmt.Sprintf("%q: %s", name, encode(t, v.Interface()))) }
		add(p.name + empty)
		setPointers(v.Elem(), false)
		add(p.name + pointers)
		setPointers(v.Elem(), true)
		add(p.name + lists)
		fill(t, v.Elem(), &n)
		add(p.name)
	}
	return []byte("{\n" + strings.Join(lines, ",\n") + "\n}\n")
}

// setPointers sets the pointers in v to zero values. With lists it also gives lists
// of structs one element.
func setPointers(v reflect.Value, lists bool) {
	if _, ok := v.Addr().Interface().(*time.Time); ok {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			setPointers(v.Field(i), lists)
		}
	case reflect.Slice:
		if lists && v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			setPointers(v.Index(0), lists)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setPointers(v.Elem(), lists)
	}
}

// fill sets v and all that it holds, to numbers that count up.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	if at, ok := v.Addr().Interface().(*time.Time); ok {
		*at = time.Unix(int64(*n), 0).UTC()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
