package trainer_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Each has every field, under its key in JSON, and no name that is not known.
func TestNamesEach(t *testing.T) {
	yes, no, zero := true, false, 0
	all := trainer.Names{
		LMName: "gpt2", Layer: &zero, SubmoduleName: "resid_post", HookName: "blocks.0.hook_resid_post",
		ModulePath: "h.0", ContextLength: 128, PrependBOS: &yes, DropSpecial: &no,
	}
	for _, n := range []trainer.Names{all, {}} {
		b, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		got, want := map[string]any{}, map[string]any{}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		var keys []string
		n.Each(func(key string, v any) {
			keys = append(keys, key)
			if i, whole := v.(int); whole {
				v = float64(i) // as JSON has it
			}
			got[key] = v
		})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if len(want) > 0 && !slices.Equal(keys, trainer.NameKeys()) {
			t.Errorf("the keys %q, want %q", keys, trainer.NameKeys())
		}
	}
	if fields := reflect.TypeFor[trainer.Names]().NumField(); fields != 8 {
		t.Errorf("Names has %d fields: add the new ones to Each and to this test", fields)
	}
}
