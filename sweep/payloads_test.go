package sweep_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/workflows"
)

// What workflows and activities exchange lies in histories, and what a sweep
// stores lies in stores: the JSON of both must never change. Types and functions
// may have other names; then only the right sides of these tables follow.
var payloads = []struct {
	name string // in testdata/payloads.json
	of   any    // a pointer to a zero value
}{
	{"input of the workflow", new(sweep.SweepInput)},
	{"result of the workflow", new(sweep.Summary)},
	{"answer to the query progress", new(sweep.Progress)},
	{"argument of the update extend", new(sweep.Extent)},
	{"input of Prepare", new(sweep.ChunkRef)},
	{"result of Prepare, and stored trees", new([]sweep.Tree)},
	{"input of TrainStage", new(sweep.StageRef)},
	{"result of TrainStage", new(sweep.Trained)},
	{"heartbeat of TrainStage", new(sweep.Heartbeat)},
	{"input of Evaluate", new(sweep.CellRef)},
	{"input of RecordFailure", new(sweep.FailInput)},
	{"stored header of a plan", new(sweep.PlanHeader)},
	{"stored cells of a plan", new([]sweep.Cell)},
	{"stored result, and stored note of a failure", new(sweep.Result)},
	{"stored manifest", new(storage.Manifest)},
}

// What stands behind the names of payloads with nothing set, but for pointers, and
// lists of one element: some fields are left out then, others are null or 0.
const (
	empty    = ", empty"
	pointers = ", pointers set"
	lists    = ", pointers and lists set"
)

func TestPayloads(t *testing.T) {
	const file = "testdata/payloads.json"
	if updating() {
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
		frame(reflect.ValueOf(p.of).Elem(), false)
		same(p.name + pointers)
		frame(reflect.ValueOf(p.of).Elem(), true)
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

// Names under which a server, a worker or a store knows something.
var names = []struct{ name, is string }{
	{"workflow", sweep.WorkflowSweep},
	{"query: progress", sweep.QueryProgress},
	{"update: extend", sweep.UpdateExtend},
	{"update: retry", sweep.UpdateRetry},
	{"activity: prepare", sweep.ActivityPrepare},
	{"activity: train", sweep.ActivityTrain},
	{"activity: evaluate", sweep.ActivityEval},
	{"activity: record a failure", sweep.ActivityFail},
	{"activity: collect", sweep.ActivityCollect},
	{"error: the checkpoint is lost", sweep.ErrTypeLost},
	{"error: no plan", sweep.ErrTypeNoPlan},
	{"error: runs failed", workflows.ErrTypeFailed},
	{"queue", sweep.Queue},
	{"queue: training on cpu", sweep.TrainQueue("cpu")},
	{"key: plan", sweep.PlanKey("SWEEP")},
	{"key: grid", sweep.GridKey("SWEEP")},
	{"key: extension from cell 34 on", sweep.ExtensionKey("SWEEP", 34)},
	{"key: cells, chunk 12", sweep.ChunkKey("SWEEP", 12)},
	{"key: trees, chunk 12", sweep.TreesKey("SWEEP", 12)},
	{"key: failures", sweep.FailurePrefix("SWEEP")},
	{"key: failure", sweep.FailureKey("SWEEP", "CELL")},
	{"key: report", sweep.ReportKey("SWEEP", "FILE")},
	{"key: result", sweep.ResultKey("RUN")},
	{"key: model", sweep.ModelKey("RUN", "FILE")},
	{"status: pending", string(sweep.Pending)},
	{"status: running", string(sweep.Running)},
	{"status: completed", string(sweep.Completed)},
	{"status: failed", string(sweep.Failed)},
	{"status: canceled", string(sweep.Canceled)},
	{"level: trunk", fmt.Sprint(int(sweep.LevelTrunk))},
	{"level: AuxK trunk", fmt.Sprint(int(sweep.LevelAuxK))},
	{"level: schedule trunk", fmt.Sprint(int(sweep.LevelSchedule))},
	{"level: branch", fmt.Sprint(int(sweep.LevelRun))},
}

func TestNames(t *testing.T) {
	const file = "testdata/names.txt"
	var got strings.Builder
	for _, n := range names {
		fmt.Fprintf(&got, "%s = %s\n", n.name, n.is)
	}
	if updating() {
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
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			unset(v.Field(i), path+"."+v.Type().Field(i).Name, report)
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

// filled returns the golden file: every payload with nothing set, pointers set,
// lists set, and with every field set to a value of its own.
func filled(t *testing.T) []byte {
	t.Helper()
	var lines []string
	n := 0
	for _, p := range payloads {
		v := reflect.New(reflect.TypeOf(p.of).Elem())
		add := func(name string) { lines = append(lines, fmt.Sprintf("%q: %s", name, encode(t, v.Interface()))) }
		add(p.name + empty)
		frame(v.Elem(), false)
		add(p.name + pointers)
		frame(v.Elem(), true)
		add(p.name + lists)
		fill(t, v.Elem(), &n)
		add(p.name)
	}
	return []byte("{\n" + strings.Join(lines, ",\n") + "\n}\n")
}

// frame sets the pointers in v. With lists it also gives lists of structs one element.
func frame(v reflect.Value, lists bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			frame(v.Field(i), lists)
		}
	case reflect.Slice:
		if lists && v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			frame(v.Index(0), lists)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		frame(v.Elem(), lists)
	}
}

// fill sets v and all that it holds, to numbers that count up.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
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

// updating says that -update is given, which is to add what the golden files lack.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
